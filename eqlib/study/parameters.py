"""The typed ``parameters`` cell of a notebook, the values that params.yaml gives it, and records of checked settings.

papermill only warns about unknown names, and its ``inspect_notebook`` loses every parameter whose annotation holds
``|``, ``Literal`` or a nested ``dict``: of the 45 of 30_finetune it finds 38. Here the cell is parsed, and a wrong name
or type is an error before a kernel starts.
"""

from __future__ import annotations

import ast
import re
import reprlib
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, dataclass_transform

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from eqlib.errors import InputError
from eqlib.files import read_text

if TYPE_CHECKING:
    from nbformat import NotebookNode

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Level = Annotated[float, Field(gt=0, lt=1)]


@dataclass_transform(frozen_default=True)
def record(cls: type) -> type:
    """A frozen dataclass that holds its values to their annotations, types strictly (an int fits a float, a bool fits
    neither). Raises InputError for the first that does not fit, and for an unknown name; `problems` lists all."""
    made = dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))(cls)
    build = made.__init__

    @wraps(build)
    def checked(self, *positional: Any, **values: Any) -> None:
        try:
            build(self, *positional, **values)
        except ValidationError as error:
            raise _problem(error.errors()[0]) from error

    made.__init__ = checked
    return made


def problems(kind: type, values: dict[str, Any]) -> list[InputError]:
    """Everything for which the record ``kind`` refuses ``values``; ``row`` of each is the key, dots descend."""
    try:
        kind(**values)
    except InputError as error:
        return [_problem(found) for found in error.__cause__.errors()]
    return []


def _problem(found: dict[str, Any]) -> InputError:
    """What pydantic found, in our words."""
    place = [str(part) for part in found["loc"]]
    if isinstance(inner := found.get("ctx", {}).get("error"), InputError):  # of a __post_init__
        return InputError(inner.expected, inner.got, row=".".join([*place, *filter(None, [inner.row])]) or None)
    known = {"missing": ("a value", "none"), "unexpected_keyword_argument": ("a known name", f"`{place[-1]}`")}
    wanted = re.sub("^(greater|less)", r"a value \1", found["msg"].removeprefix("Input should be "))
    told = (wanted, reprlib.repr(found["input"]))
    return InputError(*known.get(found["type"], told), row=".".join(place))


def declared(notebook: NotebookNode, *, where: str | Path) -> dict[str, tuple[str, Any]]:
    """Name -> (annotation as text, default) of the cell tagged ``parameters``.

    Raises InputError where the cell is missing, or where a statement in it is not ``name: type = literal``.
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise InputError("one cell tagged `parameters`", f"{len(cells)}", where=where)
    found = {}
    try:
        statements = ast.parse(cells[0].source).body
    except SyntaxError as error:
        raise InputError("a parameters cell of Python alone", error.msg, where=where) from error
    for statement in statements:
        try:  # of any other statement an attribute is missing, or the value is no literal
            default = ast.literal_eval(statement.value)
            found[statement.target.id] = (ast.unparse(statement.annotation), default)
        except (AttributeError, ValueError):
            expected = "`name: type = literal` in the parameters cell"
            raise InputError(expected, ast.unparse(statement), where=where) from None
    return found


def accepts(annotation: str, value: Any) -> bool:
    """Whether ``value`` fits, strictly: an int fits a float, a bool fits neither, ``"3"`` fits no number.

    Raises InputError for an annotation that names anything but built-in types and ``Literal``.
    """
    try:
        kind = TypeAdapter(eval(annotation, {"Literal": Literal}))
    except (NameError, TypeError, AttributeError) as error:
        raise InputError("a type of str, bool, int, float, None, list, dict, Literal or `|`", annotation) from error
    try:
        kind.validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def check(values: dict[str, Any], parameters: dict[str, tuple[str, Any]], *, where: str | Path) -> None:
    """Raises InputError for the first value whose name the notebook does not declare or whose type does not fit."""
    for name, value in values.items():
        if name not in parameters:
            raise InputError(f"one of the parameters {', '.join(parameters)}", f"`{name}`", where=where)
        annotation = parameters[name][0]
        if not accepts(annotation, value):
            raise InputError(annotation, f"{value!r} ({type(value).__name__})", where=where, row=name)


def gathered(values: dict[str, Any], parameters: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    """``values`` with what the notebook does not declare in its dictionary ``settings``, over the defaults there; as
    they are where it has none. Which names the dictionary may have is the notebook's to check."""
    if "settings" not in parameters:
        return values
    known = {name: value for name, value in values.items() if name in parameters}
    more = {name: value for name, value in values.items() if name not in parameters}
    return known | {"settings": parameters["settings"][1] | known.get("settings", {}) | more}


def sections(path: str | Path) -> dict[str, Any]:
    """A YAML 1.2 file of named sections, read as DVC reads it: plain Python values. JSON is YAML."""
    tree = _yaml(read_text(path), path)
    if not isinstance(tree, dict):
        raise InputError("sections", reprlib.repr(tree), where=path)
    return tree


def section(path: str | Path, name: str) -> dict[str, Any]:
    """Section ``name`` of `sections`."""
    found = sections(path).get(name)
    if not isinstance(found, dict):
        raise InputError(f"a section `{name}`", "none" if found is None else repr(found), where=path)
    return found


def literal(text: str) -> Any:
    """A value given on the command line, read by the rules of params.yaml: ``3``, ``1e-3``, ``true``, ``[a, b]``."""
    return _yaml(text) if text else ""


def _yaml(text: str, where: str | Path | None = None) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:  # also a 13th month, and 3,000 brackets
        raise InputError("YAML", " ".join(str(error).split()), where=where) from error
