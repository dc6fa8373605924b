"""Why a group score moved: by the evidence, or by the threshold that it has to exceed.

A quad's group score is right where ``I > |a| + |b|``. Two models of one quad make two mixed ones: the evidence I of the
first with the threshold ``|a| + |b|`` of the second, and the reverse. What the first mixed model gains over the second
model is the evidence's part of the difference, what the other gains the threshold's. The parts need not add up: a quad
may need both, or either.
"""

import pandas as pd

from eqlib.quads import scores_of
from eqlib.scoring import compare
from eqlib.scoring.equivariance import components

PARTS = {"both": "own I, own |a| + |b|", "evidence": "own I alone", "threshold": "own |a| + |b| alone"}
"""What a mixed model has of the method, as printed; the rest is the baseline's. ``both`` is the method itself."""


def decompose(table: pd.DataFrame, *, baseline: str, level: float = 0.95) -> pd.DataFrame:
    """Of every method run with the baseline's seeds: its group score minus the baseline's, and the two parts.

    ``table`` is a score table of quads with ``method`` and ``seed``. Seeds are paired: method and baseline of one seed
    saw the same batches. The result is that of `eqlib.scoring.compare`, with ``part`` (a key of PARTS) behind
    ``method``. Similarities must be on one scale. Empty where no method has the baseline's seeds.
    """
    parts = components(scores_of(table))
    table = table.assign(evidence=parts["I"], threshold=abs(parts["a"]) + abs(parts["b"]))
    keys = ["suite", "edition", "quad", "seed"]
    start = table[table["method"] == baseline]
    found = []
    for method, own in table.groupby("method", sort=False):
        if method == baseline or set(own["seed"]) != set(start["seed"]):
            continue
        pair = own.merge(start, on=keys, suffixes=("", "_of_baseline"), validate="one_to_one")
        right = {
            baseline: pair["evidence_of_baseline"] > pair["threshold_of_baseline"],
            "evidence": pair["evidence"] > pair["threshold_of_baseline"],
            "threshold": pair["evidence_of_baseline"] > pair["threshold"],
            "both": pair["evidence"] > pair["threshold"],
        }
        plain = pair[[*keys, "subset", "cluster"]]
        mixed = pd.concat([plain.assign(method=name, group=won) for name, won in right.items()], ignore_index=True)
        differences = compare(mixed, baseline=baseline, scores=("group",), level=level)
        found.append(differences.rename(columns={"method": "part"}).assign(method=method))
    columns = ["method", "part", "baseline", "suite", "edition", "subset", "score", "point", "low", "high", "p"]
    columns += ["p_holm", "n", "clusters", "seeds", "test"]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)
