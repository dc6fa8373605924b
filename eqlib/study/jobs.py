"""Stages side by side: ``python -m eqlib.study.jobs 4 [STAGE]``; after it ``dvc repro`` finds nothing left to run.

DVC runs one stage after the other, but several `dvc repro` of single stages may run at once and wait for each other's
locks: this starts each stage when those that it depends on are done. ``--launch`` puts words before a stage's command,
which follows them as one quoted word: ``--launch "sbatch --wait --gpus=1 --wrap"`` gives it to SLURM and waits for it;
``--launch "ssh other sh -c"`` to another machine with the same files. Without it, and with GPUs, each job has one.
"""

import argparse
import os
import shlex
import subprocess
import sys
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
from queue import SimpleQueue


def stages(target: str | None = None) -> dict[str, set[str]]:
    """Each stage that ``target`` (None: the whole study) needs -> those that it depends on, by their names in DVC."""
    from dvc.repo import Repo

    with Repo() as repo:
        graph = repo.index.graph
        needed = repo.stage.collect(target, with_deps=True) if target else graph
        return {stage.addressing: {other.addressing for other in graph.successors(stage)} for stage in needed}


def stale(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """What of ``graph`` has changed, and what depends on that: asking DVC once is quicker than running it for each.
    A stage that is always looked at is no change by itself; `dvc repro` comes to it."""
    from dvc.repo import Repo

    with Repo() as repo:
        found = {name for name, why in repo.status().items() if why != ["always changed"]}
    for name in TopologicalSorter(graph).static_order():
        if graph[name] & found:
            found.add(name)
    return {name: needed & found for name, needed in graph.items() if name in found}


def run(jobs: int, graph: dict[str, set[str]], *, launch: str = "", gpus: int = 0) -> list[str]:
    """Run every stage of ``graph``, at most ``jobs`` at once; the names of those that failed. After a failure no other
    begins, and those that run come to their end."""
    order = TopologicalSorter(graph)
    order.prepare()
    slots: SimpleQueue[int] = SimpleQueue()
    for slot in range(jobs):
        slots.put(slot)

    def one(name: str) -> tuple[str, int]:
        slot = slots.get()
        try:
            command = f"dvc --wait-for-lock repro --quiet --single-item {shlex.quote(name)}"
            more = {"CUDA_VISIBLE_DEVICES": str(slot % gpus)} if gpus else {}
            shell = f"{launch} {shlex.quote(command)}" if launch else command
            return name, subprocess.run(shell, shell=True, env=os.environ | more).returncode
        finally:
            slots.put(slot)

    failed: list[str] = []
    with ThreadPoolExecutor(jobs) as pool:
        running: set[Future[tuple[str, int]]] = set()
        while running or (order.is_active() and not failed):
            running |= {pool.submit(one, name) for name in (order.get_ready() if not failed else ())}
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for name, code in (future.result() for future in done):
                print(f"{name}: {f'exit code {code}' if code else 'done'}", file=sys.stderr)
                failed += [name] if code else []
                order.done(name)
    return failed


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m eqlib.study.jobs", description=__doc__.splitlines()[0])
    parser.add_argument("jobs", type=int, help="stages at once")
    parser.add_argument("stage", nargs="?", help="up to this stage")
    parser.add_argument("--launch", default="", help="words before a stage's command, which is one quoted word")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error("jobs: 1 or more")
    gpus = 0
    if not options.launch:  # else the launcher decides, and a second of torch's start-up is spared
        import torch

        gpus = torch.cuda.device_count()
    failed = run(options.jobs, stale(stages(options.stage)), launch=options.launch, gpus=gpus)
    for name in failed:
        print(f"error: {name} failed; `dvc repro {name}` shows why", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
