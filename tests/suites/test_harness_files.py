"""Files that harnesses wrote (see harness/README.md) give the harnesses' own figures, by id and in any order."""

from __future__ import annotations

import importlib.util
import json
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from eqlib.cli import main
from eqlib.errors import InputError
from eqlib.quads import scores_of
from eqlib.scoring import matching
from eqlib.suites.outcomes import naturalbench_answers, option, statement_answers
from eqlib.suites.quadfile import read_quads
from eqlib.suites.score_files import array_quads
from eqlib.suites.score_lines import foil_lines, sample_quads, statement_lines

HERE = Path(__file__).with_name("harness")


def means(table):
    return {name: right.mean() for name, right in matching(scores_of(table)).items()}


def lines(path, records):
    path.write_text("\n".join(json.dumps(record) for record in records))
    return path


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lmms_eval_s_samples_give_the_table_that_it_printed():
    table = sample_quads(HERE / "lmms_samples_quads_winoground.jsonl", suite="winoground")
    assert means(table) == {"text": 0.75, "image": 0.75, "group": 0.75, "group_match": 0.875}
    assert table["unparsed"].sum() == 2
    table = sample_quads(HERE / "lmms_samples_quads_winoground_p_yes.jsonl", suite="winoground")
    assert means(table) == {"text": 0.25, "image": 0.125, "group": 0.125, "group_match": 0.25}
    assert (scores_of(table) < 0).all()  # log-likelihoods


@pytest.mark.parametrize("kind", ["xlsx", "tsv", "json"])
def test_vlmevalkit_s_predictions_give_what_it_computes(kind):
    table = naturalbench_answers(HERE / f"model_NaturalBenchDataset.{kind}")
    means = table[["q_acc", "i_acc", "acc", "group"]].mean().to_dict()
    assert means == pytest.approx({"q_acc": 1 / 6, "i_acc": 1 / 3, "acc": 13 / 24, "group": 0})
    assert table["unparsed"].sum() == 4
    assert table["edition"].iloc[0] == "6 of 1,900 groups"
    vsr = statement_answers(HERE / f"model_VSR-zeroshot.{kind}")
    assert (vsr["accuracy"].sum(), vsr["unparsed"].sum(), len(vsr)) == (8, 2, 10)


def test_lmms_eval_s_naturalbench_is_read_by_its_own_index():
    table = naturalbench_answers(HERE / "lmms_samples_naturalbench.jsonl")
    by_hand = [record["naturalbench_G_ACC"]["score"] for record in records(HERE / "lmms_samples_naturalbench.jsonl")]
    groups = np.reshape(by_hand, (-1, 4)) == (1, 0, 0, 1)
    assert table["acc"].tolist() == groups.mean(axis=1).tolist()
    assert table["group"].tolist() == groups.all(axis=1).tolist()
    assert table["unparsed"].sum() == by_hand.count(-1)


def test_t2v_metrics_array_takes_its_names_from_the_quads():
    table = array_quads(HERE / "t2v_EqBen_Mini.pt", suite="eqben", items=read_quads(HERE / "quads.jsonl"))
    found = means(table)  # its get_winoground_acc: text 5/6, image 4/6, group 3/6
    assert [found[name] for name in ("text", "image", "group")] == pytest.approx([5 / 6, 4 / 6, 3 / 6])
    assert table["quad"].tolist() == [f"ag/{n}" for n in range(6)]
    assert table["cluster"].nunique() == 3
    with pytest.raises(InputError, match="--quads"):
        array_quads(HERE / "t2v_EqBen_Mini.pt", suite="winoground")


def test_all_of_winoground_needs_no_names(tmp_path):
    scores = np.random.default_rng(0).random((400, 2, 2)).astype(np.float32)
    np.save(tmp_path / "s.npy", scores)
    torch.save(torch.tensor(scores), tmp_path / "s.pt")
    tables = [array_quads(tmp_path / name, suite="winoground") for name in ("s.npy", "s.pt")]
    pd.testing.assert_frame_equal(*tables)
    assert tables[0]["quad"].tolist() == [str(n) for n in range(400)]
    assert tables[0]["s01"].iloc[7] == scores[7, 0, 1]  # image, caption


def test_no_file_runs_code(tmp_path):
    mark = tmp_path / "ran"

    class Bomb:
        def __reduce__(self):
            return Path.touch, (mark,)

    torch.save({"scores": Bomb()}, tmp_path / "s.pt")
    with pytest.raises(InputError, match="no code"):
        array_quads(tmp_path / "s.pt", suite="winoground")
    assert not mark.exists()


