"""Full-size scoring against a plain implementation of the official procedure, in one run; time and peak memory.

Run with ``pytest tests/speed/test_scoring.py --benchmark-only -s``. Files of full size (185 MB of annotation) are made
in a temporary folder.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys

import numpy as np
import pytest

from eqlib.quads import score_table
from eqlib.scoring import MATCHING, compare, summarise
from eqlib.suites.eqben_scores import QUADS

# The steps of the official evaluate_eqben_locally.py on an annotation with private_info, without its own classes.
PLAIN = """
import json, sys, numpy as np
rows, scores = json.load(open(sys.argv[1])), np.load(sys.argv[2])
quads = len(scores) // 4
cell = {name: np.zeros(quads) for name in ("c0i0", "c0i1", "c1i0", "c1i1")}
span = {}
for row, score in zip(rows, scores):
    info = row["private_info"]
    cell[info["name"]][info["sample_cnt"]] = score
    low, high = span.get(info["dataset"], (quads, 0))
    span[info["dataset"]] = (min(low, info["sample_cnt"]), max(high, info["sample_cnt"] + 1))
found = {}
for dataset, (low, high) in span.items():
    s = {name: values[low:high] for name, values in cell.items()}
    text = (s["c0i0"] > s["c1i0"]) & (s["c1i1"] > s["c0i1"])
    image = (s["c0i0"] > s["c0i1"]) & (s["c1i1"] > s["c1i0"])
    found[dataset] = {"text": text.mean(), "image": image.mean(), "group": (text & image).mean()}
"""

# The same figures and group match, all averages, ties, and an interval for each.
OURS = """
import sys
from eqlib.scoring import score_record
from eqlib.suites.eqben_scores import eqben_table
record = score_record(eqben_table(sys.argv[2], annotation=sys.argv[1]))
found = {name: {score: cell[score]["point"] for score in ("text", "image", "group")}
         for name, cell in record["subsets"].items()}
"""

REPORT = """
import json, re, time
peak = re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1]  # not ru_maxrss: the parent
print(json.dumps({"seconds": time.perf_counter() - start, "cpu": time.process_time(), "found": found,
                  "megabytes": int(peak) / 1024}))
"""


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A full-size annotation in the official form, shuffled, and a score file in its order; about 25 quads a video."""
    folder = tmp_path_factory.mktemp("eqben")
    rows = []
    quad = 0
    for subset, quads in QUADS.items():
        for n in range(quads):
            for name in ("c0i0", "c0i1", "c1i0", "c1i1"):
                row = {
                    "image": f"{subset}/{n // 25:05d}/frame{n % 25}_{name[3]}.png",
                    "caption": f"a person is doing thing {n % 97} number {name[1]} with the cup",
                    "private_info": {"dataset": subset, "name": name, "sample_cnt": quad},
                }
                rows.append(json.dumps(row))
            quad += 1
    random.Random(1234).shuffle(rows)
    (folder / "annotation.json").write_text("[" + ", ".join(rows) + "]")
    np.save(folder / "scores.npy", np.random.default_rng(0).random(len(rows), dtype=np.float32))
    return [str(folder / "annotation.json"), str(folder / "scores.npy")]


def run(code, files):
    whole = f"import time\nstart = time.perf_counter()\n{code}{REPORT}"
    done = subprocess.run([sys.executable, "-c", whole, *files], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_full_table_against_the_official_procedure(benchmark, full):
    """Goal: at most the time of the plain procedure, imports and intervals included, in bounded memory."""
    plain, ours = [], []
    # In turn, so that both meet the same load of the machine.
    benchmark.pedantic(lambda: ours.append(run(OURS, full)), setup=lambda: plain.append(run(PLAIN, full)), rounds=4)
    assert ours[0]["found"] == plain[0]["found"]
    ratio = min(x["seconds"] for x in ours) / min(x["seconds"] for x in plain)
    peak = [max(x["megabytes"] for x in runs) for runs in (ours, plain)]
    benchmark.extra_info |= {"times the plain procedure": ratio, "peak MB": peak[0], "peak MB plain": peak[1]}
    cpu = [min(x["cpu"] for x in runs) for runs in (ours, plain)]
    print(f"\nfull table: {ratio:.2f} x the plain procedure ({cpu[0]:.1f} s against {cpu[1]:.1f} s of processor time)")
    print(f"peak {peak[0]:.0f} MB against {peak[1]:.0f} MB")
    assert ratio <= 1.0
    assert peak[0] < 600


@pytest.fixture(scope="module")
def table():
    n = sum(QUADS.values())
    scores = np.random.default_rng(0).normal(size=(n, 2, 2)) + np.eye(2)
    subset = np.repeat(list(QUADS), list(QUADS.values()))
    return score_table(scores, suite="eqben", edition="full", subset=subset)


@pytest.mark.parametrize("quads_a_video", [1, 5, 25])
def test_intervals_of_a_quarter_million_quads(benchmark, table, quads_a_video):
    """Goal: 2 s for the four scores of 251,048 quads."""
    clustered = table.assign(cluster=(np.arange(len(table)) // quads_a_video).astype(str))
    benchmark.pedantic(lambda: summarise(clustered, scores=MATCHING), rounds=3)
    assert benchmark.stats["median"] <= 2


def test_every_score_of_two_methods_paired(benchmark, table):
    """All ten scores of two methods: what a comparison costs."""
    import pandas as pd

    other = table.assign(method="other", s00=table["s00"] + 0.1)
    both = pd.concat([table.assign(method="one"), other], ignore_index=True)
    benchmark.pedantic(lambda: compare(both, baseline="one"), rounds=2)
