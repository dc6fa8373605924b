"""Per-item scores that others published, as one small parquet file a benchmark.

    python -m eqlib.study.released.convert FOLDER [OUT]

``systems.csv`` names each system: the benchmark, its file under FOLDER, model, family, kind of score, the repository
and commit that published it, and the licence. To add a system, add a line and run this; only MIT and Apache-2.0 are
taken, and no caption or picture of any benchmark is. Scores are stored as float32, which all but ClipCap's are already.
"""

import argparse
import gzip
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.files import whole
from eqlib.quads import SCORE_COLUMNS, scores_of
from eqlib.scoring import matching
from eqlib.suites.eqben_scores import eqben_table
from eqlib.suites.outcomes import bivlc_outcomes, colorswap_outcomes, sugarcrepe_outcomes
from eqlib.suites.score_lines import foil_lines, statement_lines, winoground_table

HERE = Path(__file__).parent
LICENCES = ("MIT", "Apache-2.0")
ABOUT = ["model", "family", "kind", "source", "commit", "licence"]
SAMPLE = 1000
"""Quads of each EqBen subset whose scores are kept; of the others the outcomes."""


def _eqben(path: Path) -> pd.DataFrame:
    table = eqben_table(path, layout=path.with_name("layout.json"), edition="full, order of rows inferred")
    table = table.assign(**matching(scores_of(table)))
    kept = table.groupby("subset", sort=False).sample(SAMPLE, random_state=0).index
    table.loc[~table.index.isin(kept), list(SCORE_COLUMNS)] = np.nan
    return table.assign(quad=np.arange(len(table), dtype=np.int32))  # a third of the bytes of names


def _colorswap(path: Path) -> pd.DataFrame:
    return colorswap_outcomes(path, path.with_name(path.name.replace("text-", "image-")))


READERS = {
    "winoground": winoground_table,
    "eqben": _eqben,
    "valse": foil_lines,
    "vsr": statement_lines,
    "bivlc": bivlc_outcomes,
    "sugarcrepe": sugarcrepe_outcomes,
    "colorswap": _colorswap,
}


def systems() -> pd.DataFrame:
    """One row a system, in the order of ``systems.csv``. Raises InputError for a licence that is not taken."""
    path = HERE / "systems.csv"
    found = pd.read_csv(path, dtype=str)
    for row in found.itertuples():
        if row.licence not in LICENCES:
            raise InputError(" or ".join(LICENCES), row.licence, where=path, row=f"line {row.Index + 2}")
    return found


def convert(folder: Path, out: Path) -> None:
    """Write ``out/<benchmark>.parquet`` for every benchmark of ``systems.csv`` from the native files in ``folder``."""
    for benchmark, rows in systems().groupby("benchmark", sort=False):
        parts = [_read(folder / row.file, benchmark).assign(**{k: getattr(row, k) for k in ABOUT})
                 for row in rows.itertuples()]  # fmt: skip
        table = pd.concat(parts, ignore_index=True)
        # A cluster is a caption or a picture: a number serves as well, and takes no text along.
        table["cluster"] = pd.factorize(table["cluster"])[0].astype(np.int32)
        words = table.select_dtypes(["object", "str"]).columns
        table = table.astype(dict.fromkeys(words, "category"))
        numbers = table.select_dtypes("float64").columns
        table[numbers] = table[numbers].astype(np.float32)
        with whole(out / f"{benchmark}.parquet") as draft:
            counted = dict.fromkeys(table.select_dtypes("int32").columns, "DELTA_BINARY_PACKED")
            how = {"use_dictionary": list(words), "column_encoding": counted}
            table.to_parquet(draft, index=False, compression="zstd", compression_level=19, **how)


def _read(path: Path, benchmark: str) -> pd.DataFrame:
    if path.suffix != ".gz":
        return READERS[benchmark](path)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / path.stem
        with gzip.open(path) as packed, plain.open("wb") as file:
            shutil.copyfileobj(packed, file)
        return READERS[benchmark](plain)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m eqlib.study.released.convert", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the native files, by the names in systems.csv")
    parser.add_argument("out", type=Path, nargs="?", default=HERE, help="default: the package's own")
    given = parser.parse_args()
    convert(given.folder, given.out)
