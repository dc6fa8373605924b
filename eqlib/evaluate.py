"""``eqlib evaluate``: one model on one suite, from its name to the table with intervals, in a folder.

``items.parquet`` has a row an item (``eqlib score table --scores`` reads it), ``scores.txt`` the printed table,
``run.json`` what was run and the table's numbers. The folder ``cache`` holds what was encoded or answered: a run that
was killed goes on from it, and ends with the same bytes. So does a run in shards, ``--shard 1/8`` to ``--shard 8/8`` in
any order and on any machines that share the folder: each writes files of its own into ``cache``, and when it is done a
record of what it ran into the folder ``shards``. ``--merge`` checks these and makes the tables.
"""

import argparse
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from eqlib.errors import InputError
from eqlib.options import count, level, of_reader, positive, suite_arguments

# Models, and torch with them, are imported when a run starts: help and errors answer at once.

PACKAGES = {"eqlib": "eqlib", "torch": "torch", "open_clip": "open_clip_torch", "transformers": "transformers"}
"""Modules whose versions are kept, and what their packages are called."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``eqlib evaluate``."""
    parser.add_argument("model", help="ARCHITECTURE/TAG of open_clip, hf:ID, a folder, module:function or a plug-in")
    suite_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the results go")
    heads = "itm, itc, itm+itc (matching heads); vqascore-3.0, vqascore-3.1, yes-no (generative models)"
    parser.add_argument("--head", help=f"how pairs are scored, default cosines: {heads}")
    parser.add_argument("--limit", type=positive, metavar="N", help="the first N items, or pictures of a retrieval set")
    parser.add_argument("--by", metavar="COLUMN", help="also by this column of the suite: Winoground's collapsed_tag")
    parser.add_argument("--probabilities", action="store_true", help="also probabilities, of models that have them")
    parser.add_argument("--first", metavar="MODEL", help="retrieval with --head: finds the candidates, default MODEL")
    parser.add_argument("--candidates", type=positive, default=128, metavar="K", help="how many of them (default 128)")
    parser.add_argument("--batch", type=positive, default=64, help="pictures, captions or pairs a pass (default 64)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps; default: an accelerator where there is one")
    precisions = ("fp32", "bf16", "fp16", "pure_bf16", "pure_fp16", "amp", "amp_bf16")
    parser.add_argument("--precision", default="fp32", choices=precisions, help="open_clip's name (default fp32)")
    parser.add_argument("--workers", type=count, help="that decode pictures")
    parser.add_argument("--cache", type=Path, help="folder of what was answered before, default FOLDER/cache")
    parser.add_argument("--level", type=level, default=0.95, help="level of the intervals (default 0.95)")
    cut = parser.add_mutually_exclusive_group()
    cut.add_argument("--plan", action="store_true", help="say what it will cost, and stop")
    auto = "auto: the process of torchrun or the task of a SLURM array"
    cut.add_argument("--shard", metavar="K/N", help=f"answer the K-th of N parts of the work, and stop; {auto}")
    cut.add_argument("--merge", action="store_true", help="make the tables of shards that are all done")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate as ``options`` say; the exit code. Raises InputError as all that it calls."""
    from eqlib.files import whole, write_json
    from eqlib.suites.read import read

    shard = None if options.shard is None else shard_of(options.shard)
    suite = read(options.suite, options.path, **of_reader(options))
    _check(options, suite)
    if options.limit is not None:
        suite = _head(suite, options.limit)
    judge, first = _models(options, suite, shard)
    if options.plan:
        from eqlib.models.plan import plan

        print(_plan_text(plan(judge, suite, first=first, k=options.candidates), suite, options))
        return 0
    ran = {name: getattr(options, name) for name in ("head", "precision", "device", "batch")}
    name = getattr(judge.model, "name", options.model)
    ran |= {"model": name, "asked_for": options.model, "key": judge.key, "suite": suite.name}
    ran |= {"edition": suite.edition, "digest": suite.digest, "notes": list(suite.notes), "items": len(suite)}
    ran |= {"versions": {module: version(package) for module, package in PACKAGES.items() if find_spec(module)}}
    if first is not None:
        ran |= {"first": first.model.name, "candidates": options.candidates}
    if shard is not None:
        from eqlib.models.score import answer_share

        answer_share(judge, suite)
        write_json(options.out / "shards" / "{}-of-{}.json".format(*shard), ran)
        print("{}: shard {} of {} is answered; --merge makes the tables of all".format(options.out, *shard))
        return 0
    if options.merge:
        ran |= {"device": _check_shards(options.out / "shards", ran)}
    table = _table(options, suite, judge, first)
    record, text = _scores(options, suite, table)
    text = f"{name}, {options.precision}\n{text}"
    ran |= {"scores": record, "unanswered": table.attrs.get("unanswered", [])}
    with whole(options.out / "items.parquet") as draft:
        table.to_parquet(draft, index=False)
    with whole(options.out / "scores.txt") as draft:
        draft.write_text(text + "\n", encoding="utf-8")
    write_json(options.out / "run.json", ran)
    print(f"{text}\n\n{options.out}: items.parquet, scores.txt, run.json")
    return 0


def shard_of(text: str, environ: Mapping[str, str] = os.environ) -> tuple[int, int]:
    """(K, N) of "K/N", K from 1 to N; of "auto" torchrun's RANK and WORLD_SIZE or the task of a SLURM array, which
    must be whole. Raises InputError."""
    where, given = "--shard", text
    if text == "auto":
        ranks = environ.get("RANK", ""), environ.get("WORLD_SIZE", "")
        tasks = tuple(environ.get(f"SLURM_ARRAY_TASK_{name}", "") for name in ("ID", "MIN", "MAX", "COUNT"))
        if ("" in ranks) == ("" in tasks):
            what = "neither" if "" in ranks else "both"
            raise InputError("a process of torchrun or a task of a SLURM array", what, where=where)
        if "" in tasks:
            given = f"{int(ranks[0]) + 1}/{ranks[1]}"
        else:
            task, low, high, number = map(int, tasks)
            if high - low + 1 != number or low > 1:
                expected = "an array from 0 or 1 without gaps (of single tasks say which: --shard K/N)"
                raise InputError(expected, f"{number} tasks from {low} to {high}", where=where)
            given = f"{task - low + 1}/{number}"
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", given, re.ASCII)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise InputError("K/N with K from 1 to N, or auto", repr(given), where=where)
    return int(found[1]), int(found[2])


def _check_shards(folder: Path, ran: dict) -> str:
    """That every shard of one cut is done, and ran what ``ran`` says; the device they ran on. Raises InputError."""
    from eqlib.files import read_json

    records = {path.stem: read_json(path) for path in sorted(folder.glob("[0-9]*-of-*[0-9].json"))}
    cuts = sorted({int(name.partition("-of-")[2]) for name in records})
    if len(cuts) != 1:
        got = ", ".join(f"one of {cut}" for cut in cuts) or "none"
        raise InputError("records of the shards of one cut (--shard writes them)", got, where=folder)
    names = [f"{k}-of-{cuts[0]}" for k in range(1, cuts[0] + 1)]
    if missing := [name for name in names if name not in records]:
        raise InputError(f"records of {cuts[0]} shards", f"none of {', '.join(missing)}", where=folder)
    expected = ran | {"device": records[names[0]]["device"]}
    for name, record in records.items():
        for key in expected:
            if record.get(key) != expected[key]:
                what = f"{key} {expected[key]!r}, as in this run and all shards"
                raise InputError(what, repr(record.get(key)), where=folder / f"{name}.json")
    return expected["device"]


def _check(options, suite) -> None:
    """What would stop the run only at its end."""
    records = getattr(suite, "records", None)
    if records is None and options.probabilities:
        raise InputError("a suite of quads or foils", suite.name, where="--probabilities")
    if records is not None and options.first:
        raise InputError("a retrieval set", suite.name, where="--first")
    if options.by is not None and (records is None or options.by not in records):
        known = "none" if records is None else ", ".join(records)
        raise InputError(f"a column of the suite ({known})", repr(options.by), where="--by")


def _models(options, suite, shard):
    """The model with its cache; and for retrieval by pairs the dual encoder that finds the candidates, else None."""
    import numpy as np

    from eqlib.models.clip import CLIP, best_device
    from eqlib.models.opening import open_model
    from eqlib.models.score import as_asked
    from eqlib.suites import RetrievalSuite

    options.device = best_device() if options.device == "auto" else options.device
    if options.shard == "auto" and options.device == "cuda" and "LOCAL_RANK" in os.environ:
        import torch

        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))  # "cuda" in all records: which GPU does not matter
    how = {"device": options.device, "precision": options.precision, "batch_size": options.batch}
    kept = {"cache": options.cache or options.out / "cache", "batch_size": options.batch, "workers": options.workers}
    kept |= {"share": shard, "asks": not options.merge}
    model = open_model(options.model, options.head, **how)
    first = None
    if isinstance(suite, RetrievalSuite) and not isinstance(model, CLIP):
        first = open_model(options.first or options.model, **how)
        if not isinstance(first, CLIP):
            raise InputError("a dual encoder that finds the candidates", "a scorer of pairs", where="--first")
        if shard is not None or options.merge:
            raise InputError("a dual encoder, or quads or foils", "pairs that retrieval finds", where="--shard")
    if options.probabilities:
        probability = getattr(model, "probability", None)
        if probability is None:
            raise InputError("a model with probabilities (SigLIP, VQAScore)", options.model, where="--probabilities")
        probability(np.zeros(1))  # raises where a model of its kind has none
    return as_asked(model, **kept), first and as_asked(first, **kept)


def _head(suite, limit: int):
    import numpy as np

    from eqlib.suites import RetrievalSuite

    edition = f"first {limit:,} of {suite.edition}"
    if not isinstance(suite, RetrievalSuite):
        return replace(suite, edition=edition, records=suite.records.head(limit))
    return replace(suite.keep(np.arange(len(suite.images)) < limit), edition=edition)


def _table(options, suite, judge, first):
    from eqlib.models.rerank import rerank
    from eqlib.models.score import retrieval_features, score_suite
    from eqlib.quads import SCORE_COLUMNS, scores_of
    from eqlib.scoring import ONE_WAY, SCORES, measure, retrieval_table, valse
    from eqlib.suites import RetrievalSuite

    if isinstance(suite, RetrievalSuite):
        features = retrieval_features(first or judge, suite)
        if first is not None:
            return rerank(features, judge, suite, k=options.candidates)
        return retrieval_table(*features, suite.image_of_caption, suite=suite.name, edition=suite.edition)
    table = score_suite(judge, suite)
    if options.probabilities:
        for name in [name for name in table if name in (*SCORE_COLUMNS, "s_caption", "s_foil")]:
            table[f"p{name[1:]}"] = judge.model.probability(table[name].to_numpy())
    if "s00" in table:
        return table.assign(**measure(scores_of(table), (*SCORES, *ONE_WAY)))
    if options.probabilities:
        table = table.assign(**valse(table["p_caption"], table["p_foil"]) | {"pairwise": table["pairwise"]})
    return table


def _scores(options, suite, table) -> tuple[dict, str]:
    """The numbers of ``table`` as a record and as the text that is printed."""
    from eqlib.scoring import MATCHING, ONE_WAY, score_record, score_text

    foils = ("acc", "p_c", "p_f", "pairwise") if options.probabilities else ("pairwise",)
    names = (*MATCHING, *ONE_WAY, "headroom") if "s00" in table else foils
    if "rank" in table:
        names, table = tuple(name for name in table if name.startswith("R@")), table.drop(columns="tied")
    record = score_record(table, scores=names, level=options.level)
    text = [score_text(record, names)]
    if missing := table.attrs.get("unanswered"):
        if "rank" in table:
            text.append(f"\n{len(missing):,} queries have candidates without an answer, which stand behind the others")
        else:
            share = len(table) / (len(table) + len(missing))
            wrong = {name: share * record["average"]["micro"][name]["point"] for name in names if name != "headroom"}
            record["unanswered"] = {"items": len(missing), "counted_wrong": wrong}
            told = ", ".join(f"{name} {100 * value:.2f}" for name, value in wrong.items() if name not in ONE_WAY)
            all_items = f"{len(missing):,} of {len(table) + len(missing):,} items have no answer"
            text.append(f"\n{all_items} and are left out above; counted as wrong, all items give {told}")
    if options.by is not None:
        tags = suite.records.set_index(suite.ID)[options.by].astype(str)
        record["by"] = score_record(table.assign(subset=table["quad"].map(tags)), scores=names, level=options.level)
        text += [f"\nby {options.by}", score_text(record["by"], names)]
    return record, "\n".join(text)


def _plan_text(plan: dict, suite, options) -> str:
    counted = ", ".join(f"{plan[name]:,} {name}" for name in ("items", "pictures", "captions", "pairs"))
    passes = ", ".join(f"{count:,} {kind}s" for kind, count in plan["passes"].items())
    minutes = plan["seconds"] / 60
    took = f"{minutes:,.1f} min" if minutes < 120 else f"{minutes / 60:,.1f} h"
    return "\n".join([
        f"{suite.name}, edition: {suite.edition}",
        f"distinct: {counted}",
        f"not in the cache yet, a forward pass each: {passes}",
        f"disk: {plan['bytes'] / 1e6:,.1f} MB",
        f"time on {options.device}: about {took}, from a few batches",
    ])  # fmt: skip
