"""``eqlib score`` and ``eqlib doctor`` as a person calls them: output, exit code, one line for bad input."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from eqlib.cli import main
from eqlib.quads import score_table

RIGHT, WRONG = [[4.0, 1.0], [2.0, 3.0]], [[1.0, 2.0], [2.0, 1.0]]


@pytest.fixture
def winoground(tmp_path):
    """Four items, three right."""

    def write(name, blocks):
        lines = [
            json.dumps({"label": f"{item}_c{caption}_i{image}", "score": block[image][caption]})
            for item, block in enumerate(blocks)
            for image in (1, 0)
            for caption in (0, 1)
        ]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        return str(tmp_path / name)

    return write


def printed(capsys, *arguments):
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def refused(capsys, *arguments):
    """The one line on stderr of a command that must fail with exit code 2 and print nothing else."""
    assert main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("eqlib: ")
    assert err.count("\n") == 1
    return err


@pytest.fixture
def eqben(tmp_path):
    """Ten videos of four quads, all right or all wrong, by the three ways in: arguments of ``eqlib score eqben``."""
    right = np.repeat([True] * 3 + [False] * 7, 4)
    natural = np.where(right[:, None], [4.0, 1.0, 2.0, 3.0], [1.0, 2.0, 2.0, 1.0])  # c0_i0, c1_i0, c0_i1, c1_i1
    names = ("c0i0", "c1i0", "c0i1", "c1i1")
    info = [{"dataset": "eqbenag", "name": name, "sample_cnt": quad} for quad in range(40) for name in names]
    rows = [
        {"image": f"eqbenag/{i['sample_cnt'] // 4}/{i['name']}.png", "caption": "x", "private_info": i} for i in info
    ]
    order = np.random.default_rng(0).permutation(160).tolist()
    clusters = [{"quad": quad, "cluster": quad // 4} for quad in range(40)]
    layout = {"subsets": [{"name": "eqbenag", "quads": 40}]}
    content = {"rows": [rows[n] for n in order], "index": order, "info": info, "layout": layout, "clusters": clusters}
    path = {name: str(tmp_path / f"{name}.json") for name in content}
    for name, value in content.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    np.save(tmp_path / "natural.npy", natural)
    np.save(tmp_path / "submitted.npy", natural.ravel()[order])
    submitted = ("--scores", str(tmp_path / "submitted.npy"))
    return {
        "annotation": (*submitted, "--annotation", path["rows"]),
        "index": (*submitted, "--index", path["index"], "--info", path["info"]),
        "layout": ("--scores", str(tmp_path / "natural.npy"), "--layout", path["layout"]),
    }, ("--clusters", path["clusters"])


def test_eqben_has_one_interval_by_every_way_in(capsys, eqben):
    ways, clusters = eqben
    expected = json.loads(printed(capsys, "score", "eqben", *ways["annotation"], "--json"))
    group = expected["subsets"]["eqbenag"]["group"]
    assert group["point"] == 0.3
    # ten videos, three right: the binomial's 2.5 and 97.5 % points are 1 and 6 of ten, whatever the quads in each
    assert group["high"] - group["low"] > 0.45
    for way in ("index", "layout"):
        record = json.loads(printed(capsys, "score", "eqben", *ways[way], *clusters, "--json"))
        assert record["subsets"]["eqbenag"]["group"] == group
        assert record["warnings"] == expected["warnings"] == []
        assert main(["score", "eqben", *ways[way], "--json"]) == 0
        out, err = capsys.readouterr()
        (warning,) = json.loads(out)["warnings"]
        assert "eqbenag" in warning
        assert err == f"eqlib: warning: {warning}\n"
        narrow = json.loads(out)["subsets"]["eqbenag"]["group"]
        assert narrow["high"] - narrow["low"] < 0.3


@pytest.mark.parametrize("stem", ["eqben_subset_10percent_final", "all_select"])
def test_eqbens_small_editions_are_lists_of_quads(capsys, tmp_path, stem):
    """Six frames pairs of three videos and two drawings; the first video's quads and the first drawing are right."""
    quads = [
        {
            "image0": f"eqbenag/{n // 2}/{n}.png",
            "image1": f"eqbenag/{n // 2}/{n}b.png",
            "caption0": "x",
            "caption1": "y",
        }
        for n in range(6)
    ]
    quads += [
        {"image0": f"eqbensd/{n}.png", "image1": f"eqbensd/{n}b.png", "caption0": "x", "caption1": "y"}
        for n in range(2)
    ]
    annotation = tmp_path / f"{stem}.json"
    annotation.write_text(json.dumps(quads))
    blocks = np.array([RIGHT, RIGHT, WRONG, WRONG, WRONG, WRONG, RIGHT, WRONG])
    np.save(tmp_path / "blocks.npy", blocks)
    np.save(tmp_path / "rows.npy", blocks.reshape(-1, 4))  # c0_i0, c1_i0, c0_i1, c1_i1
    torch = pytest.importorskip("torch")
    torch.save(torch.tensor(blocks), tmp_path / "blocks.pt")
    found = []
    for name in ("blocks.npy", "rows.npy", "blocks.pt"):
        arguments = ("--scores", str(tmp_path / name), "--annotation", str(annotation))
        found.append(json.loads(printed(capsys, "score", "eqben", *arguments, "--json")))
    assert found[0] == found[1] == found[2]
    assert found[0]["edition"].startswith("mini, " if stem == "all_select" else "10 %, ")
    assert found[0]["subsets"]["eqbenag"]["group"]["point"] == pytest.approx(2 / 6)
    assert found[0]["subsets"]["eqbenag"]["clusters"] == 3
    assert found[0]["average"]["macro2"]["group"]["point"] == pytest.approx((2 / 6 + 1 / 2) / 2)
    np.save(tmp_path / "short.npy", blocks[:7])
    error = refused(capsys, "score", "eqben", "--scores", str(tmp_path / "short.npy"), "--annotation", str(annotation))
    assert "expected scores (8, 2, 2) or (8, 4), got 7 quads" in error


