"""Files that once gave a traceback, a hang or a wrong number: each is one clear line on stderr and exit code 2."""

import io
import json
import os
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hostile_campaign import verdict
from hostile_formats import as_array, as_file, as_json, as_lines, as_picture, as_table, as_tar, every, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from eqlib.cli import main
from eqlib.errors import InputError
from eqlib.files import LIMIT, parse_json, read_json, read_text, relative, stream_json
from eqlib.quads import score_table
from eqlib.scoring import compare, summarise
from eqlib.suites import read
from eqlib.suites.doctor import check
from eqlib.suites.images import PIXELS, open_image, require_images

WINOGROUND = ["score", "winoground", "--scores", "w.jsonl"]
EQBEN = ["score", "eqben", "--scores", "s.npy", "--annotation", "a.json"]
TABLE = ["score", "table", "--scores"]
COLUMNS = "suite,edition,subset,quad,cluster,s00,s01,s10,s11\n"
FORMATS = every()


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """The line that a command on these files prints; it must be the only one."""

    def run(command, files, seconds=20):
        write(tmp_path, files)
        monkeypatch.chdir(tmp_path)
        outcome, said = verdict(command, seconds)
        assert outcome == "refused", f"{outcome}\n{said}"
        return said

    return run


def line(score):
    return b'{"label": "0_c0_i0", "score": ' + score + b"}\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"5\n", "line 1: expected a record (JSON object), got 5"),
        (b'"x"\n', "line 1: expected a record (JSON object), got 'x'"),
        (line(b"1" + b"0" * 400), "no number of 64 bits"),
        (line(b"1" * 5_000), "no number of 64 bits"),
        (line(b"1e400"), "no number of 64 bits"),
        (line(b"1e308"), "expected a finite number under 'score'"),
        (line(b"NaN"), "NaN, which is no finite number and not JSON"),
        (line(b"-Infinity"), "-Infinity, which is no finite number"),
        (line(b"true"), "expected a finite number under 'score', got True"),
        (line(b'1, "score": 2'), "the key 'score' more than once"),
        (b'{"label": "\\ud800", "score": 1}', "surrogates not allowed"),
        (b'{"label": "\xed\xa0\x80", "score": 1}', "expected UTF-8 text"),
        (b'{"label": "\xff", "score": 1}', "expected UTF-8 text"),
        (b"[" * 100_000, "line 1: expected one JSON record a line"),
        (b'{"a":' * 100_000, "line 1: expected one JSON record a line"),
        (b"[" * 600 + b"]" * 600, "line 1: expected a record (JSON object), got [[[["),
        (b'{"label": "' + b"x" * 1_000_000 + b'", "score": 1}', "expected a label like 0_c0_i1, got 'xxx"),
        (b'{"' + b"x" * 1_000_000 + b'": 1}', "expected the key 'label'"),
    ],
    ids=range(18),
)
def test_lines_of_scores(refused, content, expected):
    assert expected in refused(WINOGROUND, {"w.jsonl": content})


def test_a_byte_order_mark_is_taken_in_every_format_of_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, (command, files) in FORMATS.items():
        marked = {
            n: b"\xef\xbb\xbf" + c if n.endswith((".json", ".jsonl", ".csv", ".tsv")) else c for n, c in files.items()
        }
        write(tmp_path, files)
        plain = verdict(command)
        write(tmp_path, marked)
        outcome, printed = verdict(command)
        assert outcome == "accepted", name
        if command[0] == "score":
            assert printed == plain[1], name
        for path in tmp_path.iterdir():
            path.unlink()


ROW = "s,e,{},0,0,1,2,3,4\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (COLUMNS.replace("edition", "suite") + ROW.format("a"), "expected a column of its own for every record, got"),
        (COLUMNS + ROW.format("micro"), "expected subsets that are not called micro or macro"),
        (COLUMNS + ROW.format("macro7"), "expected subsets that are not called micro or macro"),
        (COLUMNS + 's,e,"a\nmicro",0,0,1,2,3,4\n', "expected a name of one line under 'subset'"),
        (COLUMNS + ROW.format("\x1b[2Ja"), "expected a name of one line under 'subset'"),
        (COLUMNS + ROW.format("a").replace("4\n", "1e308\n"), "expected a finite number under 's11'"),
        (COLUMNS + ROW.format("a").replace("4\n", "1_0\n"), "expected a finite number under 's11', got '1_0'"),
        (COLUMNS + "".join(f"s,e,{n},{n},0,1,2,3,4\n" for n in range(1_001)), "at most 1,000 subsets, got 1,001"),
        (COLUMNS + ROW.format("a" * 200_000), "field larger than field limit"),
        ("a" * 2_000_000, "t.csv"),
    ],
    ids=range(10),
)  # fmt: skip
def test_tables_of_text(refused, content, expected):
    assert expected in refused([*TABLE, "t.csv"], {"t.csv": content.encode()})


