"""Parameters, registers and waiting commands of the SCPI engine."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.firmware.scpi import (
    Boolean,
    Channels,
    Choice,
    Command,
    Number,
    Parameter,
    Register,
    ScpiEngine,
    ScpiError,
    Several,
    Status,
    String,
    definite_block,
    indefinite_block,
    saved_setups,
    setting,
)

VOLTS = Number(-200, 200, 0, unit="V")
OHMS = Number(0, 1e9, 0, unit="OHM")


@pytest.mark.parametrize(
    ("parameter", "text", "value"),
    [
        (VOLTS, "10 mV", 10e-3),
        (VOLTS, "10MV", 10e-3),
        (VOLTS, "-.5v", -0.5),
        (VOLTS, "2e3 uV", 2e-3),
        (VOLTS, "0.1 KV", 100),
        (VOLTS, "5NV", 5e-9),
        (VOLTS, "#H1F", 31),
        (VOLTS, "#q17", 15),
        (VOLTS, "#B101", 5),
        (OHMS, "3 MOHM", 3e6),
        (OHMS, "3 KOHM", 3e3),
        (String(), "'it''s'", "it's"),
        (String(), '"a;b,c"', "a;b,c"),
        (Channels((1, 2)), "(@1)", [1]),
        (Channels((1, 2)), "(@ 2 , 1)", [2, 1]),
        (Channels((1, 2)), "(@1:2)", [1, 2]),
        (Channels((1, 2)), "(@2:1)", [2, 1]),
    ],
)
def test_text_to_value(parameter: Parameter, text: str, value: object) -> None:
    assert parameter.parse(text) == value


@pytest.mark.parametrize(
    ("parameter", "text", "code"),
    [
        (VOLTS, "10 mA", -131),
        (VOLTS, "10 XV", -131),
        (VOLTS, "1 KV", -222),
        (VOLTS, "#H1G", -104),
        (VOLTS, "ten", -104),
        (Number(0, 1, 0), "1 V", -104),
        (String(3), "'abcd'", -222),
        (String(), "abc", -104),
        (Channels((1, 2)), "(@3)", -222),
        (Channels((1, 2)), "(@1", -171),
        (Channels((1, 2)), "1", -104),
        (Channels((1, 2)), "(@)", -171),
    ],
)
def test_text_that_means_nothing(parameter: Parameter, text: str, code: int) -> None:
    with pytest.raises(ScpiError) as error:
        parameter.parse(text)
    assert error.value.code == code


@given(st.floats(-1e3, 1e3), st.sampled_from([("", 1.0), ("m", 1e-3), ("u", 1e-6), ("k", 1e3)]))
def test_units_scale(number: float, unit: tuple[str, float]) -> None:
    prefix, factor = unit
    wide = Number(-math.inf, math.inf, 0, unit="A")
    assert wide.parse(f"{number!r} {prefix}A") == pytest.approx(number * factor, rel=1e-12)


@given(st.text(st.characters(codec="latin-1"), max_size=30))
def test_strings_survive(text: str) -> None:
    assert String().parse(String().format(text)) == text


@given(st.binary(max_size=300))
def test_blocks_carry_any_bytes(data: bytes) -> None:
    block = definite_block(data).encode("latin-1")
    n_digits = int(block[1:2])
    assert block[:1] == b"#"
    assert int(block[2 : 2 + n_digits]) == len(data)
    assert block[2 + n_digits :] == data
    assert indefinite_block(data).encode("latin-1") == b"#0" + data


class Channelled:
    """An instrument with two channels, a busy state, and a place to keep a level."""

    def __init__(self) -> None:
        self.status = Status()
        self.level = 0.0
        self.kept: dict[int, float] = {}
        self.calls: list[object] = []
        self.busy = False
        table = [
            *self.status.commands(),
            *saved_setups(2, self.save, self.recall),
            *Register().commands(":STATus:OPERation", has_transitions=True),
            Command("*IDN", query=lambda: "TOY", is_indefinite=True),
            Command(":BLOCk", query=lambda: definite_block(struct.pack(">2f", 1.0, 2.0))),
            Command(
                ":MULTiple",
                lambda channels, values: self.calls.append((channels, values)),
                parameters=(Channels((1, 2)), Several(Number(0, 9, 0))),
            ),
            Command(
                ":FETCh",
                query=lambda channels, kind="": f"{channels}{kind}",
                query_parameters=(Channels((1, 2)), Choice(("ALL",))),
                n_optional_query=1,
            ),
            Command(":STARt", write=lambda: setattr(self, "busy", True)),
            Command(":STOP", write=lambda: setattr(self, "busy", False)),
            setting(":LEVel", VOLTS, lambda: self, "level"),
            setting(":LEVel:AUTO", Boolean(), lambda: self, "busy"),
        ]
        self.engine = ScpiEngine(table, self.status, holds=self.holds)

    def holds(self, command: Command) -> bool:
        return self.busy and command.pattern != ":STOP"

    def save(self, place: int) -> None:
        self.kept[place] = self.level

    def recall(self, place: int) -> None:
        self.level = self.kept[place]

    def ask(self, line: str) -> str:
        return self.engine.receive(line.encode() + b"\n").decode("latin-1")


def test_several_values_after_a_channel_list() -> None:
    toy = Channelled()
    toy.ask(":LEV 2 V;:MULT (@1,2),1,2,3;:MULT (@1);:MULT")
    assert toy.calls == [([1, 2], [1, 2, 3])]
    assert toy.ask("SYST:ERR?;:SYST:ERR?;:SYST:ERR?") == (
        '-109,"Missing parameter";0,"No error";0,"No error"\n'
    )


def test_queries_take_parameters() -> None:
    toy = Channelled()
    assert toy.ask(":FETC? (@2);:FETC? (@1:2),ALL") == "[2];[1, 2]ALL\n"
    assert toy.ask(":FETC?;:LEV?") == ""
    assert toy.ask("SYST:ERR?") == '-109,"Missing parameter"\n'


def test_setups_are_kept_in_places() -> None:
    toy = Channelled()
    toy.ask(":LEV 3V;*SAV 1;:LEV 4V;*SAV 0;*RCL 1;*RCL 2")
    assert toy.ask(":LEV?") == "3.000000E+00\n"
    assert toy.ask("SYST:ERR?") == '-222,"Parameter data out of range"\n'


def test_no_query_after_one_whose_reply_has_no_end() -> None:
    toy = Channelled()
    assert toy.ask("*IDN?;:LEV?;:LEV 1V") == "TOY\n"
    assert toy.level == 1
    assert toy.ask("SYST:ERR?;*ESR?") == (
        '-440,"Query UNTERMINATED after indefinite response";132\n'
    )


def test_commands_wait_in_order_and_those_that_end_the_wait_overtake() -> None:
    toy = Channelled()
    assert toy.ask(":LEV 1V;:STAR;:LEV 2V;LEV?") == ""
    assert toy.ask(":LEV?;:STAR;:LEV 5V") == ""
    assert toy.level == 1
    assert toy.ask(":STOP") == "2.000000E+00\n2.000000E+00\n"
    assert toy.busy
    toy.engine.drop_held()
    toy.ask(":STOP")
    assert toy.level == 2


def test_forgetting_drops_half_a_message() -> None:
    toy = Channelled()
    toy.engine.receive(b":LEV 7")
    toy.engine.forget()
    toy.ask(":LEV 3")
    assert toy.level == 3


def test_registers_remember_what_began_and_show_what_is_enabled() -> None:
    register = Register(enable=0b10)
    register.set(0b1)
    assert not register.summary
    register.set(0b11)
    register.set(0b01, False)
    assert register.summary
    assert (register.condition, register.take_event(), register.take_event()) == (0b10, 0b11, 0)
    register.set(0b10)
    assert register.take_event() == 0
    register.rises, register.falls = 0, 0b10
    register.set(0b10, False)
    assert register.take_event() == 0b10


def test_register_commands() -> None:
    toy = Channelled()
    toy.ask(":STAT:OPER:ENAB #HFFFF;PTR 3;NTR 1")
    assert toy.ask(":STAT:OPER:ENAB?;PTR?;NTR?;COND?;:STAT:OPER?") == "32767;3;1;0;0\n"