def test_winoground_by_its_tags(capsys, winoground, tmp_path):
    tags = ["Object", "Relation", "Object", "Both"]
    lines = [json.dumps({"id": n, "collapsed_tag": tag}) for n, tag in enumerate(tags)]
    (tmp_path / "examples.jsonl").write_text("\n".join(lines))
    scores = winoground("scores.jsonl", [RIGHT, WRONG, RIGHT, RIGHT])
    arguments = ("score", "winoground", "--scores", scores, "--tags", str(tmp_path / "examples.jsonl"))
    record = json.loads(printed(capsys, *arguments, "--json"))
    points = {tag: (cell["n"], cell["group"]["point"]) for tag, cell in record["subsets"].items()}
    assert points == {"Object": (2, 1.0), "Relation": (1, 0.0), "Both": (1, 1.0)}
    assert record["average"]["micro"]["group"]["point"] == 0.75
    (tmp_path / "examples.jsonl").write_text(lines[0])
    assert "examples.jsonl: expected item 1, got none" in refused(capsys, *arguments)


def test_winoground_json(capsys, winoground):
    file = winoground("ours.jsonl", [RIGHT, RIGHT, RIGHT, WRONG])
    record = json.loads(printed(capsys, "score", "winoground", "--scores", file, "--json"))
    assert {key: record[key] for key in ("suite", "edition", "n", "ties")} == {
        "suite": "winoground",
        "edition": "4 of 400 items",
        "n": 4,
        "ties": 0,
    }
    assert list(record["subsets"]) == ["all"]
    assert record["subsets"]["all"]["n"] == 4
    for score in ("text", "image", "group", "group_match"):
        cell = record["subsets"]["all"][score]
        assert (cell["point"], cell["low"], cell["high"]) == pytest.approx((0.75, 0.3006, 0.9544), abs=1e-4)
        assert cell["interval"] == "wilson"
    assert record["subsets"]["all"]["clusters"] == 4
    assert record["average"]["micro"]["group"]["point"] == 0.75
    assert list(record["average"]) == ["micro", "macro"]
    assert record["average"]["macro"] is None  # of one subset


def test_table_for_people_and_per_item_output(capsys, winoground, tmp_path):
    file, items = winoground("ours.jsonl", [RIGHT, RIGHT, RIGHT, WRONG]), tmp_path / "items.parquet"
    text = printed(capsys, "score", "winoground", "--scores", file, "--items", str(items))
    assert "75.00 [30.06, 95.44]" in text
    assert "percent [95 % interval: wilson]" in text
    table = pd.read_parquet(items)
    assert table["group"].tolist() == [True, True, True, False]
    assert table["I"].tolist() == [4, 4, 4, -2]


