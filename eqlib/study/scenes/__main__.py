"""Stream captioned pictures into tar shards: ``python -m eqlib.study.scenes scratch/scenes 100000 --size 64``."""

import argparse
import os
import sys

from eqlib.errors import InputError
from eqlib.study.scenes.shards import write_shards


def main(arguments: list[str] | None = None) -> int:
    """Write shards; 1 and one line on stderr for bad input."""
    parser = argparse.ArgumentParser(prog="python -m eqlib.study.scenes", description=__doc__)
    parser.add_argument("folder", help="where the shards go")
    parser.add_argument("n", type=int, help="how many pictures")
    parser.add_argument("--split", default="pretrain")
    parser.add_argument("--size", type=int, default=64, help="side of a picture in pixels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--noise", type=float, default=0.2, help="how loosely the captions speak, 0 to 1")
    parser.add_argument("--per-shard", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = vars(parser.parse_args(arguments))
    try:
        manifest = write_shards(options.pop("folder"), options.pop("n"), **options)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{manifest['n']} pictures in {len(manifest['shards'])} shards")
    return 0


if __name__ == "__main__":
    sys.exit(main())
