from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hil.protocol.frames import MAX_BODY, BadFrame, Frame, FrameReader, encode

byte = st.integers(0, 255)
frames = st.builds(
    Frame,
    type=byte,
    sequence=st.integers(0, 0xFFFF),
    body=st.binary(max_size=MAX_BODY) | st.binary(max_size=8),
    flags=byte,
    version=byte,
)


def read(data: bytes, cuts: list[int]) -> list[Frame | BadFrame]:
    reader = FrameReader()
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    found: list[Frame | BadFrame] = []
    for start, end in pairwise(edges):
        found += reader.feed(data[start:end])
    return found


@given(st.lists(frames, max_size=5), st.lists(st.integers(0, 6000), max_size=20))
def test_frames_survive_any_chopping(sent: list[Frame], cuts: list[int]) -> None:
    assert read(b"".join(map(encode, sent)), cuts) == sent


@given(frames)
def test_a_frame_has_one_zero_byte_at_its_end(frame: Frame) -> None:
    wire = encode(frame)
    assert wire.index(0) == len(wire) - 1


@given(
    st.lists(st.tuples(st.binary(max_size=1200), frames), max_size=4),
    st.lists(st.integers(0, 9000), max_size=9),
)
def test_garbage_that_ends_in_a_zero_byte_costs_no_frame(
    sent: list[tuple[bytes, Frame]], cuts: list[int]
) -> None:
    wire = b"".join(garbage + b"\0" + encode(frame) for garbage, frame in sent)
    found = [item for item in read(wire, cuts) if isinstance(item, Frame)]
    assert found == [frame for _, frame in sent]


@given(frames, frames, st.binary(min_size=1, max_size=40).filter(lambda data: 0 not in data))
def test_garbage_without_an_end_costs_one_frame_at_most(
    first: Frame, second: Frame, garbage: bytes
) -> None:
    found = FrameReader().feed(garbage + encode(first) + encode(second))
    assert len(found) == 2
    assert isinstance(found[0], BadFrame)
    assert found[1] == second


@given(frames, st.sets(st.integers(0, 8 * 1014 - 1), min_size=1, max_size=6))
def test_flipped_bits_never_make_another_frame(frame: Frame, bits: set[int]) -> None:
    wire = bytearray(encode(frame))
    for bit in {bit % (8 * len(wire)) for bit in bits}:
        wire[bit // 8] ^= 1 << bit % 8
    found = FrameReader().feed(bytes(wire) + b"\0")
    assert all(item == frame for item in found if isinstance(item, Frame))


def test_every_single_and_double_flip_of_a_request_is_noticed() -> None:
    wire = encode(Frame(2, 0x0102, b"\x05\x00"))
    n_bits = 8 * len(wire)
    for first in range(n_bits):
        for second in range(first, n_bits):
            damaged = bytearray(wire)
            damaged[first // 8] ^= 1 << first % 8
            if second != first:
                damaged[second // 8] ^= 1 << second % 8
            found = FrameReader().feed(bytes(damaged) + b"\0")
            assert not any(isinstance(item, Frame) for item in found), (first, second)


@given(st.binary(max_size=5000), st.lists(st.integers(0, 5000), max_size=20))
def test_noise_is_never_a_frame_and_never_held(noise: bytes, cuts: list[int]) -> None:
    reader = FrameReader()
    for cut in cuts:
        assert not any(isinstance(item, Frame) for item in reader.feed(noise[:cut]))
        assert reader.n_pending <= 1014
