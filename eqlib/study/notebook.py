"""Run a notebook as a pipeline stage: papermill, plus what a stage needs that papermill does not give.

    python -m eqlib.study.notebook run build/source/30_finetune.ipynb --output build/finetune/eqsim-0 \
        --params finetune --method eqsim --seed 0
    python -m eqlib.study.notebook bare notebooks build/source
    python -m eqlib.study.notebook bare < notebook > bare copy      # git's filter, see .gitattributes

A run checks every value against the typed ``parameters`` cell before a kernel starts, sends the notebook's stderr
(progress, timings) to the terminal and keeps it out of the file, writes byte-stable output, and leaves either the
whole output folder or none. A failed notebook and its traceback are kept under ``scratch/failed``.
"""

import argparse
import hashlib
import logging
import os
import re
import shutil
import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

# jsonschema tries this optional import for 1.7 s in every process and then works without it
sys.modules.setdefault("rfc3987_syntax", None)

import nbformat
from filelock import FileLock, Timeout
from nbformat import NotebookNode

from eqlib.errors import InputError
from eqlib.files import content_hash, made_here, whole
from eqlib.study import parameters
from eqlib.study.parent import end_with_dvc

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_STABLE = {
    "EQLIB_STAGE": "1",
    "SOURCE_DATE_EPOCH": "0",
    "PYTHONHASHSEED": "0",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # sums, and with them trained weights, depend on it: the same on any number of cores, unless asked for otherwise
    "OMP_NUM_THREADS": os.environ.get("EQLIB_THREADS", "2"),
    "MKL_NUM_THREADS": os.environ.get("EQLIB_THREADS", "2"),
    # a thread that waits soon lets its core go; the default spins, and two stages on two cores took three times as long
    "GOMP_SPINCOUNT": "1000",
}

TOURS = 3
"""For so many states of the sources the tour keeps what a stage made."""


