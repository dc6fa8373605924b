"""Faults at random moments of a miniature study, each followed by `dvc repro`: `make chaos`, or

    python tests/chaos.py --count 40 --seed 0 --minutes 60 [--target compare] [--folder scratch/chaos]

The miniature is the profile smoke made smaller, in a copy. It is run once; then a fault is drawn, and the study has to
end with the same bytes (dvc.lock, which holds the MD5 of every output, and all files under build/ and reports/), or to
refuse in a line that names a file and the command that mends it, which is then run. After a fault no process may be
left behind, and no file under build/ or reports/ may differ from the whole one. Prints a table; exits 1 for any other
outcome.
"""

import argparse
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
from ruamel.yaml import YAML

from eqlib.study.profile import copy_tree, overlay, write

ROOT = Path(__file__).resolve().parents[1]
HANGS = 1200  # seconds; a pass takes 60 on a quiet machine
MARK = "EQLIB_CHAOS"
SECRET = "a-token-that-no-file-may-hold"
SMALLER = {
    "study": {"methods": ["contrastive", "eqsim"]},
    "scenes": {"pretrain": 64, "train_pairs": 42, "val": 16, "quads_val": 2, "quads_test": 4, "quads_compositional": 2},
    "pretrain": {"batch": 16, "steps": 4, "checkpoint_every": 1},
    "finetune": {"batch": 16, "checkpoint_every": 1},
    "select": {"grids": {"eqsim": [{"variant": ["minimal_pairs"], "weight": [5.0]}]}},
    "compare": {"controls": []},
}
SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "Ctrl-C": signal.SIGINT}


class Study:
    """The miniature in ``folder``; ``whole`` are the SHA-256 of its files and ``took`` the seconds of its stages."""

    def __init__(self, folder: Path, target: str, *, change: dict | None = None, variables: dict | None = None):
        self.folder, self.target = folder.resolve(), target
        self.mark = f"{os.getpid()}-{time.time()}"
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = os.environ | {"PYTHONPATH": str(self.folder), "PATH": path, MARK: self.mark}
        self.environment |= {"OMP_NUM_THREADS": "1", "HF_TOKEN": SECRET} | (variables or {})
        yaml = YAML(typ="safe")
        params = yaml.load(ROOT / "params.yaml")
        for more in (yaml.load(ROOT / "profiles" / "smoke.yaml"), SMALLER, change or {}):
            overlay(params, more, where="chaos")
        params["evaluate"]["cache"] = "scratch/features"
        shutil.rmtree(self.folder, ignore_errors=True)
        copy_tree(ROOT, self.folder)
        write(params, self.folder / "params.yaml")
        (self.folder / ".dvc" / "config.local").write_text("[core]\n    no_scm = true\n")
        begun, output = {"": time.monotonic()}, ""
        with self.start() as process:
            for line in process.stdout:
                output += line
                if found := re.match(r"Running stage '(.*)'", line):
                    begun[found[1]] = time.monotonic()
        if process.returncode:
            sys.exit(f"the miniature does not run by itself: {output[-2000:]}")
        ends = [*list(begun.values())[1:], time.monotonic()]
        self.took = {stage: end - start for (stage, start), end in zip(begun.items(), ends, strict=True) if stage}
        print(f"one pass: {ends[-1] - begun['']:.0f} s", flush=True)
        self.whole, self.lock = self.files(), (self.folder / "dvc.lock").read_bytes()

    def start(self, *options: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "dvc", "repro", *(options or [self.target])]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, start_new_session=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def repro(self, *options: str) -> tuple[int, str]:
        return self.wait(self.start(*options))

    def wait(self, process: subprocess.Popen) -> tuple[int, str]:
        """Exit code and output; 124 for one that hangs."""
        try:
            told, _ = process.communicate(timeout=HANGS)
        except subprocess.TimeoutExpired:
            for one in self.processes():
                one.kill()
            return 124, f"{process.communicate()[0]} HANGS"
        return process.returncode, told

    def files(self) -> dict[str, str]:
        paths = (path for top in ("build", "reports") for path in (self.folder / top).rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(paths)
        }

    def processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                pass
        return found

    def force(self, stage: str) -> subprocess.Popen:
        return self.start("--force", "--single-item", "--no-run-cache", stage)

    def end(self) -> str:
        """Give what was started ten seconds to end; what stays is named and killed."""
        deadline = time.monotonic() + 10
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.2)
        names = [" ".join(process.cmdline()[1:4]) for process in left if process.is_running()]
        for process in left:
            process.kill()
        return f"left behind: {names}" if names else ""

    def torn(self) -> str:
        """Files under build/ and reports/ that are there and other than the whole ones."""
        other = [name for name, digest in self.files().items() if self.whole.get(name) != digest]
        return f"half written: {other[:3]}" if other else ""

    def outcome(self, *options: str) -> str:
        """Of a repair: the same bytes, or a refusal that names a command, the command and the same bytes."""
        code, told = self.repro(*(options or ["--no-run-cache", self.target]))
        mended = ""
        if code:
            refusal = next((line for line in told.splitlines() if "`" in line and "error" in line.lower()), None)
            if refusal is None:
                return f"failed: {told[-600:]}"
            command = re.findall("`([^`]+)`", refusal)[-1]
            command = command.replace("dvc repro", f"dvc repro {self.target}")  # no further than the study goes
            subprocess.run(command, shell=True, cwd=self.folder, env=self.environment, capture_output=True)
            code, told = self.repro(self.target)
            mended = f"refused, mended by `{command}`: "
        if code:
            return f"failed: {told[-600:]}"
        changed = {name for name, digest in self.files().items() if self.whole.get(name) != digest}
        changed |= self.whole.keys() - self.files().keys()
        if changed or (self.folder / "dvc.lock").read_bytes() != self.lock:
            return f"{mended}OTHER BYTES {sorted(changed)[:3]}"
        return f"{mended}same bytes"