def parquet(**columns):
    table = pa.table({key: [value] for key, value in zip(COLUMNS.strip().split(","), "seaqc1234", strict=True)})
    scores = {name: pa.array([1.0]) for name in ("s00", "s01", "s10", "s11")} | columns
    for name, values in scores.items():
        table = table.drop_columns([name] if name in table.column_names else []).append_column(name, values)
    return as_file(lambda file: pq.write_table(table, file))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (parquet(s00=pa.array([2**62]).cast(pa.timestamp("ms"))), "t.parquet: expected a parquet table"),
        (parquet(s00=pa.array([2**31 - 1], pa.int32()).cast(pa.date32())), "t.parquet: expected a parquet table"),
        (parquet(s00=pa.array([True])), "expected a finite number under 's00', got True"),
        (parquet(s00=pa.array([float("nan")])), "expected a finite number under 's00', got nan"),
        (parquet(subset=pa.array([[1]])), "expected a name or number under 'subset', got [1]"),
        (parquet()[:-1], "t.parquet: expected a parquet table"),
        (b"", "t.parquet: expected a parquet table"),
    ],
    ids=range(7),
)
def test_tables_of_columns(refused, content, expected):
    assert expected in refused([*TABLE, "t.parquet"], {"t.parquet": content})


def test_many_rows_and_long_texts_of_small_parquet_files_are_not_unpacked(refused):
    rows = as_file(lambda file: pq.write_table(pa.table({"a": pa.array(np.zeros(30_000_000, np.int8))}), file))
    assert len(rows) < 300_000
    assert "at most 4,194,304 rows" in refused([*TABLE, "t.parquet"], {"t.parquet": rows})
    texts = pa.table({"a": pa.array(["x" * 100_000]).dictionary_encode().take(pa.array([0] * 100_000))})
    texts = as_file(lambda file: pq.write_table(texts, file))
    assert "bytes unpacked" in refused([*TABLE, "t.parquet"], {"t.parquet": texts})


def test_a_key_for_each_record_does_not_fill_a_square(refused):
    quads = [{"image0": "a", "image1": "b", "caption0": "x", "caption1": "y", f"k{n}": 1} for n in range(10_000)]
    assert "expected at most" in refused(["doctor", "quads", "q.json", "--quiet"], {"q.json": as_json(quads)})


def npy(text, body=b"", size=None):
    header = text.encode("latin1") + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header) if size is None else size) + header + body


HEADER = "{{'descr': '{}', 'fortran_order': False, 'shape': {}}}"


@pytest.mark.parametrize(
    "content",
    [
        as_file(np.savez, np.zeros(12)),
        as_file(lambda file: zipfile.ZipFile(file, "w").close()),
        npy(HEADER.format("<f8", "(10**12,)")),
        npy(HEADER.format("<f8", "(1000000000000,)"), b"\0" * 96),
        npy(HEADER.format("<f8", "(4294967296, 4294967296)"), b"\0" * 96),
        npy(HEADER.format("<f8", "(-12,)"), b"\0" * 96),
        npy(HEADER.format("|O", "(12,)"), b"\0" * 96),
        npy(HEADER.format("<c16", "(12,)"), b"\0" * 192),
        npy(HEADER.format("<U99999999", "(12,)"), b"\0" * 96),
        npy("(" * 900, b"\0" * 96),
        npy("{'descr': ", b"\0" * 96),
        npy("\xff", b"\0" * 96),
        npy(HEADER.format("<f8", "(12,)"), b"\0" * 96, size=60_000),
        as_array(np.arange(12.0))[:-1],
        as_array(np.array([1e308] * 12)),
        as_array(np.array([np.longdouble(10) ** 400] * 12)),
        as_array(np.zeros((12, 10**6), dtype=np.bool_)[:, :0]),
        as_array(np.array(np.nan)),
    ],
    ids=range(18),
)
def test_arrays(refused, content):
    said = refused(EQBEN, FORMATS["eqben annotation"].files | {"s.npy": content})
    assert "s.npy" in said or "above" in said or "finite" in said


