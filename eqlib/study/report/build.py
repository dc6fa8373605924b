"""Write the report from what the stages left: ``python -m eqlib.study.report.build``.

Under ``--output`` (default reports/): index.html, report.pdf, browser.html, metrics.json, headline.json,
provenance.json, figures/, tables/, scenes/, notebooks/. Each is written whole; run twice on the same input it gives the
same bytes.
"""

import argparse
import logging
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd

from eqlib.errors import InputError
from eqlib.files import made_here, read_text, whole, write_json
from eqlib.study.evaluation.kinds import MEASURES
from eqlib.study.parameters import section
from eqlib.study.report import browser, render
from eqlib.study.report.content import gather
from eqlib.study.report.elsewhere import headline_of
from eqlib.study.report.notebooks import body, linked
from eqlib.study.report.provenance import provenance
from eqlib.study.report.study import PRETRAINED, Study, read_study
from eqlib.study.training.data import read_suites

log = logging.getLogger(__name__)

KINDS = {"figures": (".pdf", ".png"), "tables": (".csv", ".md", ".tex")}
"""What a reader gets of each folder; the words beside them (JSON) are in the page already."""


PROFILES = Path("profiles")
"""Folders of what longer runs reported, NAME/headline.json."""


def build(study: Study, build: Path, output: Path, *, data: Path, params: Path, sources: Path) -> None:
    """Write the report of ``study`` from the stage folders under ``build``. ``sources``: the notebooks' folder. Raises
    InputError where ``output`` is a folder of anything but an earlier report: its parts would be replaced."""
    if not made_here(output, "index.html"):
        raise InputError("a new folder, or one with a report", "a folder of other things", where=output)
    executed = notebooks(build, sources, study)
    compared = [build / "compare" / f"{name}.csv" for name in ("summary", "differences", "models")]
    tables = [*sorted((build / "compare" / "items").glob("*.parquet")), *compared]
    code = {"eqlib": Path(__file__).parents[2], "notebooks": sources, "profiles": PROFILES, "params.yaml": params}
    facts = provenance(code=code, data=data, tables=tables)
    pages = {study.main: "browser.html"} | {name: f"browser-{name}.html" for name in study.others}
    pages = {name: address for name, address in pages.items() if name in study.suites}
    content = gather(study, build, facts=facts, parameters=read_text(params), profiles=PROFILES)
    shown = {
        f"{kind}-{words['name']}": f"{kind.capitalize()} {number}. {words['title']}"
        for kind, these in (("figure", content.figures), ("table", content.tables))
        for number, words in enumerate(these, 1)
    }
    places = {name: f"notebooks/{name}.ipynb" for name in executed}
    bodies = [body(path, name, shown) for name, path in executed.items()]
    bodies = [replace(one, html=linked(one.html, places)) for one in bodies]
    cells = {anchor: (one.name, cell) for one in bodies for anchor, cell in one.made.items()}
    content = replace(content, cells={anchor: cells[anchor] for anchor in shown if anchor in cells})
    printed = render.pdf(content, build)
    page = render.html(content, build, notebooks=bodies, browser=next(iter(pages.values()), ""))
    _write(output / "index.html", page)
    with whole(output / "report.pdf") as draft:
        draft.write_bytes(printed)
    if study.main not in pages:
        log.warning("item browser left out: no pictures for suite %s", study.main)
    for name, address in pages.items():
        items, others = study.others.get(name, study.of()), pages if len(pages) > 1 else {}
        _write(output / address, browser.render(study.suites[name], items, report="index.html", pages=others))
    write_json(output / "metrics.json", metrics(study.summary))
    write_json(output / "headline.json", headline_of(study))
    write_json(output / "provenance.json", facts)
    for name, kinds in KINDS.items():
        with whole(output / name, replace_folder=True) as draft:
            draft.mkdir()
            for words in getattr(content, name):
                for kind in kinds:
                    shutil.copyfile(build / f"{words['file']}{kind}", draft / f"{words['name']}{kind}")
    if (build / "scenes" / "sheets").is_dir():  # the drawn benchmark's contact sheets
        with whole(output / "scenes", replace_folder=True) as draft:
            shutil.copytree(build / "scenes" / "sheets", draft)
    with whole(output / "notebooks", replace_folder=True) as draft:
        draft.mkdir()
        for name, path in executed.items():
            shutil.copyfile(path, draft / f"{name}.ipynb")


def notebooks(build: Path, sources: Path, study: Study) -> dict[str, Path]:
    """Name to executed notebook, in the order of ``sources``; of a matrix stage the treatment's first seed.

    A notebook's stage is the folder that its name ends with: finetune of 30_finetune, by_hand of 05_eqsim_by_hand.
    """
    runs = [f"{method}-{seed}" for method in (study.treatment, study.baseline, PRETRAINED) for seed in study.seeds[:1]]
    runs += map(str, study.starts[:1])
    found = {}
    for source in sorted(sources.glob("[0-9][0-9]_*.ipynb")):
        stages = [folder for folder in sorted(build.iterdir()) if source.stem.endswith(f"_{folder.name}")]
        places = [stage / run / "notebook.ipynb" for stage in stages for run in ("", *runs)]
        if place := next((path for path in places if path.is_file()), None):
            found[source.stem] = place
    return found


def metrics(summary: pd.DataFrame) -> dict:
    """suite -> method -> score -> percent over the whole suite, rounded to 0.01: what ``dvc metrics diff`` shows."""
    keys = {(measure.score, measure.subset): measure.key for measure in MEASURES}
    nested: dict = {}
    for row in summary.itertuples():
        if key := keys.get((row.score, row.subset)):
            scores = nested.setdefault(str(row.suite), {}).setdefault(str(row.method), {})
            scores[key] = round(100 * float(row.point), 2)
    return nested


def _write(path: Path, text: str) -> None:
    with whole(path) as draft:
        draft.write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m eqlib.study.report.build", description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=Path("build"), help="folder of the stages' outputs")
    parser.add_argument("--notebooks", type=Path, default=Path("notebooks"), help="the notebooks in reading order")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="sections `study` and `data`; printed")
    parser.add_argument("--output", type=Path, default=Path("reports"))
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        chosen, data = (section(given.params, name) for name in ("study", "data"))
        root = Path(data["data_root"])
        study = read_study(
            given.build / "compare",
            finetune=given.build / "finetune",
            suites=read_suites(root, data["suites"]),
            baseline=chosen["baseline"],
            validation=data["validation"],
            selection=given.build / "select" / "selection.csv",
            path=given.build / "tradeoff" / "path.csv",
            starts=chosen["starts"],
        )
        build(study, given.build, given.output, data=root, params=given.params, sources=given.notebooks)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"report: {given.output / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
