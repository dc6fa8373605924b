"""What a stage of dvc.yaml depends on is what it imports: nothing stale, nothing run again for no reason.

python tests/study/test_dependencies.py    # what to write under `deps`, and which stages an edited module re-runs
"""

import ast
import json
import re
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.glob("eqlib/**/*.*") if "__pycache__" not in path.parts)
CHECKED = sorted(STAGES.keys() - {"init", "weights", "report"})  # run every time; prints the tree of all eqlib


def imports(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def closure(names):
    """The files of eqlib that importing ``names`` reads: a module, the packages above it, the files beside it that it
    names, and all that these import."""
    found, todo = set(), list(names)
    while todo:
        parts = todo.pop().split(".")
        for end in range(1, len(parts) + 1 if parts[0] == "eqlib" else 1):
            base = Path(*parts[:end])
            for path in (base / "__init__.py", base.with_suffix(".py")):
                if path in MODULES and path not in found:
                    text = (ROOT / path).read_text()
                    found |= {
                        path,
                        *(file for file in MODULES if file.parent == path.parent and f'"{file.name}"' in text),
                    }
                    todo += imports(text)
    return found


def code_of(stage):
    """The files of eqlib that the command of ``stage`` imports, by itself and in its notebook."""
    words = stage["cmd"].split()
    names = [words[words.index("-m") + 1]]
    if "${data.data_root}" in stage.get("deps", ()):  # the others read through the records of build/sets
        files = [ROOT / "params.yaml", *sorted(ROOT.glob("profiles/*.yaml"))]
        names += [name for file in files for name in re.findall(r"\b(eqlib[\w.]+):\w+", file.read_text())]  # readers
    for word in words:
        if word.startswith("build/source/"):
            cells = json.loads((ROOT / "notebooks" / Path(word).name).read_text())["cells"]
            code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
            names += [name for source in code for name in imports(source)]
    return closure(names)


def declared(stage):
    return [Path(dep) for dep in stage.get("deps", ()) if dep.startswith("eqlib")]


def covers(dep, path):
    return dep == path or dep in path.parents


def wanted(code):
    """A folder where all of it is imported, else files: an edit re-runs exactly the stages that import the module."""
    folders = sorted({path.parent for path in MODULES} - {Path("eqlib"), Path("eqlib/study")})
    full = [folder for folder in folders if {path for path in MODULES if folder in path.parents} <= code]
    return sorted({next((folder for folder in full if folder in path.parents), path) for path in code})


def test_the_closure_follows_packages_and_names():
    found = closure(["eqlib.models.clip"])
    assert {Path("eqlib/__init__.py"), Path("eqlib/models/__init__.py"), Path("eqlib/errors.py")} <= found
    assert Path("eqlib/study/__init__.py") not in found
    assert Path("eqlib/files.py") in found  # named by eqlib.models.clip alone


@pytest.mark.parametrize("name", CHECKED)
def test_a_stage_declares_what_it_imports_and_no_more(name):
    code = code_of(STAGES[name])
    known = {path for path in MODULES if any(covers(dep, path) for dep in declared(STAGES[name]))}
    hint = "python tests/study/test_dependencies.py --write"
    assert not code - known, f"stale after an edit of {sorted(map(str, code - known))}: {hint}"
    assert not known - code, f"re-run for no reason after an edit of {sorted(map(str, known - code))}: {hint}"
    assert declared(STAGES[name]) == wanted(code), hint


def test_no_plot_retrains():
    costly = [name for name, stage in STAGES.items() if Path("eqlib/losses") in map(Path, stage.get("deps", ()))]
    assert {"pretrain", "select", "finetune"} <= set(costly)
    for name in {"scenes", "sets", "pretrain", "select", "finetune", "evaluate", "tradeoff"}:
        assert not [dep for dep in declared(STAGES[name]) if "report" in dep.parts]


def write():
    """dvc.yaml as text, so that its comments and its layout stay."""
    lines, name, done = [], "", set()
    for line in (ROOT / "dvc.yaml").read_text().splitlines():
        name = line[2:].split(":")[0] if re.match(r"  \w", line) else name
        if name in CHECKED and line.startswith("      - eqlib"):
            lines += [f"      - {dep}" for dep in wanted(code_of(STAGES[name])) if name not in done]
            done.add(name)
        else:
            lines.append(line)
    (ROOT / "dvc.yaml").write_text("\n".join(lines) + "\n")


def edited():
    for path in MODULES:
        print(f"{path}:", *(n for n, s in STAGES.items() if any(covers(dep, path) for dep in declared(s))))


if __name__ == "__main__":
    write() if "--write" in sys.argv else edited()
