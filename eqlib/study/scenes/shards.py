"""Many captioned pictures as tar shards (WebDataset's form): memory stays flat at any length."""

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from PIL import Image

from eqlib.errors import InputError
from eqlib.files import content_hash, whole, write_json
from eqlib.study.scenes.dials import Dials
from eqlib.study.scenes.items import captioned, picture
from eqlib.study.scenes.scene import check_known, to_dict
from eqlib.study.scenes.splits import SHARES
from eqlib.study.scenes.workers import Workers


def write_shards(
    folder: str | Path,
    n: int,
    *,
    split: str = "pretrain",
    seed: int = 0,
    size: int = 64,
    noise: float = 0.2,
    dials: Dials | None = None,
    per_shard: int = 10_000,
    workers: int = 2,
) -> dict:
    """``n`` captioned pictures of ``split`` under ``folder``: ``000000.tar``, ``000001.tar``, ... and manifest.json.

    Each sample is ``<number>.png``, ``.txt`` (the caption) and ``.json`` (the scene). A shard is whole or absent, and a
    second call with the same arguments makes the same bytes. Returns the manifest. Raises InputError for n < 1,
    per_shard < 1 or an unknown split.
    """
    if n < 1 or per_shard < 1:
        raise InputError("n and per_shard of at least 1", f"{n} and {per_shard}", row="n")
    check_known("split", split, SHARES)
    folder, dials = Path(folder), dials or Dials()
    make = partial(_sample, split, dials, seed, size, noise)
    shards: list[Path] = []
    with Workers(workers) as pool:
        samples = pool.run(make, n, f"{split} pictures")
        for start in range(0, n, per_shard):
            path = folder / f"{start // per_shard:06d}.tar"
            with tar_writer(path) as add:
                for number in range(start, min(n, start + per_shard)):
                    for ending, content in next(samples):
                        add(f"{number:09d}.{ending}", content)
            shards.append(path)
    manifest = {
        "split": split,
        "seed": seed,
        "n": n,
        "parameters": {"size": size, "noise": noise, **dials.__dict__},
        "shards": {path.name: content_hash(path) for path in shards},
    }
    write_json(folder / "manifest.json", manifest)
    return manifest


@contextmanager
def tar_writer(path: Path) -> Iterator[Callable[[str, bytes], None]]:
    """``add(name, content)`` to a tar that is whole or absent. It holds no time and no owner: the same bytes again."""

    def add(name: str, content: bytes) -> None:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))

    with whole(path) as draft, tarfile.open(draft, "w", format=tarfile.USTAR_FORMAT) as tar:
        yield add


def pictures_in(path: Path) -> Iterator[tuple[str, Image.Image]]:
    """Name and RGB picture of each PNG in a tar, in the order in which they were written."""
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            if member.name.endswith(".png"):
                yield member.name, Image.open(tar.extractfile(member)).convert("RGB")


def png(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "png", compress_level=1)
    return content.getvalue()


def _sample(split: str, dials: Dials, seed: int, size: int, noise: float, number: int) -> list[tuple[str, bytes]]:
    item = captioned(split, number, dials, seed=seed, noise=noise)
    drawn = picture(item.scene, size, dials, grain=number)
    truth = json.dumps(to_dict(item.scene), sort_keys=True)
    return [("png", png(drawn)), ("txt", item.caption.encode()), ("json", truth.encode())]
