"""``eqlib score``, ``eqlib evaluate`` and ``eqlib doctor``. Bad input is one line on stderr and exit code 2."""

import argparse
import io
import json
import logging
import sys
import warnings
from pathlib import Path
from typing import NamedTuple, NoReturn

from eqlib import evaluate
from eqlib.errors import InputError, UnclusteredWarning
from eqlib.options import level, of_reader, positive, suite_arguments

# What each suite of `eqlib score` needs is imported when it is asked for: help and errors answer at once.


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code: 0 well, 1 the doctor found something, 2 bad input."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path may hold bytes that are no text
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except BrokenPipeError:  # `eqlib score ... | head`
        sys.stderr.close()
        return 0
    except (InputError, ImportError) as error:  # of an extra that is not installed, whose message names it
        said = str(error)
    except OSError as error:  # an output that cannot be written, a folder in place of a file
        where = f"{error.filename}: " if error.filename else ""  # a full disk has none
        said = f"{where}{error.strerror or error}"
    except MemoryError:
        said = "more memory than there is was asked for"
    print(f"eqlib: {' '.join(said.split())}", file=sys.stderr)
    return 2


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {' '.join(message.split())} (--help says what there is)\n")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="eqlib", description="Score and check vision-language benchmarks.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    score = commands.add_parser("score", help="scores, intervals and ties of a score file")
    suites = score.add_subparsers(required=True, metavar="SUITE")
    for name, form in FORMATS.items():
        suite = suites.add_parser(name, help=form.summary, description=f"{form.summary}. {form.scores}")
        suite.add_argument("--scores", required=True, help=form.scores, **FILE)
        for option in form.options:
            suite.add_argument(f"--{option}", **OPTIONS[option])
        suite.add_argument("--against", help="another model's scores, paired: ours - theirs", **FILE)
        suite.add_argument("--items", help="write one row an item (.parquet or .csv)", **FILE)
        suite.add_argument("--edition", type=_name, help="the edition, where the guess by counts and suffixes is wrong")
        how = "how the scores came about, printed beside them; probabilities are checked to be in [0, 1]"
        suite.add_argument("--protocol", choices=PROTOCOLS, help=how)
        suite.add_argument("--json", action="store_true", help="print JSON, proportions in 0..1")
        suite.add_argument("--level", type=level, default=0.95, help="level of the intervals (default 0.95)")
        suite.set_defaults(run=_score, suite=name)
    evaluate.arguments(commands.add_parser("evaluate", help="a model on a suite: scores, intervals, what was run"))
    doctor = commands.add_parser("doctor", help="check a downloaded set: counts, pictures, suffixes, edition")
    suite_arguments(doctor)
    doctor.add_argument("--fast", action="store_true", help="look at both ends of each picture instead of decoding it")
    doctor.add_argument("--workers", type=positive, help="threads")
    doctor.add_argument("--quiet", action="store_true", help="no progress")
    doctor.set_defaults(run=_doctor)
    return parser


class Format(NamedTuple):
    """What `eqlib score` takes for one suite; its reader is in ``eqlib.suites.score_forms``."""

    summary: str
    scores: str
    options: tuple[str, ...] = ()


FILE: dict = {"type": Path, "metavar": "FILE"}
ROWS = ("annotation", "index", "info", "layout", "clusters")
OPTIONS: dict[str, dict] = {
    "also": {
        "action": "append",
        "default": [],
        "choices": ("equivariance", "shortcuts"),
        "help": "also equivariance (a, b, I, inconsistencies, in units of the scores) or shortcuts (one side decides)",
    },
    "annotation": FILE | {"help": "ann_json_finegrained_random.json"},
    "index": FILE | {"help": "private_random_idx.json, with --info"},
    "info": FILE | {"help": "private_info.json, with --index"},
    "layout": FILE | {"help": "subsets of an (n, 4) array in natural order"},
    "clusters": FILE | {"help": "table of quad and cluster (video), where no annotation is given"},
    "quads": FILE | {"help": "quad file with the ids of an array's rows, in order"},
    "tags": FILE | {"help": "examples.jsonl, for scores by its collapsed_tag (Object, Relation, Both)"},
    "image-answers": FILE | {"required": True, "help": "answers to the image task"},
    "probabilities": {"action": "store_true", "help": "scores are p(match): VALSE's acc, p_c, p_f too"},
}
"""What some suites have beside the options of all."""

