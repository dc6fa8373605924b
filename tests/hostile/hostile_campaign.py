"""Valid files of every format, damaged by seeded accidents and by malice, and what the command line makes of them.

python tests/hostile/hostile_campaign.py 20000 --seed 7    # counts per outcome; what broke it lies in scratch/broken
"""

import argparse
import contextlib
import copy
import io
import json
import os
import random
import signal
import struct
import time
import traceback
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hostile_formats import every, write

from eqlib.cli import main

SECONDS = 10
"""What one input may take of the processor; ten times as long by the clock, for it may wait for others."""

BYTES = [
    b"\xff", b"\0", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"NaN", b"-Infinity", b"1e999", b"9" * 400, b"[" * 5_000, b"\r",
    b'{"a":' * 5_000, b'"', b"\\ud800", b"\\u0000", b"\n", b",", b"\t", b"PK\3\4", b"../", b"<!--<script>",
]  # fmt: skip
DEEP = "@deep@"  # put in as text, for no encoder goes so deep
TEXTS = [
    "", " ", "x", "0", "1e400", "nan", "1_0", "٣", "\ud800", "\udc80x", "\ufeff", "\0", "a\nb", "\x1b[2J", "\u202eevil",
    "🐕" * 70, "../../etc/passwd", "/etc/passwd", "a\\b", "C:\\x", "n" * 300, "d/" * 3_000, "w " * 50_000, "micro",
    "macro7", "<!--<script>", "</script>", "'", '"; DROP', "=1+1", "%s{0}",
]  # fmt: skip
FLOATS = [3.5, 1e30, 1e308, -1e308, 5e-324, float("nan"), float("inf")]
VALUES = [
    *TEXTS, *FLOATS, None, True, False, 0, -1, 1, 2, 10**18, 10**30, 10**400,
    [], {}, [[]], [None], [1, "a"], {"a": None}, {"": ""}, DEEP,
]  # fmt: skip


class TooLong(BaseException):
    """No Exception, which a reader might take for damage."""


def flip(content, rng):
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8, 40))):
        if content:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return bytes(content)


def cut(content, rng):
    at = rng.randrange(len(content) + 1)
    return content[:at] if rng.random() < 0.7 else content[at:]


def insert(content, rng):
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.choice(BYTES) * rng.choice((1, 1, 3)) + content[at + rng.choice((0, 0, 1, 4)) :]


def repeat(content, rng):
    start, end = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    return content[:end] + content[start:end] * rng.choice((1, 2, 50)) + content[end:]


def noise(content, rng):
    start = rng.randrange(len(content) + 1)
    return content[:start] + rng.randbytes(rng.choice((1, 4, 60))) + content[start + rng.choice((0, 4, 60)) :]


def spots(value, path=()):
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from spots(child, (*path, key))


def in_json(value, rng):
    """One place dropped, renamed, doubled, or another value."""
    spot = rng.choice(list(spots(value)))
    if not spot:
        return rng.choice(VALUES)
    value = copy.deepcopy(value)
    here = value
    for key in spot[:-1]:
        here = here[key]
    what = rng.random()
    if what < 0.15:
        del here[spot[-1]]
    elif what < 0.2 and isinstance(here, dict):
        here[rng.choice(TEXTS)] = here.pop(spot[-1])
    elif what < 0.25 and isinstance(here, list):
        here.append(here[spot[-1]])
    else:
        here[spot[-1]] = rng.choice(VALUES)
    return value


def to_text(value, rng):
    text = json.dumps(value, ensure_ascii=rng.random() < 0.7)
    if rng.random() < 0.05 and ('{"' in text):  # a key twice
        text = text.replace('{"', '{"label": 1, "label": 2, "', 1)
    return text.replace(json.dumps(DEEP), rng.choice(("[" * 100_000, "[" * 600 + "]" * 600, '{"a":' * 3_000)))


def structured_json(content, rng):
    value = json.loads(content)
    for _ in range(rng.choice((1, 1, 3))):
        value = in_json(value, rng)
    return to_text(value, rng).encode("utf-8", "surrogatepass")


def structured_lines(content, rng):
    lines = content.split(b"\n")
    at = rng.randrange(len(lines))
    lines[at] = structured_json(lines[at], rng)
    if rng.random() < 0.2:
        lines.insert(rng.randrange(len(lines)), rng.choice(lines))
    return b"\n".join(lines)


def structured_cells(content, rng, mark=b","):
    rows = [row.split(mark) for row in content.split(b"\n")]
    row = rng.choice(rows[: rng.choice((1, len(rows)))])
    row[rng.randrange(len(row))] = str(rng.choice(VALUES)).encode("utf-8", "surrogatepass")
    if rng.random() < 0.2:
        row.append(rng.choice(rows[0]))
    return b"\n".join(mark.join(row) for row in rows)


