"""The rules of the layout that a test can hold: imports run one way, dependencies agree, nothing names a machine."""

import ast
import re
import subprocess
import sys

import pytest
from ruamel.yaml import YAML

# A room may import itself and the rooms above it in this list. The core never imports the workshop.
CORE = (
    ("errors", "options", "progress"),
    ("files",),
    ("quads",),
    ("losses", "scoring", "suites"),
    ("models",),
    ("evaluate",),
    ("cli", "lmms_eval"),
)
WORKSHOP = (
    ("command", "parameters", "parent"),
    ("released", "scenes", "trials"),
    ("evaluation",),
    ("training",),
    ("fusion",),
    ("report",),
    ("check", "fetch", "jobs", "mend", "notebook", "release", "sets", "stand_ins", "start", "weights"),
    ("profile",),
    ("plan",),
    ("new",),
)
STOREYS = (*CORE, *(tuple(f"study.{room}" for room in rooms) for rooms in WORKSHOP))
LEVEL = {room: level for level, rooms in enumerate(STOREYS) for room in rooms}


def room_of(module):
    """``eqlib.study.report.page`` stands in the room ``study.report``, ``eqlib.losses.eqsim`` in ``losses``."""
    parts = module.split(".")[1:]
    return ".".join(parts[:2]) if parts[0] == "study" else parts[0]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_imports_run_one_way(root):
    for path in sorted(root.glob("eqlib/**/*.py")):
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        if module in ("eqlib.__init__", "eqlib.study.__init__"):
            continue
        room = room_of(module)
        for other in imports(path):
            if other.startswith("eqlib."):
                below = room_of(other)
                assert below == room or LEVEL[below] < LEVEL[room], f"{path.relative_to(root)} imports {other}"


@pytest.mark.parametrize(
    "room",
    ["quads", "scoring", "suites.doctor", "suites.score_forms", "study.scenes", "study.released", "study.report"],
)
def test_no_torch_where_none_is_needed(room):
    code = f"import sys, eqlib.{room}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_scoring_loads_arrays_and_tables_alone():
    """0.3 s where these are all; a second with scipy.stats."""
    code = "import sys, eqlib.scoring; print(sorted({'torch', 'scipy.stats', 'PIL'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_lock_environment_and_pyproject_agree(root):
    import tomllib

    lock = (root / "requirements.lock").read_text().splitlines()
    environment = YAML(typ="safe").load(root / "environment.yml")["dependencies"]
    assert environment[-1]["pip"] == lock
    assert not any("://" in line for line in lock)
    locked = {re.split(r"[=;\s]", line)[0] for line in lock}
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    for requirement in project["dependencies"] + extras:
        if requirement.startswith("eqlib["):  # an extra that holds another
            continue
        name = re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower().replace("_", "-").replace(".", "-")
        assert name in locked, f"{name} is not in requirements.lock: make lock"


def test_no_weights_are_unpickled(root):
    """A file of weights runs no code: safetensors, or torch.load with ``weights_only``."""
    for path in sorted(root.glob("eqlib/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                assert "weights_only=True" in ast.unparse(node), path.name
        assert not {"pickle", "joblib", "dill"} & set(imports(path)), path.name


def test_nobody_is_told_of_a_run(root):
    assert "analytics = false" in (root / ".dvc" / "config").read_text()
    assert "HF_HUB_DISABLE_TELEMETRY := 1" in (root / "Makefile").read_text()