def test_json_scores_are_numbers(refused):
    for scores in ([True] * 12, [*range(11), True], [*range(11), "11"], [*range(11), None], [[1], 2], {"a": 1}, 5):
        command = FORMATS["eqben json"].command
        said = refused(command, FORMATS["eqben json"].files | {"s.json": as_json(scores)})
        assert "s.json: expected an array of numbers" in said


def test_options_that_do_not_belong_together(refused, capsys):
    files = FORMATS["eqben annotation"].files
    assert "index or info alone" in refused([*EQBEN, "--index", "s.npy"], files)
    assert "index or info alone" in refused([*EQBEN, "--info", "a.json"], files)
    table = COLUMNS + ROW.format("a")
    for other, expected in ((table.replace("s,e", "t,e"), "suite 's'"), (table.replace("s,e", "s,f"), "edition 'e'")):
        files = {"t.csv": table.encode(), "u.csv": other.encode()}
        assert f"u.csv: expected scores of {expected}, as in t.csv" in refused(
            [*TABLE, "t.csv", "--against", "u.csv"], files
        )
    for more in (
        ["--seed", "-1"],
        ["--resamples", "1000000000000"],
        ["--level", "nan"],
        ["--level", "2"],
        ["--edition", "a\nb"],
    ):
        assert more[0] in refused([*TABLE, "t.csv", *more], files)
    assert "--edition" in refused([*TABLE, "t.csv", "--edition", "\udcff"], files)


def test_a_layout_asks_for_no_room_before_it_is_checked(refused):
    command, files = FORMATS["eqben layout"]
    layout = as_json({"subsets": [{"name": "eqbenag", "quads": 10**12}, {"name": "eqbensd", "quads": 1}]})
    assert "expected an array (1000000000001, 4)" in refused(command, files | {"l.json": layout})


def test_a_prompt_of_many_options_takes_no_time(refused, tmp_path, monkeypatch):
    command, files = FORMATS["colorswap"]
    records = json.loads(files["t.json"])
    records[0]["prompt_image_1"] = "(A) x, or (B) " * 100_000
    monkeypatch.chdir(tmp_path)
    write(tmp_path, files | {"t.json": as_json(records)})
    assert verdict(command, seconds=5)[0] == "accepted"


def headers(content, **fields):
    """The second header of a tar, its sum mended."""
    content, at = bytearray(content), 1024
    for place, value in ((124, fields.get("size")), (156, fields.get("kind")), (0, fields.get("name"))):
        if value is not None:
            content[at + place : at + place + len(value)] = value
    content[at + 148 : at + 156] = b" " * 8
    content[at + 148 : at + 156] = b"%06o\0 " % sum(content[at : at + 512])
    return bytes(content)


SHARD = FORMATS["doctor captions shard"].files["s.tar"]
BEHIND = b"\xff" * 10 + b"\xfe\0"  # -512 in base 256


@pytest.mark.parametrize(
    "content",
    [
        headers(SHARD, kind=b"V", size=BEHIND),
        headers(SHARD, kind=b"S", size=BEHIND),
        headers(SHARD, kind=b"S", size=b"-0000001000\0"),
        headers(SHARD, kind=b"0", size=b"\xff" * 12),
        headers(SHARD, kind=b"L", size=BEHIND),
        headers(SHARD, kind=b"x", size=BEHIND),
        headers(SHARD, size=b"\x80" + (10**15).to_bytes(11, "big")),
        headers(SHARD, kind=b"L", size=b"\x80" + (10**15).to_bytes(11, "big")),
        headers(SHARD, kind=b"x", size=b"\x80" + (10**15).to_bytes(11, "big")),
        headers(SHARD, name=b"0.png\0"),
    ],
    ids=range(10),
)
def test_headers_of_tars(refused, content):
    assert "s.tar" in refused(["doctor", "captions", "s.tar", "--quiet"], {"s.tar": content}, seconds=10)


def test_names_of_members_that_are_no_paths(refused):
    for name in ("../x", "/x", "a\\b", "\udcff", "a\x1bb"):
        shard = as_tar({f"{name}.png": as_picture("png"), f"{name}.txt": b"a cup"})
        assert "s.tar" in refused(["doctor", "captions", "s.tar", "--quiet"], {"s.tar": shard})


