"""Options that several commands have, and what argparse calls for their text: every command says the same of a wrong
one."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path


def suite_arguments(parser: ArgumentParser) -> None:
    """Which suite: its reader, its place and its reader's own options."""
    parser.add_argument("suite", help="a reader's name (eqben, winoground, valse, captions, quads, ...), or your own")
    parser.add_argument("path", type=Path, help="the suite's folder or annotation file")
    parser.add_argument("--root", type=Path, help="folder of the pictures")
    parser.add_argument("--suffix", help="suffix of the pictures where it is not the annotation's (.jpg)")
    parser.add_argument("--split", help="split, for sets that have several")


def of_reader(options: Namespace) -> dict:
    """The options of ``suite_arguments`` that are given, as its reader takes them."""
    asked = {name: getattr(options, name) for name in ("root", "suffix", "split")}
    return {name: value for name, value in asked.items() if value is not None}


def level(text: str) -> float:
    """Of intervals, between 0 and 1."""
    value = float(text)
    if not 0 < value < 1:
        raise ArgumentTypeError(f"expected a level between 0 and 1, got {text}")
    return value


def positive(text: str) -> int:
    return count(text, least=1)


def count(text: str, least: int = 0) -> int:
    value = int(text)
    if value < least:
        raise ArgumentTypeError(f"expected a number of at least {least}, got {text}")
    return value
