"""What a stage reads of the data, by content: ``python -m eqlib.study.sets OUTPUT``.

A stage that depended on the whole data folder would run again for any file in it: more test quads would train the
pretrained model anew. Each record here holds what one kind of stage reads, so that it can be depended on alone:

    pretrain.json, train.json   the captions of that split and of val, the validation quads
    evaluate.json               the captions of val, every suite
    suites/NAME.json            that suite

``data`` in a record is the section of params.yaml that the notebook is given; a trained model's has, beside the
validation quads, only the suites that hold pictures out of its captions. ``content`` are SHA-256 of texts and pictures.
"""

import hashlib
import sys
from functools import cache
from pathlib import Path
from typing import Any

from eqlib.errors import InputError
from eqlib.files import write_json
from eqlib.study.parameters import section
from eqlib.study.training.data import read_captions, read_suites
from eqlib.suites import QuadSuite, RetrievalSuite
from eqlib.suites.images import image_file
from eqlib.suites.suite import AnySuite


def records(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Name -> record, for the section ``data`` of params.yaml. Raises InputError for what cannot be read."""
    suites = read_suites(data["data_root"], data["suites"])
    if not isinstance(suites.get(data["validation"]), QuadSuite):
        raise InputError("a suite of quads (data.suites)", repr(data["validation"]), where="data.validation")

    @cache  # the same captions are asked for by several records
    def captions(role: str, *held_out: str) -> RetrievalSuite:
        shown = {name: suites[name] for name in held_out}
        return read_captions(data["data_root"], data["captions"], data["splits"][role], held_out=shown)

    def holds_out(name: str, role: str) -> bool:
        return len(captions(role, name).images) < len(captions(role).images)

    content = {role: _digest(captions(role, *suites)) for role in ("pretrain", "train", "val")}
    content |= {f"suites/{name}": _digest(suite) for name, suite in suites.items()}
    evaluated = {name: digest for name, digest in content.items() if name not in ("pretrain", "train")}
    found = {"evaluate": {"data": data, "content": evaluated}}
    for role in ("pretrain", "train"):
        kept = {
            name: entry
            for name, entry in data["suites"].items()
            if name == data["validation"] or any(holds_out(name, split) for split in (role, "val"))
        }
        reads = {role, "val", *(f"suites/{name}" for name in kept)}
        found[role] = {"data": data | {"suites": kept}, "content": {name: content[name] for name in reads}}
    for name, entry in data["suites"].items():  # a model that is not the study's own is asked for one suite at a time
        alone, key = data | {"captions": "", "suites": {name: entry}}, f"suites/{name}"
        found[key] = {"data": alone, "content": {key: content[key]}}
    return found


def _digest(suite: AnySuite) -> str:
    if isinstance(suite, RetrievalSuite):
        groups = suite.groups if suite.groups is None else suite.groups.tolist()
        order = suite.image_of_caption.tolist()
        text = repr((suite.images, suite.captions, order, suite.notes, suite.negatives, groups))
    else:
        text = suite.edition + suite.records.to_csv(index=False)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    for picture in suite.pictures()["picture"].unique():
        with image_file(suite.root / picture) as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def main(arguments: list[str]) -> None:
    (output,) = arguments
    for name, record in records(section("params.yaml", "data")).items():
        write_json(Path(output) / f"{name}.json", record)


if __name__ == "__main__":
    main(sys.argv[1:])