def test_a_long_name_is_named_with_its_row(refused):
    quads = json.loads(FORMATS["doctor quads"].files["q.json"])
    for name in ("n" * 300 + ".png", "🐕" * 70 + ".png", "d/" * 3_000 + "x.png", "\x07.png"):
        quads[1]["image0"] = name
        said = refused(["doctor", "quads", "q.json", "--quiet"], {"q.json": as_json(quads)})
        assert "q.json, 1: expected a path" in said
        assert len(said) < 500
    assert relative("日本語/" * 20 + "x.png")


def test_pipes_and_folders_are_no_files(refused, tmp_path):
    os.mkfifo(tmp_path / "p.npy")
    os.mkfifo(tmp_path / "p.csv")
    (tmp_path / "d.jsonl").mkdir()
    assert "p.npy: expected a file" in refused(["score", "winoground", "--scores", "p.npy"], {}, seconds=5)
    assert "p.csv: expected a file" in refused([*TABLE, "p.csv"], {}, seconds=5)
    assert "d.jsonl: expected a file, got a folder" in refused([*TABLE, "d.jsonl"], {})


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate(LIMIT + 1)  # a file of zeros that takes no room
    for reader in (read_json, read_text, lambda path: next(stream_json(path))):
        with pytest.raises(InputError, match="a file of at most 1,073,741,824 bytes, got 1,073,741,825"):
            reader(tmp_path / "a.json")


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("kind", ["|V0", "|S0", "<U0"])
def test_an_array_of_entries_without_bytes_is_refused(refused, version, kind):
    """Mapping one would divide by the size of an entry and kill the process."""
    file = io.BytesIO()
    file.write(np.lib.format.magic(*version))
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': (400, 2, 2)}}\n".encode()
    file.write(len(text).to_bytes(2 if version == (1, 0) else 4, "little") + text)
    assert "p.npy: expected an array of numbers" in refused(
        ["score", "winoground", "--scores", "p.npy"], {"p.npy": file.getvalue()}
    )


def test_an_archive_that_unpacks_to_more_is_refused(refused, monkeypatch):
    monkeypatch.setattr("eqlib.files.LIMIT", 1 << 22)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"\0" * ((1 << 22) + 1))
    assert len(file.getvalue()) < 1 << 20
    for command in (["score", "vsr", "--scores", "p.xlsx"], [*TABLE, "p.pt"]):
        assert "bytes unpacked" in refused(command, {command[-1]: file.getvalue()})


def test_a_tensor_that_repeats_one_number_without_end_is_refused(refused):
    import torch

    many = torch.zeros(1).expand(10**12, 2, 2)
    assert "expected at most" in refused([*TABLE, "w.pt"], {"w.pt": as_file(lambda file: torch.save(many, file))})


def test_a_stream_is_read_like_a_file(tmp_path):
    """The items of a list, in pieces of any length, are those of the whole; what is broken is refused."""
    value = [{"a": "x" * n, "b": [1.5, n, None]} for n in range(2_000)] + [3, "ü\u2028\U0001f415", [[]], 12345]
    for text in (
        json.dumps(value),
        json.dumps(value, indent=1),
        "\ufeff \n" + json.dumps(value, ensure_ascii=False) + "\n \n",
    ):
        (tmp_path / "a.json").write_text(text, encoding="utf-8")
        assert list(stream_json(tmp_path / "a.json")) == value
    bad = [
        "",
        "5",
        "{}",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[1 2]",
        "[1] 2",
        "[,]",
        '["\\ud800"]',
        '[{"a":1,"a":2}]',
        "[NaN]",
        "[" * 10**5,
    ]
    for text in bad:
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(InputError, match=r"a\.json"):
            list(stream_json(tmp_path / "a.json"))
    (tmp_path / "a.json").write_text(" [ ] ")
    assert list(stream_json(tmp_path / "a.json")) == []


SURROGATES = st.text(st.characters(categories=["L", "Cs", "N", "P", "Cf"]), max_size=6)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SURROGATES, st.booleans())
def test_texts_are_read_whole_or_refused(tmp_path, text, escaped):
    """Half a pair of surrogates is refused however it is written; any other text comes back as it was."""
    record = {"path": "1.png", "caption": f"a{text}"}
    encoded = json.dumps(record, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    (tmp_path / "c.jsonl").write_bytes(encoded)
    whole = json.loads(json.dumps(record))["caption"]  # two halves side by side are one letter
    try:
        whole.encode()
        if not escaped:
            record["caption"].encode()
    except UnicodeEncodeError:
        with pytest.raises(InputError, match=r"c\.jsonl"):
            read("captions", tmp_path / "c.jsonl")
        return
    assert read("captions", tmp_path / "c.jsonl").captions == [whole]


NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
ANY = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=50)
@given(ANY)
def test_whatever_json_writes_is_read_as_it_was(value):
    assert parse_json(json.dumps(value), "x") == value
    assert parse_json(json.dumps(value, ensure_ascii=False), "x") == value


