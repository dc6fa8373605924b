"""Which pretrained model a seed's fine-tuning starts from."""

import pytest
from ruamel.yaml import YAML

from eqlib.study import start


@pytest.mark.parametrize(("starts", "expected"), [([7], [7, 7, 7]), ([4, 5, 6], [4, 5, 6])])
def test_one_for_all_or_one_each(starts, expected):
    assert [start.start_of(seed, [0, 2, 9], starts) for seed in (0, 2, 9)] == expected


def test_the_model_is_copied_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    YAML().dump({"study": {"seeds": [3, 8], "starts": [1, 2]}}, tmp_path / "params.yaml")
    for seed in (1, 2):
        (tmp_path / f"pretrain/{seed}/model").mkdir(parents=True)
        (tmp_path / f"pretrain/{seed}/model/weights").write_text(f"of {seed}")
        (tmp_path / f"pretrain/{seed}/history.csv").write_text("step")
    start.main(["8", "pretrain", "start/8"])
    assert (tmp_path / "start/8/model/weights").read_text() == "of 2"
    assert [path.name for path in (tmp_path / "start/8").iterdir()] == ["model"]
