"""One line of a command table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twin.firmware.scpi.parameters import Parameter


@dataclass(frozen=True)
class Command:
    """One line of a command table.

    Attributes:
        pattern: header in manual notation.
        write: called with the parsed parameters; None where there is only a query.
        query: called for the header with ``?``; returns the reply; None where there is none.
        parameters: what ``write`` takes.
        n_optional: how many of them, from the last on, may be left out.
        query_parameters: what ``query`` takes; where there are none it may be asked for MIN, MAX
            and DEF of a single number.
        n_optional_query: how many of them, from the last on, may be left out.
        is_indefinite: the reply has no end but that of the message, so that no query may follow
            it in the same message (-440).
    """

    pattern: str
    write: Callable[..., None] | None = None
    query: Callable[..., str | None] | None = None
    parameters: tuple[Parameter, ...] = ()
    n_optional: int = 0
    query_parameters: tuple[Parameter, ...] = ()
    n_optional_query: int = 0
    is_indefinite: bool = False


def setting(pattern: str, parameter: Parameter, owner: Callable[[], object], name: str) -> Command:
    """Return the command of an attribute that is kept and answered, and no more.

    Args:
        pattern: header in manual notation.
        parameter: what the attribute is.
        owner: returns the object that has it now.
        name: of the attribute.
    """
    return Command(
        pattern,
        lambda value: setattr(owner(), name, value),
        lambda: parameter.format(getattr(owner(), name)),
        (parameter,),
    )