def repository() -> Path:
    """The folder that holds dvc.yaml, walking up from here. Raises InputError outside a clone."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "dvc.yaml").is_file():
            return folder
    raise InputError("a folder at or under the repository (dvc.yaml)", Path.cwd().name)


def read(path: str | Path) -> NotebookNode:
    """A notebook file. Raises InputError where it is missing or not a notebook."""
    try:
        return nbformat.read(path, as_version=4)
    except OSError as error:
        raise InputError("a readable notebook", error.strerror or "an error", where=path) from error
    except Exception as error:  # nbformat raises its own, jsonschema's and json's errors
        raise InputError("a notebook", f"{type(error).__name__}: {error}", where=path) from error


def bare(notebook: NotebookNode) -> NotebookNode:
    """Without outputs, execution counts and editor metadata; cell tags stay. What git stores and stages depend on."""
    for cell in _with_tags_alone(notebook).cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def run(
    source: str | Path,
    output: str | Path,
    values: dict[str, Any],
    *,
    where: str | Path = "params.yaml",
    scratch: str | Path = "scratch",
    bar: bool = False,
) -> NotebookNode:
    """Execute ``source`` with ``values`` and, where it declares one, the parameter ``output``; leave the folder
    ``output`` with everything the notebook wrote there and the executed notebook as ``notebook.ipynb``. ``bar`` shows a
    bar of its cells in place of its stderr.

    Raises InputError for an unknown name, a wrong type, a folder that no stage wrote or one that another run is making,
    RuntimeError when the notebook fails; then ``output`` is untouched and the executed copy and the traceback lie under
    ``scratch/failed``.
    """
    import papermill

    source, output, scratch = Path(source), Path(output), Path(scratch)
    notebook = bare(read(source))
    known = parameters.declared(notebook, where=source)
    values = parameters.gathered(values, known)
    parameters.check(values, known, where=where)
    if not made_here(output, "notebook.ipynb"):
        raise InputError("a new folder, or one that a stage wrote", "a folder of other things", where=output)

    name = "-".join(output.parts[-2:])
    draft = scratch / "running" / name  # a fixed name: the path shows in the executed notebook
    draft.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(draft.with_name(f"{name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError("one run at a time of a stage", "another that is running", where=output) from error
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    failed = scratch / "failed" / name
    shutil.rmtree(failed, ignore_errors=True)
    kept = draft / "notebook.ipynb"
    logging.getLogger("papermill").setLevel(logging.ERROR)
    logging.getLogger("blib2to3").setLevel(logging.ERROR)
    own = {"output": str(draft)} if "output" in known else {}
    before = dict(os.environ)
    os.environ.update(_STABLE)  # of the kernel, which inherits it
    try:
        executed = papermill.execute_notebook(
            notebook,
            kept,
            parameters={**values, **own},
            progress_bar={"desc": source.stem, "leave": False} if bar else False,
            request_save_on_cell_execute=True,
            stderr_file=None if bar else sys.stderr,
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],  # its local port at each start, interrupts of nobody
        )
        _check_finished(executed)
        stable = _stable(executed, old=str(draft), new=str(output))
        with whole(kept) as file:
            nbformat.write(stable, file)
        with whole(output, replace_folder=True) as final:
            shutil.move(draft, final)
        return stable
    except BaseException as error:
        with suppress(OSError):  # of a full disk, which is the error already
            failed.mkdir(parents=True)
            (failed / "traceback.txt").write_text(_plain("".join(traceback.format_exception(error))))
            if kept.is_file():
                shutil.move(kept, failed / "notebook.ipynb")
        shutil.rmtree(draft, ignore_errors=True)
        if not isinstance(error, Exception):
            raise
        raise RuntimeError(f"{source.name} failed: {_reason(error)}; see {failed}") from error
    finally:  # else a person's own notebook would show its progress as a stage does
        os.environ.clear()
        os.environ.update(before)
        lock.release()


def upstream(stage: str, **values: Any) -> str:
    """The output folder of ``stage`` for a notebook that is run by itself: the stage's notebook at its defaults, run
    once and kept under ``scratch/tour`` until eqlib, the cells of that notebook or those of an earlier one change.
    ``values`` change single parameters."""
    root = repository()
    found = sorted(root.glob(f"notebooks/[0-9][0-9]_{stage}.ipynb"))
    if len(found) != 1:
        raise InputError("the name of a stage with a notebook", stage)
    digest = hashlib.sha256(content_hash(sorted(root.glob("eqlib/**/*.py"))).encode())
    for path in sorted(root.glob("notebooks/*.ipynb")):
        if path <= found[0]:
            digest.update(nbformat.writes(bare(read(path))).encode())
    leaf = re.sub(r"\W+", "-", "-".join(map(str, values.values()))) or "default"
    kept = Path("scratch") / "tour" / stage
    output = kept / digest.hexdigest()[:10] / leaf
    if not (root / output / "notebook.ipynb").is_file():
        person = "EQLIB_STAGE" not in os.environ
        run(found[0], root / output, values, where=f"upstream({stage!r})", scratch=root / "scratch", bar=person)
        for old in sorted((root / kept).iterdir(), key=lambda folder: folder.stat().st_mtime)[:-TOURS]:
            shutil.rmtree(old, ignore_errors=True)
    return str(output)


def _check_finished(notebook: NotebookNode) -> None:
    """papermill takes ``sys.exit(0)`` and a killed kernel for success: every code cell must have run, without error."""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        if any(output.output_type == "error" for output in cell.outputs):
            raise RuntimeError(f"cell {index} ended the notebook")
        if cell.execution_count is None and cell.source.strip():
            raise RuntimeError(f"cell {index} never ran")


def _stable(notebook: NotebookNode, *, old: str, new: str) -> NotebookNode:
    for index, cell in enumerate(_with_tags_alone(notebook).cells):
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = "injected-parameters"
        cell.source = cell.source.replace(old, new)
        if cell.cell_type != "code":
            continue
        cell.outputs = _joined(output for output in cell.outputs if output.get("name") != "stderr")
        for output in cell.outputs:
            output.pop("execution_count", None)
            if "image/jpeg" in output.get("data", {}):  # a PIL image comes as both; the JPEG is a quarter of the bytes
                output.data.pop("image/png", None)
            if output.output_type == "execute_result":
                output.execution_count = cell.execution_count
            if "text" in output:
                output.text = _ADDRESS.sub("", output.text).replace(old, new)
            for kind, value in output.get("data", {}).items():
                if kind.startswith("text/") and isinstance(value, str):
                    output.data[kind] = _ADDRESS.sub("", value).replace(old, new)
        cell.execution_count = cell.execution_count and index + 1
    return notebook


def _joined(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """What a cell prints in one piece: where the kernel flushes it depends on how busy the machine is."""
    joined: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream" and joined and joined[-1].output_type == "stream":
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _with_tags_alone(notebook: NotebookNode) -> NotebookNode:
    """Of the metadata only the cells' tags stay: versions, timings and editors' settings differ between machines."""
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = {"tags": tags} if tags else {}
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _reason(error: BaseException) -> str:
    name, value = getattr(error, "ename", type(error).__name__), getattr(error, "evalue", str(error))
    return _plain(f"{name}: {value}".strip())


def _values(arguments: list[str]) -> dict[str, Any]:
    if len(arguments) % 2 or any(not name.startswith("--") for name in arguments[::2]):
        raise InputError("pairs `--name value`", " ".join(arguments))
    return {
        name[2:].replace("-", "_"): parameters.literal(value)
        for name, value in zip(arguments[::2], arguments[1::2], strict=True)
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m eqlib.study.notebook", description="Run a notebook as a stage.")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("run", help="execute one notebook; further `--name value` pairs set single parameters")
    one.add_argument("source", type=Path)
    one.add_argument("--output", type=Path, required=True, help="the stage's output folder")
    one.add_argument(
        "--params", action="append", default=[], help="section of params.yaml, or file:section; a later one wins"
    )
    copy = commands.add_parser("bare", help="copy notebooks without outputs, or stdin to stdout")
    copy.add_argument("source", type=Path, nargs="?")
    copy.add_argument("output", type=Path, nargs="?")
    options, rest = parser.parse_known_args(arguments)
    try:
        if options.command == "bare" and options.output is None:
            print(nbformat.writes(bare(nbformat.read(sys.stdin, as_version=4))))
        elif options.command == "bare":
            for path in sorted(options.source.glob("*.ipynb")):
                with whole(options.output / path.name) as file:
                    nbformat.write(bare(read(path)), file)
        else:
            end_with_dvc()
            values: dict[str, Any] = {}
            for name in options.params:
                file, colon, section = name.rpartition(":")
                values |= parameters.section(file if colon else "params.yaml", section)
            run(options.source, options.output, values | _values(rest))
    except (InputError, RuntimeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
