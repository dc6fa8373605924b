import hashlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from eqlib.errors import InputError
from eqlib.models.cache import FeatureCache


def key(n):
    return hashlib.sha256(str(n).encode()).digest()


def vector(n, size=4):
    return np.full(size, n, dtype=np.float32)


def fill(cache, numbers):
    cache.put([key(n) for n in numbers], np.stack([vector(n) for n in numbers]))


def test_features_come_back_in_the_order_asked(tmp_path):
    cache = FeatureCache(tmp_path / "model", "image")
    fill(cache, [3, 1])
    fill(cache, [2])
    assert cache.get([key(n) for n in (1, 2, 3, 1)])[:, 0].tolist() == [1, 2, 3, 1]
    assert cache.missing([key(n) for n in (5, 1, 4, 5)]) == [0, 2]  # first occurrences only


def test_another_process_sees_what_was_written(tmp_path):
    first, second = FeatureCache(tmp_path, "image"), FeatureCache(tmp_path, "image")
    fill(first, range(5))
    assert len(second) == 0
    second.refresh()
    assert second.get([key(4)])[0].tolist() == [4, 4, 4, 4]
    assert len(FeatureCache(tmp_path, "caption")) == 0  # kinds are apart


def test_damaged_shards_are_left_out_with_a_warning(tmp_path):
    cache = FeatureCache(tmp_path, "image")
    fill(cache, [1])
    fill(cache, [2])
    shard = cache._shards[0]
    shard.write_bytes(shard.read_bytes()[:-5])
    with pytest.warns(UserWarning, match="a damaged cache shard is left out"):
        again = FeatureCache(tmp_path, "image")
    assert again.missing([key(1), key(2)]) == [0]


@pytest.mark.parametrize("place", [-1, -40, 0.5])
def test_a_flipped_bit_never_becomes_a_number(tmp_path, place):
    """In the features, the keys or the digest, before the cache is opened and after."""
    cache = FeatureCache(tmp_path, "image")
    fill(cache, [1, 2, 3])
    (shard,) = tmp_path.glob("image-*")
    raw = bytearray(shard.read_bytes())
    raw[int(place * len(raw)) if place == 0.5 else place] ^= 1
    shard.write_bytes(raw)
    with pytest.raises(InputError, match=r"image-\w+\.safetensors: expected a cache shard as it was written"):
        cache.get([key(1)])
    with pytest.warns(UserWarning, match="a damaged cache shard is left out"):
        again = FeatureCache(tmp_path, "image")
    assert again.missing([key(1)]) == [0]
    fill(again, [1])
    assert again.get([key(1)])[0].tolist() == [1, 1, 1, 1]


def test_what_was_answered_before_an_error_is_kept(tmp_path):
    cache = FeatureCache(tmp_path, "image")

    def parts():
        yield [key(1), key(2)], np.stack([vector(1), vector(2)])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.fill(parts())
    assert FeatureCache(tmp_path, "image").get([key(2)])[0].tolist() == [2, 2, 2, 2]


WRITER = """
import sys, numpy as np
sys.path.insert(0, sys.argv[4])
from test_cache import FeatureCache, fill
cache = FeatureCache(sys.argv[1], "image")
print("ready", flush=True)
for start in range(int(sys.argv[2]), int(sys.argv[3])):
    cache.refresh()
    fill(cache, [start, start + 1, start + 2])
"""


def writer(folder, first, last):
    command = [sys.executable, "-c", WRITER, str(folder), str(first), str(last), os.path.dirname(__file__)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_writers_at_once(tmp_path):
    processes = [writer(tmp_path, 0, 40), writer(tmp_path, 20, 60)]
    assert [process.wait(60) for process in processes] == [0, 0]
    cache = FeatureCache(tmp_path, "image")
    assert len(cache) == 62
    assert cache.get([key(n) for n in range(62)])[:, 0].tolist() == list(range(62))


def test_a_killed_writer_leaves_whole_shards(tmp_path):
    process = writer(tmp_path, 0, 10**6)
    process.stdout.readline()
    while len(list(tmp_path.glob("image-*"))) < 20:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    cache = FeatureCache(tmp_path, "image")  # a damaged shard would warn
    assert len(cache) >= 22
    known = [n for n in range(len(cache) + 10) if not cache.missing([key(n)])]
    assert cache.get([key(n) for n in known])[:, 0].tolist() == known
    fill(cache, [10**7])
    assert FeatureCache(tmp_path, "image").missing([key(10**7)]) == []