def structured_parquet(content, rng):
    table = pq.read_table(io.BytesIO(content))
    n, at = len(table), rng.randrange(table.num_columns)
    column = rng.choice([
        lambda: pa.array([2**62] * n).cast(pa.timestamp(rng.choice(("s", "ms", "us")))),
        lambda: pa.array([2**31 - 1] * n, pa.int32()).cast(pa.date32()),
        lambda: pa.array([rng.choice(FLOATS)] * n),
        lambda: pa.array([b"\xed\xa0\x80"] * n).cast(pa.string(), safe=False),
        lambda: pa.array([b"\xff\xfe"] * n),
        lambda: pa.array([None] * n),
        lambda: pa.array([[1, 2]] * n),
        lambda: pa.array([{"a": 1}] * n),
        lambda: pa.array([True] * n),
        lambda: pa.array(["x" * 100_000] * n).dictionary_encode(),
    ])()  # fmt: skip
    name = rng.choice((table.column_names[at], table.column_names[at], rng.choice(table.column_names), "other"))
    table = table.set_column(at, name, column)
    if n < 100 and rng.random() < 0.1:
        table = pa.concat_tables([table] * 50_000)
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def structured_array(content, rng):
    """Another header, as long as it says it is."""
    array = np.load(io.BytesIO(content))
    shape = rng.choice([
        array.shape, (10**12,), (2**32, 2**32), (-1,), (0,), (), (1,) * 40, (2**63,), ("a",), (True,), (2**31, 0),
    ])  # fmt: skip
    descr = rng.choice([
        array.dtype.str, "|O", "<f16", "<c16", "<m8[s]", "<M8[D]", "|S4", "|V0", "<U99999999", ">f4", "|b1", "nonsense",
        3, "<f2", [("a", "<f8")],
    ])  # fmt: skip
    text = repr({"descr": descr, "fortran_order": rng.choice((False, False, True, 3)), "shape": shape})
    other = (text[:-1], text + " " * 12_000, "(" * 900, text.replace("'shape'", "'form'"), "\xff", "{" * 300)
    text = rng.choice((text, text, text, *other))
    body = rng.choice((array.tobytes(), b"", array.tobytes() * 3, b"\xff" * array.nbytes))
    header = (text + "\n").encode("latin1")
    return (
        b"\x93NUMPY" + bytes([rng.choice((1, 1, 2, 3, 9)), 0]) + struct.pack("<H", len(header) % 65536) + header + body
    )


def structured_tar(content, rng):
    """A field of a header, and the header's sum mended."""
    content = bytearray(content)
    starts = [at for at in range(0, len(content), 512) if content[at + 257 : at + 262] == b"ustar"]
    at = rng.choice(starts)
    place, values = rng.choice([
        (124, [b"77777777777\0", b"\x80" + (10**15).to_bytes(11, "big"), b"\xff" * 10 + b"\xfe\0", b"-0000001000\0"]),
        (124, [b"0" * 12, b"zzz", b"\xff" * 12]),
        (156, [bytes([kind]) for kind in b"0125678LKVSMNDAxgX\0"]),
        (0, [b"../../x.png\0", b"/etc/x.png\0", b"\xff.png\0", b"\0", b"0.png\0", b"0.txt\0", b"n" * 100]),
        (136, [b"\xff" * 12, b"99999999999\0"]),
        (157, [b"/etc/passwd\0", b"../..\0"]),
        (257, [b"gnutar", b"ustar  \0"]),
    ])  # fmt: skip
    for where, value in ((place, rng.choice(values)), (156, bytes([rng.choice(b"00000VSLxg")]))):
        content[at + where : at + where + len(value)] = value
    content[at + 148 : at + 156] = b" " * 8
    content[at + 148 : at + 156] = b"%06o\0 " % sum(content[at : at + 512])
    return bytes(content)


