"""Nothing but params.yaml decides what a study finds: no folder, locale, time zone, hash seed, worker or thread."""

import json
import os
import subprocess
import sys

import pytest

OTHER = {"PYTHONHASHSEED": "7", "LC_ALL": "C", "TZ": "Asia/Kathmandu", "OMP_NUM_THREADS": "2"}


def test_the_drawings_of_two_folders_are_the_same(tmp_path):
    code = (
        "import json, sys; from eqlib.study.scenes import build\n"
        "if __name__ == '__main__':\n"
        "    sizes = dict(pretrain=8, train=4, train_pairs=7, val=4, quads_val=1, quads_test=2)\n"
        "    print(json.dumps(build(sys.argv[1], workers=int(sys.argv[2]), **sizes)))"
    )
    (tmp_path / "draw.py").write_text(code)
    found = []
    for folder, workers, variables in (("here", 1, {}), ("there/deeper", 2, OTHER)):
        command = [sys.executable, tmp_path / "draw.py", tmp_path / folder, str(workers)]
        done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
    assert found[0] == found[1]
    assert len(found[0]["content"]) == 64


@pytest.mark.slow
def test_the_tables_and_figures_of_two_folders_are_the_same(root, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(root / "tests")
    from chaos import Study

    workers = {"scenes": {"workers": 1}, "pretrain": {"workers": 2}, "finetune": {"workers": 0}}
    here = Study(tmp_path / "here", "report")
    there = Study(tmp_path / "there" / "deeper", "report", change=workers, variables=OTHER)
    compared = ("build/compare/", "build/released/", "reports/tables/", "reports/figures/", "reports/metrics.json")
    for name in here.whole:
        if name.startswith(compared) and not name.endswith(".ipynb"):
            assert here.whole[name] == there.whole[name], name
