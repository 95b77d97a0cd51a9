from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.firmware.scpi import (
    MAX_LINE_BYTES,
    OUT_OF_RANGE,
    Boolean,
    Choice,
    Command,
    Number,
    Quoted,
    ScpiEngine,
    ScpiError,
    Several,
    Status,
)

UNDEFINED = b'-113,"Undefined header"\n'
NO_ERROR = b'0,"No error"\n'


class Toy:
    """An instrument of a few settings; ``calls`` is what reached its handlers."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []
        self.level = 0.0
        self.status = Status()
        level = Number(-10, 10, 1)
        table = [
            *self.status.commands(),
            Command("*IDN", query=lambda: "TOY"),
            Command(
                "[:SENSe[1]]:CURRent[:DC]:PROTection[:LEVel]", self.set("level"), self.get, (level,)
            ),
            Command("[:SENSe[1]]:CURRent[:DC]:NPLCycles", self.set("nplc"), None, (level,)),
            Command(":OUTPut[1][:STATe]", self.set("output"), None, (Boolean(),)),
            Command(":OUTPut[1]:SMODe", self.set("smode"), None, (Choice(("ZERO", "HIMPed")),)),
            Command(
                ":FUNCtion", self.set("function"), None, (Several(Quoted(Choice(("CURRent",)))),)
            ),
            Command(":BEEP", self.set("beep"), None, (level, Boolean())),
            Command(":COUNt", self.set("count"), None, (Number(1, 100, 10, integer=True),)),
            Command(":CALCulate3:DATA", query=lambda: "3"),
            Command(":RUN", self.set("run")),
            Command(":FAIL", query=self.fail),
        ]
        self.engine = ScpiEngine(table, self.status)

    def set(self, name: str) -> Callable[..., None]:
        def write(*values: object) -> None:
            self.calls.append((name, values[0] if len(values) == 1 else values))
            if name == "level":
                self.level = float(str(values[0]))

        return write

    def get(self) -> str:
        return f"{self.level:.6E}"

    def fail(self) -> str:
        raise ScpiError(OUT_OF_RANGE)

    def ask(self, line: str) -> bytes:
        return self.engine.receive(line.encode() + b"\n")

    def errors(self) -> list[str]:
        found = []
        while (error := self.ask("SYST:ERR?").decode().strip()) != '0,"No error"':
            found.append(error)
        return found


@pytest.mark.parametrize(
    "header",
    [
        ":SENSe1:CURRent:DC:PROTection:LEVel",
        ":SENS:CURR:PROT",
        "SENS:CURR:PROT",
        ":SENS1:CURR:DC:PROT",
        ":CURR:PROT:LEV",
        "sense:current:protection",
        ":sEnS:cUrReNt:PrOt",
    ],
)
def test_all_spellings_of_a_header_mean_the_same(header: str) -> None:
    toy = Toy()
    assert toy.ask(f"{header} 1.5") == b""
    assert toy.ask(f"{header}?") == b"1.500000E+00\n"
    assert toy.errors() == []


@pytest.mark.parametrize(
    "line",
    [
        ":SENSE2:CURR:PROT 1",
        ":SENSEE:CURR:PROT 1",
        ":CURRE:PROT 1",
        ":CURR 1",
        ":CURR:PROT:LEV:IMM 1",
        "::RUN",
        ":RUN:",
        ":RUN?",
        "*RUN",
        ":FAIL",
        "?",
        ":CALC:DATA?",
        "\x00\xff",
    ],
)
def test_what_is_not_in_the_table_is_an_undefined_header(line: str) -> None:
    toy = Toy()
    assert toy.engine.receive(line.encode("latin-1") + b"\n") == b""
    assert toy.calls == []
    assert toy.ask("SYST:ERR?") == UNDEFINED
    assert toy.ask(":SYSTem:ERRor:NEXT?") == NO_ERROR


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (":CURR:PROT", -109),
        (":CURR:PROT ,", -108),
        (":BEEP 1", -109),
        (":BEEP 1,", -109),
        (":BEEP 1,1,1", -108),
        (":RUN 1", -108),
        (":CURR:PROT? 1", -108),
        ("*IDN? MAX", -108),
        (":CURR:PROT 11", -222),
        (":CURR:PROT -1e999", -222),
        (":CURR:PROT NAN", -104),
        (":CURR:PROT 1V", -104),
        (":CURR:PROT 'x'", -104),
        (":OUTP YES", -104),
        (":OUTP:SMOD GUAR", -224),
        (":OUTP:SMOD 3", -104),
        (":FUNC CURR", -104),
        (":FUNC 'VOLT'", -224),
        (":FUNC 'CURR", -151),
        (":FUNC", -109),
        (":FUNC 'CURR',", -109),
    ],
)
def test_wrong_parameters_are_refused_with_their_number(line: str, code: int) -> None:
    toy = Toy()
    assert toy.ask(line) == b""
    assert toy.calls == []
    (error,) = toy.errors()
    assert int(error.split(",")[0]) == code


@pytest.mark.parametrize(
    ("line", "call"),
    [
        (":CURR:PROT 1.5E-3", ("level", 1.5e-3)),
        (":CURR:PROT   -.5", ("level", -0.5)),
        (":CURR:PROT MAX", ("level", 10)),
        (":CURR:PROT minimum", ("level", -10)),
        (":CURR:PROT DEF", ("level", 1)),
        (":OUTP ON", ("output", True)),
        (":OUTP off", ("output", False)),
        (":OUTP 1", ("output", True)),
        (":OUTP 0.2", ("output", False)),
        (":OUTP:SMOD himped", ("smode", "HIMP")),
        (":BEEP 1 , OFF", ("beep", (1.0, False))),
        (":COUN 12.4", ("count", 12)),
        (""":FUNC 'CURR',"CURRENT:DC" """, ("function", ["CURR", "CURR"])),
    ],
)
def test_parameters_arrive_as_values(line: str, call: tuple[str, object]) -> None:
    toy = Toy()
    toy.ask(line)
    assert toy.calls == [call]
    assert toy.errors() == []


def test_query_names_the_ends_of_a_range() -> None:
    assert Toy().ask(":CURR:PROT? MAX;PROT? MIN;PROT? DEF") == (
        b"1.000000E+01;-1.000000E+01;1.000000E+00\n"
    )


def test_path_continues_at_the_level_of_the_command_before() -> None:
    toy = Toy()
    toy.ask(":SENS:CURR:PROT 2;NPLC 3;*CLS;PROT 4;:RUN;;")
    assert toy.calls == [("level", 2), ("nplc", 3), ("level", 4), ("run", ())]
    toy.ask(":SENS:CURR:PROT 2;SENS:CURR:NPLC 3")
    assert toy.errors() == ['-113,"Undefined header"']


def test_command_error_drops_the_rest_of_its_message_and_an_execution_error_does_not() -> None:
    toy = Toy()
    assert toy.ask("*IDN?;:NOPE;:RUN") == b"TOY\n"
    assert toy.calls == []
    assert toy.ask(":FAIL?;:CURR:PROT 99;PROT 3;*IDN?") == b"TOY\n"
    assert toy.calls == [("level", 3)]
    assert [error.split(",")[0] for error in toy.errors()] == ["-113", "-222", "-222"]


def test_separators_inside_quotes_do_not_separate() -> None:
    toy = Toy()
    toy.ask(":FUNC 'CU;RR,'")
    assert toy.errors() == ['-224,"Illegal parameter value"']


def test_queue_overflow_takes_the_last_place() -> None:
    toy = Toy()
    for _ in range(15):
        toy.ask("NOPE")
    errors = toy.errors()
    assert len(errors) == 10
    assert errors[-1] == '-350,"Queue overflow"'
    assert set(errors[:-1]) == {'-113,"Undefined header"'}


def test_status_byte_and_event_register_follow_the_errors() -> None:
    toy = Toy()
    assert toy.ask("*ESR?;*ESR?;*STB?") == b"128;0;0\n"
    toy.ask("*ESE 48;*SRE 4;:NOPE")
    assert toy.ask("*STB?") == b"100\n"  # service requested, event summary, error available
    assert toy.ask("*ESR?;*STB?;*ESE?;*SRE?") == b"32;68;48;4\n"
    toy.ask("*CLS")
    assert toy.ask("*STB?;*OPC?") == b"0;1\n"
    toy.ask("*OPC")
    assert toy.ask("*ESR?") == b"1\n"


@pytest.mark.parametrize("command", ["STAT:QUE:CLE", "*CLS", ":*CLS"])
def test_queue_can_be_cleared(command: str) -> None:
    toy = Toy()
    toy.ask("NOPE")
    toy.ask(command)
    assert toy.ask(":STATUS:QUEUE?") == NO_ERROR


def test_carriage_returns_and_blank_lines_mean_nothing() -> None:
    toy = Toy()
    assert toy.engine.receive(b"\r\n \n*IDN?\r\n;\n") == b"TOY\n"
    assert toy.errors() == []


def test_a_line_without_end_is_given_up() -> None:
    toy = Toy()
    toy.engine.receive(b"x" * (MAX_LINE_BYTES + 1))
    toy.engine.receive(b"y;:RUN\n*IDN?\n")
    assert toy.calls == []
    assert toy.errors() == ['-363,"Input buffer overrun"']


def test_two_commands_with_one_header_are_a_mistake_of_the_table() -> None:
    with pytest.raises(ValueError, match="are the same"):
        ScpiEngine([Command(":A[:B]"), Command(":A")], Status())


MESSAGES = st.lists(
    st.sampled_from(
        ["*IDN?", ":CURR:PROT 3;PROT?", ":NOPE", "SYST:ERR?", ":CURR:PROT 99", "", "*STB?;*ESR?"]
    ),
    max_size=8,
)


@given(MESSAGES, st.lists(st.integers(0, 200)), st.sampled_from(["\n", "\r\n"]))
def test_chopping_of_the_stream_does_not_change_the_replies(
    messages: list[str], cuts: list[int], end: str
) -> None:
    stream = "".join(message + end for message in messages).encode()
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    whole, chopped = Toy(), Toy()
    pieces = [stream[a:b] for a, b in pairwise(edges)]
    assert whole.engine.receive(stream) == b"".join(map(chopped.engine.receive, pieces))
    assert whole.calls == chopped.calls
    assert whole.errors() == chopped.errors()


GARBAGE = st.binary(max_size=60).filter(lambda data: b"\n" not in data)


@given(GARBAGE)
def test_garbage_never_raises_and_always_leaves_an_error(data: bytes) -> None:
    toy = Toy()
    assert toy.engine.receive(b"Q" + data + b"\n") == b""
    assert toy.errors() != []
