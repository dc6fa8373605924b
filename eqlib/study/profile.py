"""Run the study under a profile: the same pipeline with other parameters, in a copy that leaves the repository alone.

    python -m eqlib.study.profile smoke
    python -m eqlib.study.profile hard --stage evaluate-pretrained
    python -m eqlib.study.profile photographs --set data.data_root=/where/the/photographs/are

The copy is ``scratch/profile/NAME``: every file git knows or would add, with ``profiles/NAME.yaml`` laid over
params.yaml. A key that params.yaml does not have is an error. What the stages make is in its ``build``, the report in
its ``reports``.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, TextIO

from ruamel.yaml import YAML

from eqlib.errors import InputError
from eqlib.study.check import require
from eqlib.study.command import command
from eqlib.study.parameters import literal, sections

OPEN = ("data.suites", "select.grids")  # sections whose keys are names of the user's own: replaced whole, not merged


def overlay(base: dict, change: dict, *, where: str | Path, place: str = "") -> None:
    """Lay ``change`` over ``base`` in place. Raises InputError for a key that ``base`` lacks."""
    for key, value in change.items():
        name = f"{place}{key}"
        if key not in base:
            raise InputError(f"a key of params.yaml ({', '.join(map(str, base))})", f"`{name}`", where=where)
        if isinstance(value, dict) and isinstance(base[key], dict) and name not in OPEN:
            overlay(base[key], value, where=where, place=f"{name}.")
        else:
            base[key] = value


def nested(assignment: str) -> dict[str, Any]:
    """``a.b=3`` as ``{"a": {"b": 3}}``."""
    name, equals, value = assignment.partition("=")
    if not (name and equals):
        raise InputError("name=value", repr(assignment), where="--set")
    tree: Any = literal(value)
    for key in reversed(name.split(".")):
        tree = {key: tree}
    return tree


def write(params: dict, to: Path | TextIO) -> None:
    """``params`` as YAML, without comments: carried over to changed values they have broken the file."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.sort_base_mapping_type_on_output = False, False
    yaml.dump(params, to)


def copy_tree(source: Path, target: Path) -> None:
    """Every file that git tracks or would add, as it is now; what the pipeline left in ``target`` stays."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=source, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for folder in ("eqlib", "notebooks", "reports"):
        shutil.rmtree(target / folder, ignore_errors=True)
    for name in filter(None, listed.split("\0")):
        if (source / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target / name)


def configured(name: str, assignments: list[str]) -> dict:
    """params.yaml with ``profiles/NAME.yaml`` laid over it (none for an empty name), then ``assignments``. Raises
    InputError for a profile that is not there and a key that params.yaml lacks."""
    params = sections("params.yaml")
    if name:
        profile = Path("profiles") / f"{name}.yaml"
        if not profile.is_file():
            names = ", ".join(sorted(path.stem for path in Path("profiles").glob("*.yaml")))
            raise InputError(f"a profile ({names})", repr(name))
        overlay(params, sections(profile), where=profile)
    for assignment in assignments:
        overlay(params, nested(assignment), where="--set")
    return params


@command
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m eqlib.study.profile", description=__doc__.splitlines()[0])
    parser.add_argument("name", help="a file of profiles/, without .yaml")
    parser.add_argument("--set", action="append", default=[], metavar="a.b=value", help="one more change")
    parser.add_argument("--stage", default="report", help="run up to this stage of dvc.yaml")
    parser.add_argument("--jobs", type=int, default=1, help="stages at once, see eqlib.study.jobs")
    parser.add_argument("--launch", default="", help="words before a stage's command, likewise")
    options = parser.parse_args(arguments)
    params = configured(options.name, options.set)
    require(params)
    target = Path("scratch") / "profile" / options.name
    copy_tree(Path(), target)
    write(params, target / "params.yaml")
    (target / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")  # the copy is a folder, not a clone
    # the copy's eqlib, not the installed one; and this Python for its stages, whether or not .venv is active
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PYTHONPATH": str(target.resolve()), "PATH": path}
    commands = [["dvc", "repro", options.stage]]
    if options.jobs != 1 or options.launch:
        commands = [["eqlib.study.jobs", str(options.jobs), options.stage, "--launch", options.launch], *commands]
    for words in commands:
        if code := subprocess.run([sys.executable, "-m", *words], cwd=target, env=environment).returncode:
            return code
    print(f"{options.stage}: {target}/{'reports/index.html' if options.stage == 'report' else 'build'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