TABLE = "What score_suite gives, as a table (.parquet, .csv, .jsonl)"
FOILS = f"{TABLE}, or any with columns caption, foil (scores) and optionally subset, item, cluster"
HARNESS = "lmms-eval's samples of our tasks (.jsonl); or an array (n, image, caption) as of t2v_metrics (.pt, .npy)"
VLMEVALKIT = "VLMEvalKit's predictions (.xlsx, .tsv, .json)"
FORMATS = {
    "eqben": Format(
        "EqBen submission",
        "One score a row of the annotation (.npy, .json), with --annotation or --index and --info or --layout; or "
        "scores (n, 4) or (n, image, caption), also .pt, of the quads that --annotation lists (the 10th part, mini)",
        ("also", *ROWS),
    ),
    "winoground": Format(
        "Winoground scores",
        f'Lines {{"label": "0_c0_i1", "score": 0.97}}; {HARNESS}',
        ("also", "quads", "tags"),
    ),
    "valse": Format(
        "VALSE scores of captions and foils",
        f'{FOILS}; or lines {{"label": "0_c", "score"}}',
        ("probabilities",),
    ),
    "vsr": Format(
        "VSR statements, true or false", f'Lines {{"id", "label": 0 or 1, "score": p(true)}}, or {VLMEVALKIT}'
    ),
    "naturalbench": Format("NaturalBench, four answers a group", f"lmms-eval's samples (.jsonl), or {VLMEVALKIT}"),
    "sugarcrepe": Format("SugarCrepe scores, or right/wrong", f"{FOILS}; or a SUGARCREPE_CORRECT file"),
    "bivlc": Format("BiVLC right/wrong", "A results file of the BiVLC repository (.csv)"),
    "colorswap": Format(
        "ColorSwap answers", "Answers to the text task, with --image-answers (.json)", ("image-answers",)
    ),
    "table": Format(
        "Any set of quads or foils as a score table",
        f"{TABLE}: suite, edition, subset, quad, cluster, then s00, s01, s10, s11 (s image caption), or s_caption, "
        f"s_foil; {HARNESS}",
        ("also", "quads"),
    ),
}
PROTOCOLS = (
    "cosine",
    "matching-logit",
    "matching-probability",
    "p-yes",
    "log-p-yes",
    "log-odds",
    "choice",
    "generation",
)


def _read(options: argparse.Namespace, path: Path):
    """(table, score names) of one score file."""
    from eqlib.quads import KEYS
    from eqlib.scoring import EQUIVARIANCE, MATCHING, ONE_WAY, SHORTCUTS
    from eqlib.suites.score_forms import SCORE_FORMS

    beside = [option.replace("-", "_") for option in FORMATS[options.suite].options if "type" in OPTIONS[option]]
    table = SCORE_FORMS[options.suite](path, **{name: getattr(options, name) for name in beside})
    if options.edition is not None:
        table = table.assign(edition=options.edition)
    if "s00" in table:
        also = {"equivariance": EQUIVARIANCE, "shortcuts": SHORTCUTS}
        return table, (*MATCHING, *ONE_WAY, "headroom", *(name for more in options.also for name in also[more]))
    if "s_foil" in table:
        return _foils(table, path, getattr(options, "probabilities", False))
    return table, tuple(name for name in table if name not in (*KEYS, "label", "score", "unparsed"))


def _foils(table, path: Path, probabilities: bool):
    from eqlib.scoring import foil_table, valse

    caption, foil = (table[name].to_numpy() for name in ("s_caption", "s_foil"))
    keys = {name: table[name] for name in ("suite", "edition", "subset", "cluster")}
    table = foil_table(caption, foil, item=table["quad"], **keys)
    if not probabilities:
        return table, ("pairwise",)
    _check_probabilities(table, path)
    outcomes = valse(caption, foil) | {"pairwise": table["pairwise"]}
    return table.assign(**outcomes), tuple(outcomes)