# A fault takes the study and a source of random numbers; it returns the stage or file, and what was found.


def killed(study: Study, draw: random.Random, name: str) -> tuple[str, str]:
    (stage,) = draw.choices(list(study.took), weights=list(study.took.values()))  # any moment of a pass is as likely
    process = study.force(stage)
    time.sleep(draw.uniform(1, max(2.0, study.took[stage])))
    if name == "Ctrl-C":
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
    else:
        victims = study.processes()
        victim = draw.choice(victims) if victims else process
        with suppress(psutil.NoSuchProcess):
            victim.send_signal(SIGNALS[name])
        try:  # a worker's death need not end its stage; DVC's does
            process.communicate(timeout=2)
        except subprocess.TimeoutExpired:
            process.send_signal(SIGNALS[name])
    _, told = study.wait(process)
    left, torn = study.end(), study.torn()
    said = "KeyboardInterrupt caught" if name != "Ctrl-C" and "KeyboardInterrupt caught" in told else ""
    return stage, "; ".join(filter(None, [left, torn, said, study.outcome()]))


def full_disk(study: Study, draw: random.Random) -> tuple[str, str]:
    """A small file system in the place of scratch/; where none may be mounted, no file may be large."""
    stage = draw.choice([stage for stage in study.took if stage.split("@")[0] in ("scenes", "pretrain", "finetune")])
    scratch, kept = study.folder / "scratch", study.folder / "kept"
    scratch.rename(kept)
    scratch.mkdir()
    mounted = not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", scratch], capture_output=True
    ).returncode
    if not mounted:
        scratch.rmdir()
        kept.rename(scratch)
        return stage, "skipped: nothing can be mounted"
    code, told = study.repro("--force", "--single-item", "--no-run-cache", stage)
    left, torn = study.end(), study.torn()
    subprocess.run(["umount", scratch], check=True)
    scratch.rmdir()
    kept.rename(scratch)
    lines = [line for line in told.splitlines() if "no space left" in line.lower() and "scratch/" in line]
    named = "" if code and lines else f"no file named: {told[-600:]}"
    return stage, "; ".join(filter(None, [left, torn, named, study.outcome()]))


def cut_checkpoint(study: Study, draw: random.Random) -> tuple[str, str]:
    stage = draw.choice([stage for stage in study.took if stage.split("@")[0] in ("pretrain", "finetune")])
    process = study.force(stage)
    places = study.folder / "scratch" / "checkpoints"
    while process.poll() is None and not list(places.glob("*/step-*/state.pt")):
        time.sleep(0.02)
    for one in study.processes():
        one.kill()
    process.communicate()
    newest = sorted(places.glob("*/step-*"))[-1:]
    for folder in newest:
        path = draw.choice([path for path in folder.rglob("*") if path.is_file() and path.stat().st_size > 100])
        if draw.random() < 0.5:
            os.truncate(path, draw.choice([0, path.stat().st_size // 2]))
        else:
            flip(path, draw)
    found = study.outcome()
    return stage, found if newest else f"no checkpoint was there in time; {found}"


def flip(path: Path, draw: random.Random) -> None:
    """One bit of one byte, by a disk that tells nobody."""
    before = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(draw.randrange(before.st_size))
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1 << draw.randrange(8)]))
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def objects(study: Study) -> list[Path]:
    return sorted(path for path in study.folder.glob(".dvc/cache/files/md5/*/*") if path.stat().st_size)


def copies(study: Study, path: Path) -> list[Path]:
    content = path.read_bytes()
    places = (place for top in ("build", "data") for place in (study.folder / top).rglob("*"))
    return [place for place in places if place.is_file() and place.read_bytes() == content]


def object_removed(study: Study, draw: random.Random) -> tuple[str, str]:
    path = draw.choice([path for path in objects(study) if copies(study, path)])
    found = copies(study, path)
    for one in (path, *found):
        one.unlink()
    return str(found[0].relative_to(study.folder)), study.outcome(study.target)