def png(width, height):
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width // 8 + 2) * height), 9)

    def part(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", rows) + part(b"IEND", b"")


def test_a_small_file_of_many_pixels_is_not_decoded(tmp_path):
    (tmp_path / "a.png").write_bytes(png(13_000, 13_000))
    assert (tmp_path / "a.png").stat().st_size < 25_000
    with pytest.raises(InputError, match=r"a\.png, quad 3: expected at most 67,108,864 pixels, got 13000 x 13000"):
        open_image(tmp_path / "a.png", row="quad 3")
    assert 13_000**2 > PIXELS > 8_000**2


GREY = np.linspace(0, 65_535, 30).astype(np.uint16).reshape(5, 6)


def test_pictures_of_other_kinds_show_what_they_hold(tmp_path):
    """16 bits are scaled, not cut at 255; of an animation the first frame counts; CMYK becomes RGB."""
    for suffix in ("png", "tif"):
        Image.fromarray(GREY).save(tmp_path / f"grey.{suffix}")
        assert np.asarray(open_image(tmp_path / f"grey.{suffix}"))[:, :, 1].tolist() == (GREY >> 8).tolist()
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "blue")]
    for suffix in ("gif", "webp", "png"):
        options = {"lossless": True} if suffix == "webp" else {}
        frames[0].save(tmp_path / f"two.{suffix}", save_all=True, append_images=frames[1:], **options)
        assert open_image(tmp_path / f"two.{suffix}").getpixel((1, 1)) == (255, 0, 0)
    Image.new("CMYK", (4, 3), (0, 255, 255, 0)).save(tmp_path / "ink.tif")
    assert open_image(tmp_path / "ink.tif").getpixel((1, 1)) == (255, 0, 0)


def test_only_pictures_of_pixels_are_opened(tmp_path):
    """Pillow hands Postscript to a program."""
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with pytest.raises(InputError, match="a readable image"):
        open_image(tmp_path / "a.png")


def test_links_may_lead_about_but_not_out(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "deep").mkdir(parents=True)
    outside.mkdir()
    for place in (root / "deep/0.png", outside / "1.png"):
        Image.new("RGB", (4, 4)).save(place)
    (root / "0.png").symlink_to("deep/0.png")
    (root / "1.png").symlink_to(outside / "1.png")
    (root / "q.json").write_bytes(as_json([{"image0": "0.png", "image1": "1.png", "caption0": "x", "caption1": "y"}]))
    report = check("quads", root / "q.json", show_progress=False)
    assert [(path.name, what.split(":")[0]) for path, _, what in report.offenders] == [("1.png", "unreadable")]
    assert "outside/1.png" in str(report)
    with pytest.raises(
        InputError, match=r"1\.png, quad 0: expected a file under .*root, got a link to .*outside/1\.png"
    ):
        require_images(root, dict.fromkeys(["0.png", "1.png"], "quad 0"))
    (tmp_path / "linked").symlink_to(root)
    require_images(tmp_path / "linked", {"0.png": 0})
    kept = tmp_path / "cache/files/md5/ab" / ("0" * 30)  # as DVC lays out data with cache.type symlink
    kept.parent.mkdir(parents=True)
    kept.write_bytes((outside / "1.png").read_bytes())
    (root / "2.png").symlink_to(kept)
    require_images(root, {"2.png": 0})


def test_a_subset_called_as_an_average_is_refused_before_any_model_runs(tmp_path):
    quads = [{"image0": "0.png", "image1": "1.png", "caption0": "x", "caption1": "y", "subset": "micro"}]
    (tmp_path / "q.json").write_bytes(as_json(quads))
    with pytest.raises(InputError, match="not called micro or macro"):
        read("quads", tmp_path / "q.json")
    table = score_table(np.zeros((4, 2, 2)), suite="s", edition="e", subset=["a", "a", "macro2", "macro2"])
    both = pd.concat([table.assign(method=method) for method in "mn"])
    for run in (lambda: summarise(table), lambda: compare(both, baseline="m")):
        with pytest.raises(InputError, match="not called micro or macro"):
            run()


