"""The typed ``parameters`` cell of a notebook, and the values that params.yaml gives it.

papermill only warns about unknown names, and its ``inspect_notebook`` loses every parameter whose annotation holds
``|``, ``Literal`` or a nested ``dict``: of the 45 of 30_finetune it finds 38. Here the cell is parsed, and a wrong name
or type is an error before a kernel starts.
"""

import ast
from pathlib import Path
from typing import Any, Literal

from nbformat import NotebookNode
from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from eqlib.errors import InputError


def declared(notebook: NotebookNode, *, where: str | Path) -> dict[str, tuple[str, Any]]:
    """Name -> (annotation as text, default) of the cell tagged ``parameters``.

    Raises InputError where the cell is missing, or where a statement in it is not ``name: type = literal``.
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise InputError("one cell tagged `parameters`", f"{len(cells)}", where=where)
    found = {}
    for statement in ast.parse(cells[0].source).body:
        try:
            if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
                raise ValueError
            default = ast.literal_eval(statement.value)
        except ValueError:
            raise InputError(
                "`name: type = literal` in the parameters cell", ast.unparse(statement), where=where
            ) from None
        found[statement.target.id] = (ast.unparse(statement.annotation), default)
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


def section(path: str | Path, name: str) -> dict[str, Any]:
    """Section ``name`` (dots descend) of a YAML 1.2 file, read as DVC reads it: plain Python values. JSON is YAML."""
    try:
        tree = YAML(typ="safe", pure=True).load(Path(path))
    except OSError as error:
        raise InputError("a readable file", error.strerror or "an error", where=path) from error
    except YAMLError as error:
        raise InputError("YAML", " ".join(str(error).split()), where=path) from error
    for key in name.split("."):
        if not isinstance(tree, dict) or key not in tree:
            raise InputError(f"a section `{name}`", "none", where=path)
        tree = tree[key]
    if not isinstance(tree, dict):
        raise InputError("a mapping of names to values", repr(tree), where=path, row=name)
    return tree


def literal(text: str) -> Any:
    """A value given on the command line, read by the rules of params.yaml: ``3``, ``1e-3``, ``true``, ``[a, b]``."""
    return YAML(typ="safe", pure=True).load(text) if text else ""
