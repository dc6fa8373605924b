"""The house rules that a test can hold: imports run one way, dependencies agree, nothing names a machine."""

import ast
import re
import subprocess
import sys

import pytest
from ruamel.yaml import YAML

# A room may import the rooms to its left in this list of storeys, and itself.
STOREYS = (
    ("errors", "progress"),
    ("files", "parameters"),
    ("quads",),
    ("losses", "scoring", "suites", "scenes"),
    ("models",),
    ("training",),
    ("report",),
    ("notebook", "profile", "cli"),
)
LEVEL = {room: level for level, rooms in enumerate(STOREYS) for room in rooms}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: a relative import"
            yield node.module


def test_imports_run_one_way(root):
    for path in sorted(root.glob("eqlib/**/*.py")):
        room = path.relative_to(root / "eqlib").parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        for module in imports(path):
            if module.startswith("eqlib."):
                other = module.split(".")[1]
                assert other == room or LEVEL[other] < LEVEL[room] or LEVEL[room] == len(STOREYS) - 1, (
                    f"{path.relative_to(root)} imports {module}"
                )


@pytest.mark.parametrize("room", ["quads", "scoring", "suites", "scenes", "report"])
def test_no_torch_where_none_is_needed(room):
    code = f"import sys, eqlib.{room}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


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
        name = re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower().replace("_", "-").replace(".", "-")
        assert name in locked, f"{name} is not in requirements.lock: make lock"
