"""What Lua 5.1 compiles and the instrument's Lua 5.0 does not.

Refused before compilation, so that a script that runs on the twin compiles on the instrument: the
operators ``#`` and ``%``, and long brackets with a level (``[=[``).

Source: manual 2600BS-901-01, section "Fundamentals of programming for TSP: What is Lua?"; Lua 5.0
reference manual, sections 2.1 and 2.5. Not checked: ``...`` outside of parameter lists.
"""

from __future__ import annotations

import re

_INTERESTING = re.compile(
    r"""--\[(?P<comment>=*)\[ | --[^\n]* | \[(?P<bracket>=*)\[
    | '(?:\\.|[^'\\\n])*' | "(?:\\.|[^"\\\n])*" | (?P<operator>[#%])""",
    re.VERBOSE | re.DOTALL,
)


def misfit(code: str) -> str | None:
    """Return the syntax error that Lua 5.0 has with ``code``, as ``LINE: text``; None if none."""
    at = 0
    while match := _INTERESTING.search(code, at):
        at = match.end()
        line = code.count("\n", 0, match.start()) + 1
        if match["operator"]:
            return f"{line}: unexpected symbol near `{match['operator']}'"
        level = match["comment"] if match["comment"] is not None else match["bracket"]
        if level:
            return f"{line}: unexpected symbol near `='"
        if level is not None:
            end = code.find("]]", at)
            at = len(code) if end < 0 else end + 2
    return None
