"""The runner: real kernels, real failures."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from filelock import FileLock

from eqlib.errors import InputError
from eqlib.study.notebook import bare, main, read, run, upstream

PARAMETERS = 'output: str = "nowhere"\nsteps: int = 2\nname: str | None = None'


def write(path, *sources):
    cells = [nbformat.v4.new_code_cell(PARAMETERS, id="parameters", metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell(source, id=f"cell-{n}") for n, source in enumerate(sources)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("EQLIB_STAGE", "SOURCE_DATE_EPOCH", "PYTHONHASHSEED"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # the runner sets them: put back afterwards
    return tmp_path


def test_two_runs_are_the_same_to_the_byte(here):
    source = write(
        here / "n.ipynb",
        "import sys, time\nprint(object(), output)\nprint(time.time(), file=sys.stderr)\n{'steps': steps}",
        "import matplotlib.pyplot as plt\nplt.plot([0, steps])",
        "open(output + '/kept.txt', 'w').write('x')",
    )
    digests = []
    for _ in range(2):
        run(source, here / "out" / "stage", {"steps": 5})
        digests.append(hashlib.sha256((here / "out/stage/notebook.ipynb").read_bytes()).hexdigest())
    assert digests[0] == digests[1]
    assert (here / "out/stage/kept.txt").read_text() == "x"
    text = (here / "out/stage/notebook.ipynb").read_text()
    assert "{'steps': 5}" in text
    assert '"name": "stderr"' not in text
    assert "running" not in text  # the draft's name is nowhere
    assert sorted(p.name for p in (here / "out").iterdir()) == ["stage"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise ValueError('three cups')", "ValueError: three cups"),
        ("import sys; sys.exit(0)", "ended the notebook"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "Kernel died"),
    ],
    ids=["error", "exit", "kill"],
)
def test_a_failed_notebook_leaves_its_copy_and_no_output(here, source, reason):
    before = here / "out" / "stage"
    before.mkdir(parents=True)
    (before / "notebook.ipynb").write_text("old")
    path = write(here / "n.ipynb", "open(output + '/half.txt', 'w').write('half')", source, "print('after')")
    with pytest.raises(RuntimeError, match=reason):
        run(path, before, {})
    assert [p.name for p in before.iterdir()] == ["notebook.ipynb"]  # as it was
    assert (before / "notebook.ipynb").read_text() == "old"
    failed = here / "scratch/failed/out-stage"
    assert "Traceback" in (failed / "traceback.txt").read_text()
    assert "half.txt" in (failed / "notebook.ipynb").read_text()
    assert not (here / "scratch/running/out-stage").exists()


def test_a_picture_is_kept_once(here):
    source = write(here / "n.ipynb", "from PIL import Image\nImage.new('RGB', (8, 8), 'red')")
    shown = run(source, here / "out", {}).cells[-1].outputs[0].data
    assert "image/jpeg" in shown
    assert "image/png" not in shown


def test_wrong_values_stop_before_a_kernel_starts(here):
    source = write(here / "n.ipynb", "raise AssertionError('the kernel ran')")
    (here / "mine").mkdir()
    (here / "mine" / "letter.txt").touch()
    with pytest.raises(InputError, match="mine: expected a new folder, or one that a stage wrote"):
        run(source, here / "mine", {})
    with pytest.raises(InputError, match=r"steps: expected int, got 'two'"):
        run(source, here / "out", {"steps": "two"})
    with pytest.raises(InputError, match="got `stpes`"):
        run(source, here / "out", {"stpes": 3})
    assert not (here / "out").exists()


def test_a_second_run_of_one_stage_is_refused_while_the_first_goes_on(here):
    source = write(here / "n.ipynb", "1 + 1")
    (here / "scratch" / "running").mkdir(parents=True)
    with (
        FileLock(here / "scratch/running/out-stage.lock"),
        pytest.raises(InputError, match="out/stage: expected one run at a time of a stage"),
    ):
        run(source, here / "out" / "stage", {})
    run(source, here / "out" / "stage", {})


def test_a_full_disk_is_one_line_that_names_the_file(here, capfd):
    code = "from eqlib.files import whole\nwith whole(output + '/table.csv'), open('/dev/full', 'wb', 0) as file:\n"
    code += "    file.write(b'x')"
    write(here / "n.ipynb", code)
    assert main(["run", "n.ipynb", "--output", "out/x"]) == 1
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error:")]
    assert "no space left on the disk: 'scratch/running/out-x/table.csv'" in line
    assert not (here / "out").exists()


def test_a_token_of_the_environment_is_in_no_output(here, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "a-secret-of-mine")
    run(write(here / "n.ipynb", "1 + 1"), here / "out", {})
    with pytest.raises(RuntimeError):
        run(write(here / "bad.ipynb", "1 / 0"), here / "bad", {})
    files = [path for path in here.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not [path for path in files if b"a-secret-of-mine" in path.read_bytes()]


def test_the_command_line_reads_params_and_reports_in_one_line(here, capfd):
    write(here / "n.ipynb", "open(output + '/steps.txt', 'w').write(f'{steps} {name}')")
    (here / "params.yaml").write_text("stage:\n  steps: 7\n  name: a\n")
    assert main(["run", "n.ipynb", "--output", "out/x", "--params", "stage", "--name", "b"]) == 0
    assert (here / "out/x/steps.txt").read_text() == "7 b"
    capfd.readouterr()
    assert main(["run", "n.ipynb", "--output", "out/x", "--params", "stage", "--steps", "many"]) == 1
    assert capfd.readouterr().err == "error: params.yaml, steps: expected int, got 'many' (str)\n"


def test_a_person_goes_on_as_before_and_a_notebook_may_keep_nothing(here):
    """The variables of a stage would turn the progress bars of a person's own notebook into text."""
    path = write(here / "n.ipynb", "import os\nos.environ['EQLIB_STAGE']")
    stored = read(path)
    stored.cells[0].source = "steps: int = 2"  # no `output`
    nbformat.write(stored, path)
    os.environ.pop("EQLIB_STAGE")
    assert run(path, here / "out", {}, bar=True).cells[-1].outputs[0].data["text/plain"] == "'1'"
    assert "EQLIB_STAGE" not in os.environ


