"""The files that ``pretrain.init`` names, by content: ``python -m eqlib.study.weights INIT OUTPUT``.

DVC cannot depend on a name that may be a file, a folder or a tag. This record can be depended on; it is made anew in
every run, so that other weights under the same name train again. What a tag stands for lies elsewhere and has no entry.
"""

import sys
from pathlib import Path

from eqlib.files import content_hash, write_json


def files_of(init: str) -> list[Path]:
    """The local files behind a model's name (see ``eqlib.models.clip.load``), sorted; none for a tag or a hub model."""
    path, checkpoint = Path(init.removeprefix("local-dir:")), Path(init.partition("/")[2])
    if path.is_dir():
        return sorted(part for part in path.rglob("*") if part.is_file())
    return [file for file in (path, checkpoint) if file.is_file()][:1]


def main(arguments: list[str]) -> None:
    init, output = arguments
    write_json(output, {"init": init, "files": {str(path): content_hash(path) for path in files_of(init)}})


if __name__ == "__main__":
    main(sys.argv[1:])