def test_a_reader_of_your_own_must_give_a_suite(refused):
    for reader in ("os:listdir", "os:nothing", "antigravity_no:x", ":", "os:"):
        assert refused(["doctor", reader, ".", "--quiet"], {})


@pytest.mark.parametrize("name", ["<b>", "'", '"', "&amp;", "\u202egpj.exe", "🐕‍🦺", "日本", "%s{0}", "C:"])
def test_odd_names_are_printed_as_they_are(tmp_path, capsys, name):
    table = score_table(
        np.ones((3, 2, 2)), suite=name, edition=name, subset=[name, name, "b"], cluster=[name, "x", "y"]
    )
    table.to_csv(tmp_path / "t.csv", index=False)
    assert main([*TABLE, str(tmp_path / "t.csv"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["suite"], list(record["subsets"])) == (name, [name, "b"])
    assert main([*TABLE, str(tmp_path / "t.csv")]) == 0
    assert name in capsys.readouterr().out


def test_a_path_that_is_no_text_is_printed_all_the_same(tmp_path):
    import subprocess
    import sys

    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)
    with open(folder + b"/q.json", "wb") as file:
        file.write(as_json([{"image0": "0.png", "image1": "1.png", "caption0": "x", "caption1": "y"}]))
    command = [sys.executable, "-m", "eqlib.cli", "doctor", "quads", folder + b"/q.json", "--quiet"]
    done = subprocess.run(command, capture_output=True, env=os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0"})
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"NOT WHOLE" in done.stdout


def test_messages_do_not_end(refused):
    """No part of a message is as long as what came: a caption, a name, a list, a table's header."""
    long = "x" * 1_000_000
    valse = {long: {"image_file": "a.png", "caption": "a dog"}}
    for command, files in (
        (["doctor", "valse", ".", "--quiet"], {"v.json": as_json(valse)}),
        (["score", "vsr", "--scores", "v.jsonl"], {"v.jsonl": as_lines([{"id": long, "label": long, "score": 0.5}])}),
        ([*TABLE, "t.json"], {"t.json": as_json([[long] * 9])}),
        (
            ["doctor", "captions", "c.json", "--quiet", "--split", "x"],
            {"c.json": as_json([{"path": "a", "caption": "x", "split": long}])},
        ),
    ):
        assert len(refused(command, files)) < 800
    assert len(str(InputError(long, [long] * 9, row=long))) < 1_500


def test_workers_get_errors_of_any_length():
    import pickle

    error = InputError("a", "b", where="c", row=("x" * 10**6))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_table_of_pandas_is_read_back(tmp_path):
    """Numbers, names and empty cells of Excel are those of CSV."""
    table = pd.DataFrame(
        {"index": [0, 1], "answer": ["Yes", "No"], "prediction": ["yes", None], "n": [1.5, 2.0], "b": [True, False]}
    )
    from eqlib.suites.quadfile import read_records

    for kind in ("csv", "tsv", "xlsx"):
        (tmp_path / f"t.{kind}").write_bytes(as_table(table, kind))
    [first, second, third] = (read_records(tmp_path / f"t.{kind}") for kind in ("csv", "tsv", "xlsx"))
    assert first == second
    assert [record | {"n": float(record["n"])} for record in third] == [r | {"n": float(r["n"])} for r in first]
    assert "prediction" not in third[1]


def test_tars_are_what_tarfile_writes(tmp_path):
    """No header that tarfile itself writes is refused: folders, links, long names, sizes of every rest of a block."""
    with tarfile.open(tmp_path / "s.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        for kind, name in ((tarfile.DIRTYPE, "d"), (tarfile.SYMTYPE, "l"), (tarfile.FIFOTYPE, "f")):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "0.png"
            tar.addfile(entry)
        for n, name in enumerate(("0", "n" * 150, "d/1.2")):
            for suffix, content in (("png", as_picture("png")), ("txt", b"x" * (510 + n))):
                entry = tarfile.TarInfo(f"{name}.{suffix}" if n < 2 else f"d/1.{suffix}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    assert len(read("captions", tmp_path / "s.tar").images) == 3


def test_json_of_many_small_records_is_not_built(refused):
    """A file of 15 MB that would take half a gigabyte."""
    many = b"[" + b"{}," * 5_000_000 + b"{}]"
    assert "at most 4,194,304 records and lists, got 5,000,002" in refused([*TABLE, "t.json"], {"t.json": many})
    assert "at most 4,194,304 rows" in refused([*TABLE, "t.csv"], {"t.csv": b"a\n" * 5_000_000})
