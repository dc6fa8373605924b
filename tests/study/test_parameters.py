"""The typed parameters cell: names and types are checked before a kernel starts."""

import nbformat
import pytest

from eqlib.errors import InputError
from eqlib.study.parameters import accepts, check, declared, gathered, literal, section


def notebook(*cells):
    built = [nbformat.v4.new_code_cell(source, metadata={"tags": tags}) for source, tags in cells]
    return nbformat.v4.new_notebook(cells=built)


@pytest.mark.parametrize(
    ("annotation", "value", "fits"),
    [
        ("int", 3, True),
        ("int", 3.0, False),
        ("int", True, False),
        ("float", 3, True),
        ("float", 1e-3, True),
        ("float", "1e-3", False),
        ("bool", False, True),
        ("bool", 0, False),
        ("str", "x", True),
        ("str | None", None, True),
        ("str | None", 3, False),
        ("list[int]", [0, 1], True),
        ("list[int]", [0, "1"], False),
        ("list[int]", 0, False),
        ("dict[str, float]", {"a": 1}, True),
        ("dict[str, float]", {"a": "1"}, False),
        ("dict[str, dict[str, str | bool]]", {"a": {"b": True}}, True),
        ("Literal['a', 'b']", "a", True),
        ("Literal['a', 'b']", "c", False),
        ("float", True, False),
    ],
)
def test_a_value_fits_its_annotation(annotation, value, fits):
    assert accepts(annotation, value) is fits


def test_an_annotation_nobody_knows_is_named():
    with pytest.raises(InputError, match="got Path"):
        accepts("Path", "x")


def test_the_cell_is_read_with_its_types():
    cell = "steps: int = 20  # a comment\nname: str | None = None\nrates: list[float] = [1e-3]"
    found = declared(notebook(("import os", []), (cell, ["parameters"])), where="n.ipynb")
    assert found == {"steps": ("int", 20), "name": ("str | None", None), "rates": ("list[float]", [0.001])}


@pytest.mark.parametrize("cell", ["steps = 20", "steps: int", "steps: int = 4 * 5", "import os"])
def test_a_cell_that_is_not_plain_is_refused(cell):
    with pytest.raises(InputError, match=r"n\.ipynb.*name: type = literal"):
        declared(notebook((cell, ["parameters"])), where="n.ipynb")


def test_exactly_one_cell_is_tagged():
    with pytest.raises(InputError, match="one cell tagged"):
        declared(notebook(("x: int = 1", [])), where="n.ipynb")


def test_an_unknown_name_and_a_wrong_type_say_what_was_expected():
    known = {"steps": ("int", 20)}
    with pytest.raises(InputError, match=r"params\.yaml: expected one of the parameters steps, got `stpes`"):
        check({"stpes": 3}, known, where="params.yaml")
    with pytest.raises(InputError, match=r"params\.yaml, steps: expected int, got 'three' \(str\)"):
        check({"steps": "three"}, known, where="params.yaml")


def test_what_the_cell_does_not_name_goes_into_its_dictionary_of_settings():
    known = {"seed": ("int", 0), "settings": ("dict", {"steps": 12, "lr": 1e-3})}
    assert gathered({"seed": 3, "steps": 80}, known) == {"seed": 3, "settings": {"steps": 80, "lr": 1e-3}}
    assert gathered({"seed": 3, "steps": 80}, {"seed": ("int", 0)}) == {"seed": 3, "steps": 80}


def test_a_section_is_read_by_the_rules_of_yaml_1_2(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("finetune:\n  lr: 1e-10\n  augment: false\n  note: no\n")
    assert section(path, "finetune") == {"lr": 1e-10, "augment": False, "note": "no"}
    with pytest.raises(InputError, match="a section `pretrain`"):
        section(path, "pretrain")


@pytest.mark.parametrize("text", ["a: [1, 2", "a: 1\n  b: 2", "\t- x"])
def test_broken_yaml_is_named(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"params\.yaml: expected YAML"):
        section(path, "a")


def test_command_line_values_are_typed_like_the_file():
    assert [literal(text) for text in ("3", "1e-3", "true", "[a, b]", "eqsim", "")] == [
        3, 1e-3, True, ["a", "b"], "eqsim", "",
    ]  # fmt: skip
