from __future__ import annotations

import pytest

from hil.protocol.frames import (
    MAX_BODY,
    BadFrame,
    Fault,
    Frame,
    FrameReader,
    encode,
    encoded_length,
)


def faults(data: bytes) -> list[Fault]:
    return [item.reason for item in FrameReader().feed(data) if isinstance(item, BadFrame)]


def test_a_frame_worked_out_by_hand() -> None:
    # raw 01 04 00 02 00, its CRC-32 0x46162b78; groups 03 (01 04), 02 (02), 05 (78 2b 16 46)
    assert encode(Frame(0x04, 2)) == bytes.fromhex("03 01 04 02 02 05 78 2b 16 46 00")


@pytest.mark.parametrize("n_body", [0, 1, 100, 244])
def test_encoded_length_is_exact_for_short_bodies(n_body: int) -> None:
    assert encoded_length(n_body) == len(encode(Frame(1, 0, b"\x55" * n_body)))


def test_the_largest_body_fits_and_one_byte_more_does_not() -> None:
    frame = Frame(1, 7, b"\xaa" * MAX_BODY)
    assert len(encode(frame)) == 1014
    assert FrameReader().feed(encode(frame)) == [frame]
    with pytest.raises(ValueError, match="at most 1000"):
        encode(Frame(1, 7, b"\xaa" * (MAX_BODY + 1)))


def test_each_fault_has_its_name() -> None:
    wire = bytearray(encode(Frame(4, 0x1111)))
    wire[2] ^= 1
    assert faults(bytes(wire)) == [Fault.BAD_CRC]
    assert faults(b"\x05\x01\x00") == [Fault.NOT_COBS]
    assert faults(b"\x03\x01\x02\x00") == [Fault.TOO_SHORT]
    assert faults(b"\x01" * 2000 + b"\x00") == [Fault.TOO_LONG]


def test_zero_bytes_alone_are_no_fault() -> None:
    assert FrameReader().feed(b"\0\0\0") == []


def test_endless_garbage_does_not_grow_memory_and_the_next_frame_is_read() -> None:
    reader = FrameReader()
    for _ in range(1000):
        assert reader.feed(b"\x55" * 300) == []
        assert reader.n_pending <= 1014
    assert reader.feed(b"\0") == [BadFrame(Fault.TOO_LONG)]
    assert reader.feed(encode(Frame(3, 9))) == [Frame(3, 9)]