def object_damaged(study: Study, draw: random.Random) -> tuple[str, str]:
    """As `make study` begins. The copies are gone, as in another clone, and DVC takes the object in their place."""
    path = draw.choice([path for path in objects(study) if copies(study, path)])
    found = copies(study, path)
    flip(path, draw)
    for one in found:
        one.unlink()
    study.repro(study.target)
    subprocess.run([sys.executable, "-m", "eqlib.study.mend"], cwd=study.folder, env=study.environment, check=True)
    return str(found[0].relative_to(study.folder)), study.outcome(study.target)


def model_damaged(study: Study, draw: random.Random) -> tuple[str, str]:
    """An object of DVC's cache, which is then restored; evaluate has to refuse it."""
    stage = draw.choice([stage for stage in study.took if stage.startswith("evaluate")])
    run = stage.partition("@")[2]
    model = (
        study.folder
        / (f"build/finetune/{run}" if "pretrained" not in stage else f"build/pretrain/{run}")
        / "model/open_clip_model.safetensors"
    )
    md5 = hashlib.md5(model.read_bytes()).hexdigest()
    flip(study.folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:], draw)
    model.unlink()
    study.repro(study.target)
    return stage, study.outcome("--force", "--single-item", "--no-run-cache", stage)


def flipped(study: Study, draw: random.Random, pattern: str, *options: str) -> tuple[str, str]:
    """A byte in a file that stages read; DVC sees that it was written."""
    paths = [path for path in sorted(study.folder.glob(pattern)) if path.is_file() and path.stat().st_size]
    if not paths:
        return pattern, "skipped: no such file"
    path = draw.choice(paths)
    flip(path, draw)
    os.utime(path)
    for option in options:
        study.repro("--force", "--single-item", "--no-run-cache", option)
    return str(path.relative_to(study.folder)), study.outcome(study.target)


def evaluations(study: Study) -> list[str]:
    return [stage for stage in study.took if stage.startswith("evaluate")]


def two_at_once(study: Study, draw: random.Random) -> tuple[str, str]:
    stage = draw.choice([stage for stage in study.took if stage.startswith(("scenes", "evaluate"))])
    first = study.force(stage)
    time.sleep(study.took[stage] / 2)
    code, told = study.repro("--force", "--single-item", "--no-run-cache", stage)
    first.communicate()
    clear = not code or re.search("busy|lock|one run at a time", told)
    return stage, "; ".join(filter(None, ["" if clear else f"unclear: {told[-300:]}", study.outcome()]))


FAULTS = {
    **{name: lambda study, draw, name=name: killed(study, draw, name) for name in SIGNALS},
    "full disk": full_disk,
    "checkpoint cut or flipped": cut_checkpoint,
    "cached object removed": object_removed,
    "cached object damaged": object_damaged,
    "cached model damaged": model_damaged,
    "byte of a feature file": lambda s, d: flipped(s, d, "scratch/features/*/*", *evaluations(s)),
    "byte of a model": lambda s, d: flipped(s, d, "build/pretrain/*/model/*.safetensors"),
    "byte of a picture": lambda s, d: flipped(s, d, "data/captions/*.tar"),
    "byte of a quads file": lambda s, d: flipped(s, d, "data/quads/*.json"),
    "two at once": two_at_once,
}
NEEDS = {"cached model damaged": "evaluate-pretrained@0", "byte of a feature file": "evaluate@eqsim-0",
         "checkpoint cut or flipped": "pretrain@0"}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=40, help="how many faults; the kinds in turn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=60, help="no fault begins later")
    parser.add_argument("--target", default="report", help="the stage up to which the study runs")
    parser.add_argument("--kinds", help="of the faults, with commas between")
    parser.add_argument("--folder", type=Path, default=ROOT / "scratch" / "chaos")
    options = parser.parse_args()
    started = time.monotonic()
    study = Study(options.folder, options.target)
    kinds = [kind for kind in FAULTS if NEEDS.get(kind, "scenes") in study.took]
    kinds = options.kinds.split(",") if options.kinds else kinds
    bad = 0
    print(f"{'fault':28}{'stage or file':46} outcome", flush=True)
    for number in range(options.count):
        if time.monotonic() - started > 60 * options.minutes:
            print(f"the time is up after {number} of {options.count}")
            break
        kind = kinds[number % len(kinds)]
        where, outcome = FAULTS[kind](study, random.Random(f"{options.seed} {number}"))
        fine = re.fullmatch("(refused, mended by `.*`: )?same bytes|(no checkpoint.*; )same bytes|skipped.*", outcome)
        bad += not fine
        print(f"{kind:28}{where:46} {'' if fine else 'BAD: '}{outcome}", flush=True)
        if not fine:  # the next fault finds a whole study
            study.repro(study.target)
    told = [name for name in study.files() if SECRET.encode() in (study.folder / name).read_bytes()]
    print(f"{bad} bad; {len(told)} files under build/ and reports/ hold the token of the environment")
    return 1 if bad or told else 0


if __name__ == "__main__":
    sys.exit(main())