def test_equivariance_and_shortcuts_on_request(capsys, winoground):
    file = winoground("ours.jsonl", [RIGHT, RIGHT, RIGHT, WRONG])
    arguments = ["score", "winoground", "--scores", file, "--also", "equivariance", "--also", "shortcuts"]
    cell = json.loads(printed(capsys, *arguments, "--json"))["subsets"]["all"]
    assert cell["I"]["point"] == (4 + 4 + 4 - 2) / 4
    assert cell["abs_a"]["point"] == cell["abs_b"]["point"] == 0.75
    assert cell["same_caption"]["point"] == 0
    assert cell["first_caption"]["point"] == 0.5
    assert "in units of the scores" in printed(capsys, *arguments)


def test_against_is_paired_and_signed(capsys, winoground):
    ours = winoground("ours.jsonl", [RIGHT] * 6 + [WRONG])
    theirs = winoground("theirs.jsonl", [WRONG] * 6 + [WRONG])
    record = json.loads(printed(capsys, "score", "winoground", "--scores", ours, "--against", theirs, "--json"))
    group = record["against"]["all"]["group"]
    assert group["point"] == pytest.approx(6 / 7)
    assert group["p"] == pytest.approx(0.0498, abs=1e-4)  # six gained, none lost: t = sqrt(6), 6 degrees of freedom
    assert group["low"] > 0
    assert (group["test"], group["clusters"]) == ("score", 7)
    assert "ours - theirs" in printed(capsys, "score", "winoground", "--scores", ours, "--against", theirs)


def test_foils_with_and_without_probabilities(capsys, tmp_path):
    file = tmp_path / "foils.csv"
    file.write_text("item,subset,caption,foil\n0,plurals,0.9,0.2\n1,plurals,0.6,0.7\n2,existence,0.4,0.3\n")
    record = json.loads(printed(capsys, "score", "valse", "--scores", str(file), "--json"))
    assert record["subsets"]["plurals"]["pairwise"]["point"] == 0.5
    assert record["ties"] == 0
    record = json.loads(printed(capsys, "score", "valse", "--scores", str(file), "--probabilities", "--json"))
    assert record["average"]["micro"]["acc"]["point"] == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert record["average"]["micro"]["min_pc_pf"] == pytest.approx(2 / 3)
    assert "acc" in printed(capsys, "score", "valse", "--scores", str(file), "--probabilities")
    file.write_text("caption,foil\n31.5,30.2\n")
    assert "probabilities in [0, 1]" in refused(capsys, "score", "valse", "--scores", str(file), "--probabilities")


def test_score_table_of_an_own_set(capsys, tmp_path):
    scores = np.array([RIGHT, WRONG, RIGHT, WRONG])
    table = score_table(scores, suite="mine", edition="1", subset=["a", "a", "b", "b"], cluster=list("wxyz"))
    table.to_csv(tmp_path / "t.csv", index=False)
    record = json.loads(printed(capsys, "score", "table", "--scores", str(tmp_path / "t.csv"), "--json"))
    assert record["suite"] == "mine"
    assert record["average"]["macro"]["group"]["point"] == 0.5


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"label": "0_c0_i0"}\n', "line 1"),
        ('{"label": "0_c0_i0", "score": NaN}\n', "finite"),
        ('{"label": "0_c0_i0", "score": 1}\n' * 2, "line 2"),
        ('{"label": "0_c0_i0", "score": 1}\n', "c1_i0 of item 0"),
        ('{"label": "0_c2_i0", "score": 1}\n', "line 1"),
        ("", "at least one record"),
    ],
)
def test_bad_winoground_lines(capsys, tmp_path, content, expected):
    (tmp_path / "bad.jsonl").write_text(content)
    message = refused(capsys, "score", "winoground", "--scores", str(tmp_path / "bad.jsonl"))
    assert "bad.jsonl" in message
    assert expected in message


def test_doctor_names_a_missing_picture(capsys, tmp_path):
    from PIL import Image

    record = {"image0": "0.png", "image1": "1.png", "caption0": "a cup", "caption1": "a tray"}
    (tmp_path / "quads.json").write_text(json.dumps([record]))
    Image.new("RGB", (4, 4)).save(tmp_path / "0.png")
    check = ["doctor", "quads", str(tmp_path / "quads.json"), "--quiet"]
    assert main(check) == 1
    out = capsys.readouterr().out
    assert "NOT WHOLE" in out
    assert "1.png" in out
    Image.new("RGB", (4, 4)).save(tmp_path / "1.png")
    assert main(check) == 0
    capsys.readouterr()
    assert "quads" in refused(capsys, "doctor", "absent", str(tmp_path), "--quiet")
    unknown = refused(capsys, *check, "--split", "val")
    assert "expected an option of the reader quads" in unknown
    assert "got 'split'" in unknown


