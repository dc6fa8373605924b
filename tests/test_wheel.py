"""The package as others install it: what the wheel holds, and that it scores a file without any extra."""

import json
import re
import shutil
import subprocess
import sys
import venv
import zipfile

import pytest

CORE = {"numpy", "pandas", "scipy", "pyarrow", "pillow", "tqdm"}
RIGHT, WRONG = [[4.0, 1.0], [2.0, 3.0]], [[1.0, 2.0], [2.0, 1.0]]


@pytest.fixture(scope="module")
def tree(root, tmp_path_factory):
    """What a build reads, and a study's ``build`` beside it."""
    tree = tmp_path_factory.mktemp("clone")
    shutil.copytree(root / "eqlib", tree / "eqlib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(root / name, tree)
    (tree / "build" / "pretrain").mkdir(parents=True)
    (tree / "build" / "pretrain" / "history.csv").write_text("step\n")
    return tree


@pytest.fixture(scope="module")
def wheel(tree, tmp_path_factory):
    pytest.importorskip("flit_core", reason="the build backend is not installed: pip install -e .[dev]")
    before = sorted(tree.rglob("*"))
    made = tmp_path_factory.mktemp("wheel")
    code = f"from flit_core import buildapi; buildapi.build_wheel({str(made)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=tree, check=True)
    assert sorted(tree.rglob("*")) == before, "building writes into the clone"
    return next(made.glob("*.whl"))


@pytest.fixture
def scores(tmp_path):
    lines = [
        json.dumps({"label": f"{item}_c{caption}_i{image}", "score": block[image][caption]})
        for item, block in enumerate([RIGHT, RIGHT, RIGHT, WRONG])
        for image in (0, 1)
        for caption in (0, 1)
    ]
    (tmp_path / "scores.jsonl").write_text("\n".join(lines))
    return tmp_path / "scores.jsonl"


def test_every_file_of_the_package_is_in_it(tree, wheel):
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("eqlib/")}
    assert packed == {path.relative_to(tree).as_posix() for path in tree.glob("eqlib/**/*") if path.is_file()}
    assert {"eqlib/models/small-64px.json", "eqlib/study/released/published.csv"} <= packed


def requirements(wheel):
    """Package -> the extra that brings it, "" for those that always come."""
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
    lines = re.findall(r"^Requires-Dist: ([\w-]+)(.*)$", archive.read(name).decode(), re.MULTILINE)
    extras = {name: "".join(re.findall(r"extra == .(\w+)", rest)) for name, rest in lines if name != "eqlib"}
    return {name.lower().replace("_", "-"): extra for name, extra in extras.items()}


def test_it_asks_for_seven_packages(wheel):
    assert {name for name, extra in requirements(wheel).items() if not extra} == CORE


def test_it_scores_without_any_extra(wheel, scores, tmp_path):
    """The command runs from the wheel and loads nothing that only an extra brings."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path / "installed")!r})
from eqlib.cli import main
assert main(["score", "winoground", "--scores", {str(scores)!r}]) == 0
import eqlib
assert eqlib.__file__.startswith({str(tmp_path)!r})
from importlib.metadata import packages_distributions
of = packages_distributions()
print(*(name for module in sys.modules for name in of.get(module.split(".")[0], ())), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "75.00 [30.06, 95.44]" in done.stdout
    used = {name.lower().replace("_", "-") for name in done.stderr.split()}
    assert "pandas" in used
    assert not used & {name for name, extra in requirements(wheel).items() if extra}


@pytest.mark.slow
def test_installed_in_an_empty_environment(wheel, scores, tmp_path):
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / "bin" / "python"
    done = subprocess.run([python, "-m", "pip", "install", "--quiet", str(wheel)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no package index can be reached: {done.stderr.strip().splitlines()[-1]}")
    command = [python.with_name("eqlib"), "score", "winoground", "--scores", scores]
    assert "75.00 [30.06, 95.44]" in subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
    for room, extra in (("losses", "torch"), ("models", "torch"), ("study", "study")):
        done = subprocess.run([python, "-c", f"import eqlib.{room}"], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode
        assert f'pip install "eqlib[{extra}]"' in done.stderr.splitlines()[-1]
