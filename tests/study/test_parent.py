"""A killed process leaves none behind."""

import os
import subprocess
import sys
import time

import psutil
import pytest

POOL = """
import sys, time
from eqlib.study.scenes.workers import Workers
def wait(number):
    print("started", flush=True)
    time.sleep(600)
if __name__ == "__main__":
    with Workers(2) as pool:
        list(pool.run(wait, 32, "waiting"))
"""
RANK = """
import os, subprocess, sys
rank = "from eqlib.study.parent import end_with; end_with(int(os.environ['EQLIB_PARENT'])); "
rank = "import os, time; " + rank + "print('started', flush=True); time.sleep(600)"
launcher = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
os.environ["EQLIB_PARENT"] = str(os.getpid())
subprocess.run([sys.executable, "-c", launcher, rank])
"""


@pytest.mark.parametrize(("code", "started"), [(POOL, 2), (RANK, 1)], ids=["pool", "launcher"])
def test_nobody_works_on_for_a_killed_process(tmp_path, code, started):
    (tmp_path / "killed.py").write_text(code)
    with subprocess.Popen([sys.executable, tmp_path / "killed.py"], stdout=subprocess.PIPE, text=True) as process:
        for _ in range(started):
            assert process.stdout.readline() == "started\n"
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= started
        process.kill()
        process.wait()
        _, left = psutil.wait_procs(children, timeout=15)
    left = [one for one in left if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    for one in left:
        one.kill()
    assert not left


@pytest.mark.parametrize("killed", ["dvc", "eqlib.study.jobs"])
def test_a_stage_ends_with_its_dvc_and_with_the_jobs(tmp_path, killed):
    """Scripts of these names stand for what starts a stage, with shells between."""
    stage = "from eqlib.study.parent import end_with_dvc; end_with_dvc(); print('started', flush=True); "
    (tmp_path / "stage.py").write_text(stage + "import time; time.sleep(600)")
    starts = "import subprocess, sys; subprocess.run(' '.join(sys.argv[1:]) + '; true', shell=True)"
    for name in ("dvc", "eqlib.study.jobs"):
        (tmp_path / name).write_text(starts)
    command = [sys.executable, "eqlib.study.jobs", sys.executable, "dvc", sys.executable, "stage.py"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout.readline() == "started\n"
        everyone = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        (one,) = (one for one in everyone if one.cmdline()[1:2] == [killed])
        (working,) = (one for one in everyone if one.cmdline()[1:] == ["stage.py"])
        os.kill(one.pid, 9)
        deadline = time.monotonic() + 15
        while working.is_running() and working.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        process.kill()
