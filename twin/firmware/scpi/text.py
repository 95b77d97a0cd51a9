"""Words and separators of SCPI messages."""

from __future__ import annotations

from functools import cache

from twin.firmware.scpi.errors import INVALID_EXPRESSION, INVALID_STRING_DATA, ScpiError


def short_form(word: str) -> str:
    """Return the capitals of a word in manual notation."""
    return "".join(character for character in word if not character.islower())


@cache
def spellings(word: str) -> frozenset[str]:
    """Return the two spellings of a word in manual notation, in capitals."""
    return frozenset((short_form(word), word.upper()))


def split_outside(text: str, separator: str) -> list[str]:
    """Split at a separator outside of quotes and brackets; blanks around the parts are dropped."""
    if not any(mark in text for mark in "'\"("):
        return [part.strip() for part in text.split(separator)]
    parts = [""]
    quote, depth = "", 0
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == separator and not depth:
            parts.append("")
            continue
        parts[-1] += character
    if quote:
        raise ScpiError(INVALID_STRING_DATA)
    if depth:
        raise ScpiError(INVALID_EXPRESSION)
    return [part.strip() for part in parts]