def structured_png(content, rng):
    """Other sizes and depths in the header, its checksum mended."""
    header = struct.pack(
        ">IIBBBBB", *(rng.choice((0, 1, 5, 13_000, 2**31 - 1, 2**32 - 1)) for _ in range(2)),
        rng.choice((0, 1, 8, 16, 255)), rng.choice((0, 2, 3, 4, 6, 7)), 0, 0, rng.choice((0, 0, 1)),
    )  # fmt: skip
    return content[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + content[33:]


STRUCTURED = {
    ".json": structured_json,
    ".jsonl": structured_lines,
    ".csv": structured_cells,
    ".tsv": lambda content, rng: structured_cells(content, rng, b"\t"),
    ".parquet": structured_parquet,
    ".npy": structured_array,
    ".tar": structured_tar,
    ".png": structured_png,
}
BLIND = (flip, cut, insert, repeat, noise)


def damaged(content, suffix, rng):
    """``content`` after one or two accidents: half of them know the format."""
    for _ in range(rng.choice((1, 1, 1, 2))):
        mutate = rng.choice(BLIND) if suffix not in STRUCTURED or rng.random() < 0.4 else STRUCTURED[suffix]
        try:
            content = mutate(content, rng)
        except Exception:
            content = flip(content, rng)  # damaged before: there is no form left to know
    return content


def verdict(command, seconds=SECONDS):
    """("refused" or "accepted" or "broken: why", details) of one command, run in this process and this folder."""
    out, err = io.StringIO(), io.StringIO()

    def stop(_signal, _frame):
        raise TooLong

    timers = {signal.SIGALRM: (signal.ITIMER_REAL, 10 * seconds), signal.SIGPROF: (signal.ITIMER_PROF, seconds)}
    before = {number: signal.signal(number, stop) for number in timers}
    for timer, limit in timers.values():
        signal.setitimer(timer, limit)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main(command)
            except SystemExit as error:
                code = error.code
    except TooLong:
        return "broken: time", traceback.format_exc()
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)
        ours = next((f for f in reversed(place) if "eqlib" in f.filename), place[-1])
        return f"broken: {type(error).__name__} at {Path(ours.filename).name}:{ours.lineno}", traceback.format_exc()
    finally:
        for number, (timer, _) in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])
    out, err = out.getvalue(), err.getvalue()
    if code == 2:
        clear = out == "" and err.count("\n") == 1 and err.startswith("eqlib") and len(err) < 2_000
        return ("refused", err) if clear and "Traceback" not in err else ("broken: no clear line", err + out)
    warned = all(line.startswith("eqlib: warning: ") for line in err.splitlines())
    if code not in (0, 1) or (code == 1 and command[0] == "score") or not warned:
        return f"broken: exit code {code}", err + out
    if command[0] == "score":
        record = json.loads(out, parse_constant=lambda name: 1 / 0)
        cells = [cell for part in (record["subsets"], record["average"]) for cell in part.values() if cell]
        for cell in cells:
            found = cell.get("group", cell.get("pairwise", cell.get("accuracy")))
            if found and not (
                0 <= found["point"] <= 1 and (found["low"] or 0) <= found["point"] <= (found["high"] or 1)
            ):
                return "broken: a figure out of range", out
    return "accepted", out


def campaign(inputs, seed, folder):
    """Yield (name of the format, damaged files, command, outcome, details, seconds), so many."""
    formats = every()
    names = list(formats)
    here = os.getcwd()
    for number in range(inputs):
        rng = random.Random(f"{seed}/{number}")
        name = names[number % len(names)]
        command, files = formats[name]
        files = dict(files)
        for victim in rng.sample(list(files), k=rng.choice((1, 1, min(2, len(files))))):
            files[victim] = damaged(files[victim], Path(victim).suffix, rng)
        place = folder / str(number % 8)
        place.mkdir(parents=True, exist_ok=True)
        write(place, files)
        os.chdir(place)
        began = time.perf_counter()
        try:
            outcome, details = verdict(command)
        finally:
            os.chdir(here)
            for path in place.iterdir():
                path.unlink()
        yield name, files, command, outcome, details, time.perf_counter() - began


def run(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inputs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("scratch/broken"))
    options = parser.parse_args(arguments)
    options.folder = options.folder.resolve()
    counts, slowest, sites = Counter(), [], Counter()
    for number, (name, files, command, outcome, details, seconds) in enumerate(
        campaign(options.inputs, options.seed, options.folder / "work")
    ):
        counts[outcome.partition(":")[0]] += 1
        slowest = sorted([*slowest, (round(seconds, 2), name)], reverse=True)[:5]
        if outcome.startswith("broken"):
            sites[outcome] += 1
            if sites[outcome] <= 3:
                place = options.folder / f"{options.seed}-{number}"
                place.mkdir(parents=True, exist_ok=True)
                write(place, files)
                (place / "outcome.txt").write_text(
                    f"{name}\n{command}\n{outcome}\n{details}", errors="backslashreplace"
                )
        if number % 1000 == 999:
            print(number + 1, dict(counts), flush=True)
    print(dict(counts), "slowest:", slowest)
    for site, count in sites.most_common():
        print(count, site)


if __name__ == "__main__":
    run()