def test_the_order_of_lines_says_nothing(tmp_path):
    for name, read in (
        ("lmms_samples_quads_winoground.jsonl", lambda path: sample_quads(path, suite="w")),
        ("lmms_samples_naturalbench.jsonl", naturalbench_answers),
    ):
        mixed = records(HERE / name)
        random.Random(1).shuffle(mixed)
        again = read(lines(tmp_path / name, mixed)).set_index("quad")
        pd.testing.assert_frame_equal(again.sort_index(), read(HERE / name).set_index("quad").sort_index())


def test_two_files_of_different_origin_meet_by_id(tmp_path, capsys):
    """Winoground lines, shuffled, against an array: the same scores, so every difference is 0."""
    scores = np.random.default_rng(0).random((400, 2, 2)).astype(np.float32)
    np.save(tmp_path / "array.npy", scores)
    cells = [{"label": f"{n}_c{c}_i{i}", "score": float(s)} for (n, i, c), s in np.ndenumerate(scores)]
    random.Random(0).shuffle(cells)
    path = lines(tmp_path / "lines.jsonl", cells)
    how = ["score", "winoground", "--scores", str(path), "--protocol", "p-yes"]
    assert main([*how, "--against", str(tmp_path / "array.npy"), "--json", "--items", str(tmp_path / "i.csv")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["protocol"] == "p-yes"
    assert found["against"]["all"]["group"]["point"] == 0
    items = pd.read_csv(tmp_path / "i.csv")
    assert items["group"].mean() == pytest.approx(found["subsets"]["all"]["group"]["point"])
    lines(tmp_path / "fewer.jsonl", [cell for cell in cells if not cell["label"].startswith("17_")])
    assert main([*how, "--against", str(tmp_path / "fewer.jsonl")]) == 2
    assert "scores of edition '400 items', as in lines.jsonl, got '399 of 400 items'" in capsys.readouterr().err


def test_the_command_line_says_the_protocol_and_what_was_not_understood(capsys):
    path = str(HERE / "lmms_samples_quads_winoground.jsonl")
    assert main(["score", "winoground", "--scores", path, "--protocol", "generation"]) == 0
    said = capsys.readouterr().out
    assert "protocol: generation" in said
    assert "counted wrong: 2" in said
    assert main(["score", "naturalbench", "--scores", str(HERE / "model_NaturalBenchDataset.tsv")]) == 0
    assert "protocol: not declared" in capsys.readouterr().out
    path = str(HERE / "lmms_samples_quads_winoground_p_yes.jsonl")
    assert main(["score", "winoground", "--scores", path, "--protocol", "p-yes"]) == 2
    assert "item 0: expected probabilities in [0, 1]" in capsys.readouterr().err


def test_an_id_that_winoground_does_not_have_is_named(tmp_path, capsys):
    cells = [{"label": f"{item}_c{c}_i{i}", "score": 0.5} for item in (0, 400) for c in (0, 1) for i in (0, 1)]
    assert main(["score", "winoground", "--scores", str(lines(tmp_path / "s.jsonl", cells))]) == 2
    assert "expected ids 0 to 399, got 1 others" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [("Yes.", "yes_no", 1), ("No, yes", "yes_no", 0), ("eyes know", "yes_no", None), ("", "yes_no", None),
     ("(B) two", "multiple_choice", 0), ("Answer: A", "multiple_choice", 1), ("C", "multiple_choice", None)],
)  # fmt: skip
def test_the_first_option_named_is_the_answer(text, kind, said):
    assert option(text, kind) == said


CELL = {"id": "1", "image": 0, "caption": 0, "value": 0.5}
FOUR = [{"eqlib_group": {**CELL, "image": i, "caption": c}} for i in (0, 1) for c in (0, 1)]
NATURAL = [
    {"index": k, "answer": "yes" if k in (0, 3) else "no", "type": "yes_no", "prediction": "no"} for k in range(4)
]
FOIL = [{"label": "0_c", "score": 0.5}, {"label": "0_f", "score": 0.4}]
VSR = {"id": 0, "label": 1, "score": 0.5}


def samples(path):
    return sample_quads(path, suite="w")


@pytest.mark.parametrize(
    ("read", "content", "message"),
    [
        (samples, FOUR[:3], "c1_i1 of item 1, got none"),
        (samples, [*FOUR, FOUR[0]], "line 5, eqlib_group: expected each item and cell once"),
        (samples, [{"eqlib_group": {**CELL, "value": "high"}}], "a finite number under 'value', got 'high'"),
        (samples, [{"eqlib_group": {**CELL, "image": 2}}], "0 or 1 under 'image', got 2"),
        (samples, [{"filtered_resps": "yes"}], "the key 'eqlib_group'"),
        (naturalbench_answers, NATURAL[:3], "question 3 of item 0, got none"),
        (naturalbench_answers, [*NATURAL, NATURAL[1]], "each item and cell once, got 'question 1 of item 0 again'"),
        (naturalbench_answers, [{**NATURAL[0], "answer": "no"}], "the answer yes or A to question 0"),
        (naturalbench_answers, [{**NATURAL[0], "type": "open"}], "yes_no or multiple_choice under 'type'"),
        (naturalbench_answers, [{**NATURAL[0], "index": "a"}], "a natural number under 'index'"),
        (naturalbench_answers, [{**NATURAL[0], "index": 7600}], "an index below 7600, got 7600"),
        (statement_answers, [{"index": 1, "answer": "maybe", "prediction": "yes"}], "the answer Yes or No"),
        (statement_answers, [{"index": 1, "answer": "Yes", "prediction": "yes"}] * 2, "each item and cell once"),
        (foil_lines, FOIL[:1], "expected foil of item all/0, got none"),
        (foil_lines, [*FOIL, FOIL[0]], "each item and cell once"),
        (foil_lines, [{"label": "0_x", "score": 1}], "a label like 12_c or 12_f"),
        (foil_lines, [{"label": "0_c", "score": float("nan")}], "NaN, which is no finite number"),
        (statement_lines, [{**VSR, "label": 2}], "0 or 1 under 'label'"),
        (statement_lines, [{**VSR, "score": 1.5}], "a probability as score"),
        (statement_lines, [VSR, VSR], "each item and cell once"),
        (statement_lines, [{**VSR, "score": True}], "a finite number under 'score'"),
    ],
)
def test_bad_input_is_named(tmp_path, read, content, message):
    with pytest.raises(InputError) as caught:
        read(lines(tmp_path / "scores.jsonl", content))
    assert "scores.jsonl" in str(caught.value)
    assert message in str(caught.value)


def test_a_bad_line_is_named_by_its_place_in_the_file(tmp_path):
    (tmp_path / "scores.jsonl").write_text('{"label": "0_c", "score": 0.5}\n\n{"label": "0_f", "score": "low"}\n')
    with pytest.raises(InputError, match=r"scores\.jsonl, line 3: expected a finite number under 'score', got 'low'"):
        foil_lines(tmp_path / "scores.jsonl")


def test_a_table_of_texts_gives_the_same_quads_in_any_form(tmp_path):
    table = pd.DataFrame([{"image0": "a.png", "image1": "b.png", "caption0": "None", "caption1": "x, y", "id": "007"}])
    table.to_csv(tmp_path / "q.csv", index=False)
    table.to_csv(tmp_path / "q.tsv", index=False, sep="\t")
    table.to_excel(tmp_path / "q.xlsx", index=False)
    for kind in ("csv", "tsv", "xlsx"):
        [record] = read_quads(tmp_path / f"q.{kind}").records.to_dict("records")
        assert (record["quad"], record["caption0"], record["caption1"]) == ("007", "None", "x, y")


@pytest.mark.parametrize("name", ["s.xlsx", "s.pt", "s.npy"])
def test_a_file_that_is_none_of_its_kind_is_named(tmp_path, name):
    (tmp_path / name).write_text("no such thing")
    read = naturalbench_answers if name == "s.xlsx" else lambda path: array_quads(path, suite="winoground")
    with pytest.raises(InputError, match=name):
        read(tmp_path / name)


@pytest.fixture
def task(root):
    spec = importlib.util.spec_from_file_location("lmms_quads", root / "eqlib/lmms_eval/quads.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_task_s_scores_and_their_errors_by_hand(task):
    """Three quads in two videos: right, right and wrong; the two right ones share a video."""
    doc = {"caption_0": "a", "caption_1": "b"}
    said = {"q": ("yes", "no", "no", "yes"), "r": ("Yes", "No", "No", "Yes"), "t": ("yes", "yes", "no", "what?")}
    items = []
    for quad, answers in said.items():
        for cell, text in enumerate(answers):
            which = {"id": quad, "cell": cell, "cluster": "w" if quad == "t" else "v"}
            items.append(task.answer({**doc, **which}, [text])["eqlib_group"])
    assert items[-1] == {"id": "t", "image": 1, "caption": 1, "value": 0.0, "unparsed": True, "cluster": "w"}
    assert task.group(items) == pytest.approx(2 / 3)
    assert task.text(items[:-1]) == 1  # a quad without all its cells is left out
    # Sums of what is over the mean: 2/3 in v, -2/3 in w; two clusters drawn.
    assert task.group_se(items) == pytest.approx(np.sqrt(2 * (2 / 3) ** 2 * 2) / 3)
    assert np.isnan(task.group_se(items[:8]))
    assert task.likelihood({**doc, "id": 1, "cell": 2}, ["(-0.5, False)"])["eqlib_text"]["value"] == -0.5
    assert task.question({**doc, "cell": 1}) == 'Does this image show "b"? Please answer yes or no.'
