"""The model that a seed's fine-tuning starts from: ``python -m eqlib.study.start SEED build/pretrain OUTPUT``.

``study.starts`` are the seeds of the pretrained models: one for all runs, or one for each of ``study.seeds``, in their
order. With one each, a seed is a whole pipeline, and intervals over seeds hold the pretraining's spread as well.
"""

import shutil
import sys
from pathlib import Path

from eqlib.files import whole
from eqlib.study.parameters import section


def start_of(seed: int, seeds: list[int], starts: list[int]) -> int:
    """The seed of the pretrained model that ``seed`` of ``seeds`` starts from."""
    return starts[0] if len(starts) == 1 else starts[seeds.index(seed)]


def main(arguments: list[str]) -> None:
    seed, pretrained, output = arguments
    study = section("params.yaml", "study")
    source = Path(pretrained) / str(start_of(int(seed), study["seeds"], study["starts"]))
    with whole(output, replace_folder=True) as draft:
        shutil.copytree(source / "model", draft / "model")


if __name__ == "__main__":
    main(sys.argv[1:])
