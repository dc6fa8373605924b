"""No process outlives the one that it works for: a killed one cannot stop those that it started."""

import os
import threading
import time
from pathlib import Path

import psutil


def end_with(process: int) -> None:
    """From now on this process ends, by SIGTERM and five seconds later at once, when ``process`` (a number) is gone."""
    parent = psutil.Process(process)

    def watch() -> None:
        try:
            while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.5)
        except psutil.NoSuchProcess:
            pass
        psutil.Process().terminate()
        time.sleep(5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def end_with_dvc() -> None:
    """`end_with` the DVC that runs this stage, and the jobs that run DVC, where they do; shells may stand between."""
    for above in psutil.Process().parents():
        if any(Path(word).name in ("dvc", "eqlib.study.jobs") for word in above.cmdline()[:3]):
            end_with(above.pid)