def test_bare_copies_drop_outputs_and_keep_tags(here):
    notebook = read(write(here / "n.ipynb", "1 + 1"))
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="2")]
    notebook.cells[1].execution_count = 4
    notebook.cells[1].metadata["collapsed"] = True
    clean = bare(notebook)
    assert clean.cells[0].metadata == {"tags": ["parameters"]}
    assert (clean.cells[1].outputs, clean.cells[1].execution_count, clean.cells[1].metadata) == ([], None, {})


def test_a_saved_notebook_leaves_git_clean(here, root):
    """The filter of .gitattributes, as the Makefile sets it up, with this Python in the place of .venv's."""
    line = next(line for line in (root / "Makefile").read_text().splitlines() if "filter.bare.clean" in line)
    clean = line.split("'")[1].replace(".venv/bin/python", sys.executable)
    (here / "notebooks").mkdir()
    path = write(here / "notebooks/10_one.ipynb", "1 + 1")
    nbformat.write(bare(read(path)), path)
    (here / ".gitattributes").write_text((root / ".gitattributes").read_text())

    def git(*words):
        return subprocess.run(["git", *words], cwd=here, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    git("config", "filter.bare.clean", clean)
    git("add", ".")
    saved = read(path)
    saved.cells[1].outputs = [nbformat.v4.new_output("stream", text="2")]
    saved.metadata["language_info"]["version"] = "3.99"
    nbformat.write(saved, path)
    assert git("diff", "--stat") == ""
    saved.cells[1].source = "1 + 2"
    nbformat.write(saved, path)
    assert "10_one.ipynb" in git("diff", "--stat")


def test_a_file_that_is_no_notebook_is_named(here):
    (here / "n.ipynb").write_text("{")
    with pytest.raises(InputError, match=r"n\.ipynb: expected a notebook"):
        read(here / "n.ipynb")


def test_upstream_refuses_a_stage_without_a_notebook(root, monkeypatch):
    monkeypatch.chdir(root)
    with pytest.raises(InputError, match="the name of a stage"):
        upstream("nothing")


def test_the_tour_is_kept_until_the_sources_before_it_change(here):
    """Saved outputs, and edits of later notebooks or of none, leave what an earlier stage made."""
    (here / "dvc.yaml").touch()
    (here / "notebooks").mkdir()
    first = write(here / "notebooks/10_one.ipynb", "open(output + '/made.txt', 'w').write('x')")
    second = write(here / "notebooks/20_two.ipynb", "pass")
    made = upstream("one")
    assert (here / made / "made.txt").is_file()
    saved = read(first)
    saved.cells[1].outputs, saved.cells[1].execution_count = [nbformat.v4.new_output("stream", text="1")], 3
    nbformat.write(saved, first)
    edited = read(second)
    edited.cells[1].source = "1 + 1"
    nbformat.write(edited, second)
    assert upstream("one") == made
    for number in range(4):
        saved.cells[1].source = f"open(output + '/made.txt', 'w').write('{number}')"
        nbformat.write(saved, first)
        assert upstream("one") != made
    assert len(list((here / "scratch/tour/one").iterdir())) == 3
    assert not (here / made).exists()


def test_an_interrupt_leaves_no_output(here):
    write(here / "n.ipynb", "import time; open('began', 'w').close(); time.sleep(60)")
    process = subprocess.Popen(
        [sys.executable, "-m", "eqlib.study.notebook", "run", "n.ipynb", "--output", "out"],
        cwd=here,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in what a shell starts with `&`
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (here / "began").is_file():  # the cell itself says that it runs
        time.sleep(0.2)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) != 0
    assert not (here / "out").exists()


def test_every_notebook_is_stored_bare(root):
    for path in sorted(root.glob("notebooks/*.ipynb")):
        stored = json.loads(path.read_text())
        code = [cell for cell in stored["cells"] if cell["cell_type"] == "code"]
        assert not any(cell["outputs"] or cell["execution_count"] for cell in code), path.name
        assert len(stored["cells"]) <= 25, path.name
        assert nbformat.writes(bare(read(path))) == path.read_text().rstrip("\n"), path.name  # what git's filter writes