def _score(options: argparse.Namespace) -> int:
    import pandas as pd

    from eqlib.scoring import compare, score_record, score_text

    with warnings.catch_warnings(record=True) as caught:
        table, names = _read(options, options.scores)
        other, _ = _read(options, options.against) if options.against is not None else (None, names)
    said = list(dict.fromkeys(str(warning.message) for warning in caught if warning.category is UnclusteredWarning))
    for warning in said:
        print(f"eqlib: warning: {warning}", file=sys.stderr)
    how = {"scores": names, "level": options.level}
    if options.protocol in ("matching-probability", "p-yes"):
        _check_probabilities(table, options.scores)
    record = score_record(table, where=options.scores, **how) | {"warnings": said, "protocol": options.protocol}
    if "unparsed" in table:
        record["unparsed"] = int(table["unparsed"].sum())
    if "p_c" in names:
        for cell in (*record["subsets"].values(), *filter(None, record["average"].values())):
            cell["min_pc_pf"] = min(cell["p_c"]["point"], cell["p_f"]["point"])
    differences = None
    if other is not None:
        for key in ("suite", "edition"):
            if (theirs := other[key].iloc[0]) != record[key]:
                expected = f"scores of {key} {record[key]!r}, as in {options.scores.name}"
                raise InputError(expected, repr(theirs), where=options.against)
        both = pd.concat([table.assign(method="ours"), other.assign(method="theirs")])
        differences = compare(both, baseline="theirs", where=options.against, **how)
        record["against"] = _by_subset(differences)
    if options.items is not None:
        _write_items(table, names, options.items)
    if options.json:
        print(json.dumps(record, indent=1, allow_nan=False))
    else:
        print(score_text(record, names, differences))
        print(f"\nprotocol: {options.protocol or 'not declared (--protocol)'}")
        if "unparsed" in record:
            print(f"answers that are none of those asked for, counted wrong: {record['unparsed']:,}")
    return 0


def _check_probabilities(table, path: Path) -> None:
    scores = table[[name for name in table if name in ("s00", "s01", "s10", "s11", "s_caption", "s_foil", "score")]]
    outside = ((scores < 0) | (scores > 1)).any(axis=1).to_numpy()
    if outside.any():
        item = table["quad"].iloc[int(outside.argmax())]
        got = scores[outside].iloc[0].to_list()
        raise InputError("probabilities in [0, 1]", got, where=path, row=f"item {item}")


def _by_subset(differences) -> dict:
    cells: dict[str, dict] = {}
    for row in differences.to_dict("records"):
        kept = {key: row[key] for key in ("point", "low", "high", "p", "p_holm", "test", "clusters")}
        cells.setdefault(row["subset"], {})[row["score"]] = {k: None if v != v else v for k, v in kept.items()}
    return cells


def _write_items(table, names, path: Path) -> None:
    from eqlib.files import whole
    from eqlib.quads import SCORE_COLUMNS, scores_of
    from eqlib.scoring import SCORES, measure

    if path.suffix not in (".parquet", ".csv"):
        raise InputError("a .parquet or .csv file", repr(path.name), where=path)
    if set(SCORE_COLUMNS) <= set(table):
        table = table.assign(**measure(scores_of(table), tuple(dict.fromkeys((*names, *SCORES)))))
    with whole(path) as draft:
        table.to_parquet(draft, index=False) if path.suffix == ".parquet" else table.to_csv(draft, index=False)


def _doctor(options: argparse.Namespace) -> int:
    from eqlib.suites.doctor import check

    how = {"decode": not options.fast, "workers": options.workers, "show_progress": not options.quiet}
    logging.getLogger("PIL").addHandler(logging.NullHandler())  # the report names the pictures that Pillow speaks of
    with warnings.catch_warnings(action="ignore"):
        report = check(options.suite, options.path, **how, **of_reader(options))
    print(report)
    return 0 if report.ok else 1


def _name(text: str) -> str:
    if not text.isprintable():
        raise argparse.ArgumentTypeError(f"expected a name of one line, got {text!r}")
    return text


if __name__ == "__main__":
    sys.exit(main())
