"""The words in which two captions differ."""

from __future__ import annotations

from difflib import SequenceMatcher


def marked(caption0: str, caption1: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Both captions as words, each with True where it is not shared with the other caption.

    >>> marked("a red cube", "a blue cube")
    ([('a', False), ('red', True), ('cube', False)], [('a', False), ('blue', True), ('cube', False)])
    """
    first, second = caption0.split(), caption1.split()
    # Full stops and capitals are not a change of meaning. autojunk would drop frequent words of long captions.
    plain = [[word.strip(".,;:!?\"'").lower() for word in words] for words in (first, second)]
    changed0, changed1 = [True] * len(first), [True] * len(second)
    for block in SequenceMatcher(None, *plain, autojunk=False).get_matching_blocks():
        changed0[block.a : block.a + block.size] = [False] * block.size
        changed1[block.b : block.b + block.size] = [False] * block.size
    return list(zip(first, changed0, strict=True)), list(zip(second, changed1, strict=True))
