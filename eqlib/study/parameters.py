"""The typed ``parameters`` cell of a notebook, and the values that params.yaml gives it.

papermill only warns about unknown names and cannot read annotations such as ``str | None`` or ``Literal``; here the
cell is parsed, and a wrong name or type is an error before a kernel starts.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from eqlib.errors import InputError

_PLAIN = {"str": str, "bool": bool, "int": int, "float": (int, float), "None": type(None)}


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
    """Whether ``value`` fits: str, bool, int, float (an int fits, a bool never), None, list[T], dict[str, T],
    Literal[...] and unions with ``|``."""
    return _accepts(ast.parse(annotation, mode="eval").body, value)


def _accepts(node: ast.expr, value: Any) -> bool:
    match node:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _accepts(left, value) or _accepts(right, value)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
            options = ast.literal_eval(choices)
            options = options if isinstance(options, tuple) else (options,)
            return any(type(value) is type(option) and value == option for option in options)
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            return isinstance(value, list) and all(_accepts(item, part) for part in value)
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, item])):
            return isinstance(value, dict) and all(_accepts(key, k) and _accepts(item, v) for k, v in value.items())
        case ast.Constant(value=None):
            return value is None
        case ast.Name(id=name) if name in _PLAIN:
            return isinstance(value, _PLAIN[name]) and (name == "bool" or not isinstance(value, bool))
    raise InputError("a type of str, bool, int, float, None, list, dict, Literal or `|`", ast.unparse(node))


def check(values: dict[str, Any], parameters: dict[str, tuple[str, Any]], *, where: str | Path) -> None:
    """Raises InputError for the first value whose name the notebook does not declare or whose type does not fit."""
    for name, value in values.items():
        if name not in parameters:
            raise InputError(f"one of the parameters {', '.join(parameters)}", f"`{name}`", where=where)
        annotation = parameters[name][0]
        if not accepts(annotation, value):
            raise InputError(annotation, f"{value!r} ({type(value).__name__})", where=where, row=name)


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
