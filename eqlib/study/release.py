"""What to upload to an archive that gives a DOI: ``python -m eqlib.study.release`` writes dist/eqlib-VERSION.

The wheel, reports/, params.yaml, dvc.lock, CITATION.cff, the fine-tuned models as safetensors with a card each, and the
SHA-256 of every file, in the form of ``sha256sum``. Refused where a stage of the study is not up to date.
"""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML

from eqlib.errors import InputError
from eqlib.files import content_hash, made_here, read_json, read_text, whole
from eqlib.study.command import command

SCORES = ("text", "image", "group", "group_match")
LOADS = {
    "open_clip": 'import open_clip\n\nmodel = open_clip.create_model("local-dir:models/{name}")',
    "transformers": 'from eqlib.models.clip import load\n\nmodel = load("models/{name}").model',
}


def release(root: str | Path = ".") -> Path:
    """The bundle's folder, ``root``/dist/eqlib-VERSION; one that was made before is replaced.

    Raises InputError where build/ is missing, a stage is not up to date, or CITATION.cff names another version.
    """
    root = Path(root)
    version = tomllib.loads(read_text(root / "pyproject.toml"))["project"]["version"]
    cited = YAML(typ="safe").load(read_text(root / "CITATION.cff")).get("version")
    if str(cited) != version:
        raise InputError(f"{version}, as in pyproject.toml", str(cited), where="CITATION.cff", row="version")
    if not (runs := sorted(root.glob("build/finetune/*/metrics.json"))):
        raise InputError("the study's models (make study)", "none in build/finetune", where=root)
    if stale := stale_stages(root):
        raise InputError("a study that is up to date (make study)", f"stale: {', '.join(stale)}", where="dvc status")
    target = root / "dist" / f"eqlib-{version}"
    with whole(target, replace_folder=made_here(target, "SHA256SUMS")) as draft:
        draft.mkdir()
        shutil.copytree(root / "reports", draft / "reports")
        for name in ("params.yaml", "dvc.lock", "CITATION.cff", "LICENSE"):
            shutil.copy(root / name, draft)
        _wheel(root, draft)
        for run in (path.parent for path in runs):
            shutil.copytree(run / "model", draft / "models" / run.name)
            (draft / "models" / run.name / "README.md").write_text(card(root, run, version), encoding="utf-8")
        paths = sorted(path for path in draft.rglob("*") if path.is_file())
        lines = [f"{content_hash(path)}  {path.relative_to(draft).as_posix()}\n" for path in paths]
        (draft / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
    return target


def stale_stages(root: Path) -> list[str]:
    """Stages that `dvc status` calls changed; those that are looked at in every run are called so for nothing else."""
    done = subprocess.run([sys.executable, "-m", "dvc", "status", "--json"], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise InputError("an answer of dvc status", done.stderr.strip().partition("\n")[0], where=root)
    return [stage for stage, changes in json.loads(done.stdout).items() if changes != ["always changed"]]


def card(root: Path, run: Path, version: str) -> str:
    """The model's README.md, with the front matter that model hubs read."""
    params = YAML(typ="safe").load(read_text(root / "params.yaml"))
    trained, recipe = read_json(run / "metrics.json"), read_json(run / "run.json")["recipe"]
    suite, init = params["compare"]["primary"], params["pretrain"]["init"]
    own = init.endswith(".json")  # new weights; any other name is someone's model
    library = "open_clip" if (run / "model/open_clip_config.json").is_file() else "transformers"
    table = pd.read_csv(root / "build/compare/summary.csv")
    table = table[(table.method == trained["method"]) & (table.suite == suite) & table.subset.isin(["micro", "all"])]
    rows = table.drop_duplicates("score").set_index("score")
    if missing := set(SCORES) - set(rows.index):
        raise InputError(f"scores of {trained['method']} on {suite}", f"no {min(missing)}", where="build/compare")
    first, percent = rows.iloc[0], rows.loc[list(SCORES), ["point", "low", "high"]].mul(100).to_numpy()
    manifest = root / params["data"]["data_root"] / "manifest.json"
    edition = read_json(manifest)["edition"] if manifest.is_file() else params["data"]["captions"]
    terms = "" if own else f"The terms of `{init}` and of the training data apply."
    return (
        (Path(__file__).parent / "release.card.md")
        .read_text(encoding="utf-8")
        .format(
            **{key: trained[key] for key in ("method", "seed", "images", "weights")},
            **{key: recipe[key] for key in ("steps", "batch", "lr")},
            **{key: int(first[key]) for key in ("n", "seeds")},
            license="apache-2.0" if own else "other",
            library=library,
            version=version,
            name=run.name,
            settings=json.dumps(trained["settings"], sort_keys=True),
            data=f"{edition}, SHA-256 {read_json(root / 'build/sets/train.json')['content']['train']}",
            init=init,
            pretrained=params["pretrain"]["steps"],
            level=100 * first["level"],
            suite=suite,
            edition=first["edition"],
            values=" | ".join(f"{point:.1f} [{low:.1f}, {high:.1f}]" for point, low, high in percent),
            terms=terms,
            load=LOADS[library].format(name=run.name),
        )
    )


def _wheel(root: Path, folder: Path) -> None:
    """The package, its times those of the last commit, so that the same code gives the same bytes."""
    git = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=root, capture_output=True, text=True)
    time = {"SOURCE_DATE_EPOCH": git.stdout.strip() or "315532800"}  # 1980, where a zip's calendar begins
    code = "import sys; from flit_core.buildapi import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(folder.resolve())], cwd=root, check=True, env=time | os.environ)


@command
def main() -> int:
    print(release())
    return 0


if __name__ == "__main__":
    sys.exit(main())
