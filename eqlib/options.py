"""What argparse calls for an option's text, so that every command says the same of a wrong one."""

from argparse import ArgumentTypeError


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
