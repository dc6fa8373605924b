"""Sets from their makers, against a server on this machine that plays the host."""

import hashlib
import os
import re
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from huggingface_hub import constants

from eqlib.errors import InputError
from eqlib.study.fetch import CHECKSUM, TABLE, digest, fetch, main

LARGE = np.random.default_rng(0).bytes(24 << 20)  # the hub's library writes 10 MiB at a time
KEPT = 10 << 20


class Handler(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        host = self.server
        asked = self.headers.get("Range")
        host.asked.append((self.command, self.path, asked, self.headers.get("Authorization")))
        if host.token and self.headers.get("Authorization") != f"Bearer {host.token}":
            return self.end(401, {"X-Error-Code": "GatedRepo"})
        if self.path in host.moved:
            return self.end(302, host.moved[self.path])
        if self.path not in host.files:
            return self.end(404, {})
        if body and host.down:
            return self.end(503, {})
        content = host.files[self.path]
        first = int(asked.removeprefix("bytes=").rstrip("-")) if asked and host.ranges else 0
        etag = host.etags.get(self.path) or hashlib.sha256(content).hexdigest()
        headers = {"ETag": f'"{etag}"', "Content-Length": len(content) - first}
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        self.end(206 if first else 200, headers, content[first : host.cut] if body else b"")
        if body and host.cut:
            host.down, self.close_connection = True, True

    def end(self, status, headers, content=b""):
        self.send_response(status)
        for name, value in ({"Content-Length": 0} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class Host(ThreadingHTTPServer):
    """``files`` and ``moved`` (302, with headers) by path. ``cut``: the connection breaks after so many bytes, and the
    host is ``down`` from then on."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.etags, self.moved, self.asked = {}, {}, {}, []
        self.ranges, self.cut, self.down, self.token = True, None, False, ""
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def hosts(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running = [Host(), Host()]
    for host in running:
        threading.Thread(target=host.serve_forever, daemon=True).start()
    yield running
    for host in running:
        host.shutdown()
        host.server_close()


@pytest.fixture
def host(hosts):
    return hosts[0]


def source(host, **files):
    return {"page": "their page", "base": f"{host.url}/data/", "folder": "set", "files": files}


def left_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_a_broken_download_is_gone_on_with_and_ends_whole(host, tmp_path, ranges):
    host.files["/data/large.bin"] = LARGE
    host.ranges, host.cut = ranges, 15 << 20
    wanted = source(host, **{"large.bin": hashlib.sha256(LARGE).hexdigest()})
    with pytest.raises(InputError, match=r"large\.bin: expected the whole file; the same command goes on .*HTTP 503"):
        list(fetch(wanted, tmp_path))
    [part] = (tmp_path / "set").iterdir()
    assert re.fullmatch(r"\.large\.bin\.\w{12}\.part", part.name)
    assert part.read_bytes() == LARGE[:KEPT]
    host.cut, host.down, host.asked = None, False, []
    assert list(fetch(wanted, tmp_path)) == [f"{tmp_path}/set/large.bin: the checksum is right"]
    assert (tmp_path / "set/large.bin").read_bytes() == LARGE
    assert left_in(tmp_path) == ["large.bin"]
    assert [asked[2] for asked in host.asked] == [None, f"bytes={KEPT}-"]


def test_a_part_of_another_version_is_not_gone_on_with(host, tmp_path):
    host.files["/data/large.bin"], host.cut = LARGE, 15 << 20
    wanted = source(host, **{"large.bin": ""})
    with pytest.raises(InputError):
        list(fetch(wanted, tmp_path))
    newer = LARGE[::-1]
    host.files["/data/large.bin"], host.cut, host.down = newer, None, False
    list(fetch(wanted, tmp_path))
    assert (tmp_path / "set/large.bin").read_bytes() == newer


def test_a_wrong_checksum_is_refused_and_nothing_is_left(host, tmp_path):
    host.files["/data/a.json"] = b"other bytes"
    expected, got = hashlib.sha256(b"the bytes").hexdigest(), hashlib.sha256(b"other bytes").hexdigest()
    with pytest.raises(InputError, match=rf"a\.json: expected the checksum {expected}, got {got}"):
        list(fetch(source(host, **{"a.json": expected}), tmp_path))
    assert left_in(tmp_path) == []


def test_a_file_that_is_here_is_looked_at_and_never_replaced(host, tmp_path):
    host.files["/data/a.json"] = b"the bytes"
    wanted = source(host, **{"a.json": hashlib.sha256(b"the bytes").hexdigest()})
    list(fetch(wanted, tmp_path))
    host.asked.clear()
    assert list(fetch(wanted, tmp_path)) == [f"{tmp_path}/set/a.json: was here, the checksum is right"]
    assert [command for command, *_ in host.asked] == ["HEAD"]
    (tmp_path / "set/a.json").write_bytes(b"my edits!")
    with pytest.raises(InputError, match=r"set/a\.json: expected the checksum"):
        list(fetch(wanted, tmp_path))
    assert (tmp_path / "set/a.json").read_bytes() == b"my edits!"


def test_without_a_checksum_the_size_is_all_that_is_checked_and_that_is_said(host, tmp_path):
    host.files["/data/a.json"] = b"the bytes"
    [told] = fetch(source(host, **{"a.json": ""}), tmp_path)
    assert told.endswith("a.json: of the host's size; no checksum is published")


def test_a_file_that_is_not_there_names_the_page_that_tells_of_it(host, tmp_path):
    with pytest.raises(InputError, match=rf"{host.url}/data/gone\.json: expected .*their page tells, got HTTP 404"):
        list(fetch(source(host, **{"gone.json": ""}), tmp_path))
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("name", ["..", "a/..", "x/\\evil"])
def test_a_name_that_climbs_is_refused_before_anything_is_asked(host, tmp_path, name):
    with pytest.raises(InputError, match="a path under its root"):
        list(fetch(source(host, **{name: ""}), tmp_path))
    assert host.asked == []


def test_the_token_of_the_hub_goes_to_no_other_host(host, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "a-secret-of-mine")
    host.files["/data/a.json"] = b"the bytes"
    list(fetch(source(host, **{"a.json": ""}), tmp_path))
    assert [authorization for *_, authorization in host.asked] == [None, None]


def test_a_gated_set_of_the_hub(hosts, tmp_path):
    """As a user meets it: refused without a token, with the page to accept the terms on; with one, whole files. Large
    ones lie with another host, which gets no token; the hub tells their SHA-256, and git's SHA-1 of small ones."""
    hub, store = hosts
    base, hub.token = "/datasets/facebook/winoground/resolve/main/data", "mine"
    hub.files[f"{base}/examples.jsonl"] = b"abc"
    hub.etags[f"{base}/examples.jsonl"] = "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f"
    linked = {"X-Linked-Etag": f'"{hashlib.sha256(b"pictures").hexdigest()}"', "X-Linked-Size": 8}
    hub.moved[f"{base}/images.zip"] = linked | {"Location": f"{store.url}/blob"}
    store.files["/blob"] = b"pictures"
    known = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    known |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    command = [sys.executable, "-m", "eqlib.study.fetch", "winoground", str(tmp_path / "sets")]

    done = subprocess.run(command, env=known, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.search(r"examples\.jsonl: expected your own access: accept .*facebook/winoground.*HTTP 401", done.stderr)
    assert left_in(tmp_path / "sets") == []

    done = subprocess.run(command, env=known | {"HF_TOKEN": "mine"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the checksum is right") == 2
    assert "eqlib doctor winoground winoground" in done.stdout
    assert (tmp_path / "sets/winoground/images.zip").read_bytes() == b"pictures"
    assert [authorization for *_, authorization in store.asked] == [None]

    (tmp_path / "sets/winoground/images.zip").unlink()
    store.files["/blob"] = b"pictured"  # as long, and other bytes
    done = subprocess.run(command, env=known | {"HF_TOKEN": "mine"}, capture_output=True, text=True)
    assert done.returncode == 1
    assert "images.zip: expected the checksum" in done.stderr
    assert left_in(tmp_path / "sets") == ["examples.jsonl"]


def test_checksums_by_hand(tmp_path):
    """SHA-256 of "abc" from FIPS 180-2; `printf abc | git hash-object --stdin`."""
    (tmp_path / "abc").write_bytes(b"abc")
    for known in (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f",
    ):
        assert digest(tmp_path / "abc", known) == known


def test_the_table_holds_checksums_and_the_lines_of_the_guide(root):
    guide = (root / "docs/data.md").read_text()
    for name, entry in tomllib.loads(TABLE.read_text()).items():
        assert all(not checksum or CHECKSUM.fullmatch(checksum) for checksum in entry["files"].values()), name
        assert f"$ python -m eqlib.study.fetch {name} ." in guide
        for line in entry["next"]:
            assert f"$ {line.partition('  #')[0]}\n" in guide


@pytest.mark.parametrize(("name", "folder"), [("valse", "valse"), ("sugarcrepe", "sugar_crepe")])
def test_the_checksums_are_those_of_the_makers_files(shared, name, folder):
    known = tomllib.loads(TABLE.read_text())[name]["files"]
    files = sorted((shared / "realdata/annotations" / folder).glob("*.json"))
    assert len(files) >= 5
    for file in files:
        assert digest(file, known[file.name]) == known[file.name], file.name


def test_an_unknown_set_lists_those_there_are(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["flickr", str(tmp_path)])
    assert "winoground" in capsys.readouterr().err
