"""The frames printed in the protocol's reference, checked without the code under test's helpers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hil.protocol.frames import Frame, FrameReader, encode
from hil.protocol.switch_board import (
    BODIES,
    LAYOUTS,
    NO_POSITION,
    BoardFlag,
    Body,
    Empty,
    ErrorCode,
    ErrorReply,
    FrameType,
    Hello,
    HelloReply,
    ReplyFlag,
    ResetCause,
    Select,
    State,
    StatusReply,
    pack,
)

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "switch-board-protocol.md"
TEXT = REFERENCE.read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^\| (E\d+) \|.*\| `([0-9a-f ]+)` \|$", TEXT, re.MULTILINE))

HELLO_REPLY = HelloReply(
    position=NO_POSITION,
    time_us=1000,
    uuid=bytes(range(0x10, 0x20)),
    hardware_revision=2,
    firmware_hash=bytes.fromhex("c0ffee01"),
    board_flags=BoardFlag.IS_TWIN,
    n_positions=32,
    max_abs_voltage_mv=5000,
    max_current_ua=100_000,
    watchdog_ms=1000,
    reset_cause=ResetCause.POWER_ON,
)
EXPECTED: dict[str, tuple[FrameType, int, Body, int]] = {
    "E1": (FrameType.HELLO, 0, Hello(1000), 0),
    "E2": (FrameType.HELLO_REPLY, 0, HELLO_REPLY, 0),
    "E3": (FrameType.SELECT, 1, Select(5), 0),
    "E4": (FrameType.SELECT_REPLY, 1, State(5, 3000), 0),
    "E5": (FrameType.HEARTBEAT, 2, Empty(), 0),
    "E6": (FrameType.HEARTBEAT_REPLY, 2, State(5, 500_000), 0),
    "E7": (FrameType.STATUS, 3, Empty(), 0),
    "E8": (FrameType.STATUS_REPLY, 3, StatusReply(5, 600_000, 0, 0, 1), 0),
    "E9": (FrameType.OPEN_ALL, 4, Empty(), 0),
    "E10": (FrameType.OPEN_ALL_REPLY, 4, State(NO_POSITION, 700_000), 0),
    "E11": (FrameType.SELECT, 5, Select(40), 0),
    "E12": (FrameType.ERROR, 5, ErrorReply(NO_POSITION, 800_000, ErrorCode.BAD_POSITION, 40), 0),
    "E13": (
        FrameType.ERROR,
        0,
        ErrorReply(NO_POSITION, 900_000, ErrorCode.BAD_CRC, 0),
        ReplyFlag.NO_SEQUENCE,
    ),
    "E14": (
        FrameType.ERROR,
        7,
        ErrorReply(NO_POSITION, 2_000_000, ErrorCode.WATCHDOG_TRIPPED, 0),
        ReplyFlag.WATCHDOG_TRIPPED,
    ),
}


def crc32_bit_by_bit(data: bytes) -> int:
    register = 0xFFFFFFFF
    for value in data:
        register ^= value
        for _ in range(8):
            register = (register >> 1) ^ (0xEDB88320 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def uncobs(encoded: bytes) -> bytes:
    raw = b""
    while encoded:
        length = encoded[0]
        raw += encoded[1:length] + b"\0"
        encoded = encoded[length:]
    return raw[:-1]


def test_the_reference_has_all_examples() -> None:
    assert EXAMPLES.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_example_is_what_we_send_and_what_we_read(name: str) -> None:
    wire = bytes.fromhex(EXAMPLES[name])
    kind, sequence, body, flags = EXPECTED[name]
    frame = Frame(kind, sequence, pack(body), flags)
    assert encode(frame) == wire
    assert FrameReader().feed(wire) == [frame]


@pytest.mark.parametrize("name", EXPECTED)
def test_example_holds_without_our_code(name: str) -> None:
    wire = bytes.fromhex(EXAMPLES[name])
    kind, sequence, _, flags = EXPECTED[name]
    assert wire.index(0) == len(wire) - 1
    raw = uncobs(wire[:-1])
    assert raw[:5] == bytes([1, kind, flags, sequence & 0xFF, sequence >> 8])
    assert int.from_bytes(raw[-4:], "little") == crc32_bit_by_bit(raw[:-4])


@pytest.mark.parametrize("kind", FrameType)
def test_offsets_in_the_reference_are_those_of_the_layout(kind: FrameType) -> None:
    heading = re.search(rf"^### `{kind:#04x}` {kind.name}$", TEXT.replace("0xFF", "0xff"), re.M)
    assert heading, f"{kind.name} has no section"
    section = TEXT[heading.end() :].split("\n#", 1)[0]
    rows = [(int(a), int(b)) for a, b in re.findall(r"^\| (\d+) \| (\d+) \|", section, re.M)]
    end = 0
    for offset, size in rows:
        assert offset == end
        end += size
    assert end == LAYOUTS[BODIES[kind]].size


def test_every_error_code_is_explained() -> None:
    listed = dict(re.findall(r"^\| `(0x[0-9A-F]{2})` \| ([A-Z_]+) \|", TEXT, re.M))
    assert {int(code, 16): name for code, name in listed.items()} == {
        code.value: code.name for code in ErrorCode
    }