def test_missing_file(capsys, tmp_path):
    for suite, name in (("winoground", "absent.jsonl"), ("sugarcrepe", "absent.csv"), ("valse", "absent.csv")):
        assert name in refused(capsys, "score", suite, "--scores", str(tmp_path / name))
    assert "absent.npy" in refused(capsys, "score", "eqben", "--scores", str(tmp_path / "absent.npy"))
    assert str(tmp_path) in refused(capsys, "score", "bivlc", "--scores", str(tmp_path))


def test_a_folder_in_the_place_of_an_output_stays(capsys, winoground, tmp_path):
    (tmp_path / "results.csv").mkdir()
    (tmp_path / "results.csv/years of work.txt").write_text("here")
    scores = winoground("s.jsonl", [RIGHT])
    message = refused(capsys, "score", "winoground", "--scores", scores, "--items", str(tmp_path / "results.csv"))
    assert "results.csv: expected a name that no folder has" in message
    assert (tmp_path / "results.csv/years of work.txt").read_text() == "here"


def test_unknown_command_says_so():
    done = subprocess.run([sys.executable, "-m", "eqlib.cli", "score", "nonsense"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "nonsense" in done.stderr


def test_scoring_and_its_files_load_no_torch():
    code = "import sys, eqlib.cli, eqlib.scoring, eqlib.suites.eqben_scores; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_real_winoground_file(capsys, shared):
    file = shared / "realdata/scores/winoground/clip_l14.jsonl"
    expected = json.loads((file.parent / "expected.json").read_text())["clip_l14"]
    record = json.loads(printed(capsys, "score", "winoground", "--scores", str(file), "--json"))
    got = {score: 100 * record["subsets"]["all"][score]["point"] for score in expected}
    assert got == pytest.approx(expected, abs=0.0051)


def test_golden_eqben_with_ties(capsys, golden_folder):
    golden = golden_folder / "eqben_scoring"
    expected = json.loads((golden / "expected.json").read_text())
    annotation, scores = str(golden / "ann_json_finegrained_random.json"), str(golden / "prediction.npy")
    record = json.loads(printed(capsys, "score", "eqben", "--annotation", annotation, "--scores", scores, "--json"))
    for subset, figures in expected["subsets"].items():
        assert {score: record["subsets"][subset][score]["point"] for score in figures} == figures
    assert record["n"] == 660
    assert 0 < record["ties"] == sum(cell["ties"] for cell in record["subsets"].values())
    micro = {score: record["average"]["micro"][score]["point"] for score in expected["winoground_all"]}
    assert micro == pytest.approx(expected["winoground_all"], abs=1e-7)
    assert list(record["average"]) == ["micro", "macro7", "macro5"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("suite,edition\ns,e\n", "missing"),
        ("suite,edition,subset,quad,cluster,s00,s01,s10,s11\ns,e,a,0,0,1,2,3,x\n", "row 0"),
        ("suite,edition,subset,quad,cluster,s00,s01,s10,s11\ns,e,a,0,0,1,2,3,inf\n", "row 0"),
        ("suite,edition,subset,quad,cluster,s00,s01,s10,s11\ns,e,a,0,0,1,2,3,4\ns,e,,1,1,1,2,3,4\n", "row 1"),
        ("suite,edition,subset,quad,cluster,s00,s01,s10,s11\n" + "s,e,a,0,0,1,2,3,4\n" * 2, "twice"),
        ("suite,edition,subset,quad,cluster,s00,s01,s10,s11\ns,e,a,0,0,1,2,3,4\ns,f,a,0,0,1,2,3,4\n", "several"),
        ("", "table"),
    ],
)
def test_bad_score_tables(capsys, tmp_path, content, expected):
    (tmp_path / "t.csv").write_text(content)
    message = refused(capsys, "score", "table", "--scores", str(tmp_path / "t.csv"))
    assert "t.csv" in message
    assert expected in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("caption\n1\n", "foil missing"),
        ("caption,foil\n1,2\n1,\n", "row 1"),
        ("item,caption,foil\n0,1,2\n0,1,2\n", "'0' twice"),
    ],
)
def test_bad_foils(capsys, tmp_path, content, expected):
    (tmp_path / "f.csv").write_text(content)
    message = refused(capsys, "score", "valse", "--scores", str(tmp_path / "f.csv"))
    assert "f.csv" in message
    assert expected in message
