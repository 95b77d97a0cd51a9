from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import CalibrationError, StationError
from hil.records import (
    Conditions,
    Data,
    Head,
    Quantity,
    Record,
    Validity,
    list_records,
    load_record,
    make_record,
    parse_record,
    record_ids,
    require_valid,
    write_record,
)

DAY = datetime.date(2026, 11, 22)


def sample(record_id: str = "smu-1", **head: str) -> Record:
    return make_record(
        Head(
            id=record_id,
            kind="instrument",
            subject="Keithley 2400 1234567",
            created=DAY,
            software="memristor-hil 0.2.0",
            note='Two lines,\nthe second with "quotes" and a \\ backslash.\n',
            **head,
        ),
        {
            "source_offset_v": Quantity(
                value=1.5e-4,
                unit="V",
                source="short on position 3",
                status="fitted",
                standard_uncertainty=2e-6,
            ),
            "source_gain_ratio": Quantity(value=1, unit="1", source="-", status="assumed"),
        },
        conditions=Conditions(instrument="Keithley 2400", series_resistor_ohm=[5e3, 47e3]),
        data=Data(sha256="0" * 64, n_points=12, runs=["01ABC"]),
        quality={"chi2_ratio": 0.98},
        validity=Validity.of(datetime.date(2027, 11, 22), {"v_source_v": (-0.2, 0.2)}),
        correlations={"source_offset_v": {"source_gain_ratio": -0.5}},
    )


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    record = sample(supersedes="smu-0")
    path = write_record(record, tmp_path / "records")
    again = load_record("smu-1", [tmp_path / "records"])
    assert again.tables == record.tables
    assert again.sha256 == record.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert again.validity.ranges == {"v_source_v": (-0.2, 0.2)}
    assert again.correlation("source_gain_ratio", "source_offset_v") == -0.5
    assert again.value("source_offset_v") == 1.5e-4
    assert again.head.supersedes == "smu-0"


def test_a_record_is_never_edited(tmp_path: Path) -> None:
    write_record(sample(), tmp_path)
    with pytest.raises(StationError, match="exists already; a record is never edited"):
        write_record(sample(), tmp_path)


def test_folders_come_before_what_ships(tmp_path: Path) -> None:
    write_record(sample(), tmp_path)
    assert "smu-1" in record_ids([tmp_path])
    assert "smu-1" not in record_ids()
    assert load_record("smu-1", [tmp_path]).origin == f"{tmp_path}/smu-1.toml"
    with pytest.raises(StationError, match=r"no calibration record 'smu-2'; there are .*smu-1"):
        load_record("smu-2", [tmp_path, tmp_path / "missing"])


def test_a_record_is_valid_to_the_end_of_its_last_day() -> None:
    record = sample()
    require_valid(record, datetime.date(2027, 11, 22))
    with pytest.raises(CalibrationError, match="'smu-1' expired on 2027-11-22 \\(1 days ago\\)"):
        require_valid(record, datetime.date(2027, 11, 23))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "instrument"', 'kind = "tool"', "line 3: record.kind: .*'tool'"),
        ('unit = "V"', 'unti = "V"', "parameters.source_offset_v.unit: this key is missing"),
        ("[-0.2, 0.2]", "[0.2, -0.2]", r"validity.v_source_v: a range is \[low, high\]"),
        ("[-0.2, 0.2]", "[0.2]", "validity.v_source_v"),
        ("until = 2027-11-22", 'until = "soon"', "validity.until"),
        ("standard_uncertainty = 2e-06", "standard_uncertainty = -1.0", "standard_uncertainty"),
        ("source_gain_ratio = -0.5", "other = -0.5", "there is no parameter 'other'"),
        ("source_gain_ratio = -0.5", "source_gain_ratio = -1.5", "greater than or equal to -1"),
        ('id = "smu-1"', 'id = "SMU 1"', "line 2: record.id"),
        ("[record]", "[record", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_key(old: str, new: str, message: str) -> None:
    text = sample().toml
    assert old in text
    with pytest.raises(StationError, match=message):
        parse_record(text.replace(old, new, 1).encode(), "records/smu-1.toml")


def test_a_file_that_carries_another_name_is_refused(tmp_path: Path) -> None:
    write_record(sample(), tmp_path).rename(tmp_path / "smu-9.toml")
    with pytest.raises(StationError, match=r"record.id: is 'smu-1', expected 'smu-9'"):
        load_record("smu-9", [tmp_path])


def test_all_records_are_listed_once(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_record(sample(), tmp_path / folder)
    folders = [tmp_path / "a", tmp_path / "b"]
    assert [record.origin for record in list_records(folders)].count(
        f"{tmp_path}/a/smu-1.toml"
    ) == 1
    assert len(list_records(folders)) == len(record_ids()) + 1


@given(
    note=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"])),
    value=st.floats(allow_nan=False, allow_infinity=False),
    name=st.text(min_size=1),
)
def test_any_text_and_number_survive(note: str, value: float, name: str) -> None:
    head = Head(id="x", kind="board", subject="s", created=DAY, note=note)
    quantity = Quantity(value=value, unit="1", source="s", status="measured")
    record = make_record(head, {name: quantity}, quality={name: value})
    assert record.head.note == note
    assert record.value(name) == value
    assert record.quality == {name: value}
