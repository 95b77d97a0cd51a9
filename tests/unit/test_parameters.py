from __future__ import annotations

import hashlib
from importlib import resources

import numpy as np
import pytest

from hil.errors import StationError, UsageError
from hil.limits import DEFAULT_LIMITS
from hil.types import Dopant
from twin.parameters import load_record, parse_record, record_ids, stack_records

RECORD = (resources.files("calibration") / "records" / "w-m1.toml").read_bytes()


def test_records_that_ship() -> None:
    assert set(record_ids()) >= {"w-m1", "w-m2", "cr-assumed", "c-assumed"}
    status = {record_id: load_record(record_id).status for record_id in record_ids()}
    assert status["w-m1"] == status["w-m2"] == "fitted"
    assert status["cr-assumed"] == status["c-assumed"] == "assumed"


def test_w_m1_holds_the_fit_and_who_measured() -> None:
    record = load_record("w-m1")
    values = record.values()
    assert (values["r_on_ohm"], values["r_off_ohm"]) == (2237.0, 80.8e3)
    assert (values["v_on_v"], values["v_off_v"], values["tau_s"]) == (0.348, 0.226, 5.6e-5)
    assert (values["v_dead_on_v"], values["v_dead_off_v"]) == (0.12, 0.08)
    assert "Knowm Memristor Discovery, Knowm Inc." in record.head.attribution
    assert "9e01a9b7103545fa5fecabcaada6bac462c3ecda" in record.head.attribution
    assert record.dopant is Dopant.W
    assert record.sha256 == hashlib.sha256(RECORD).hexdigest()


def test_values_of_the_first_records_are_still_the_same() -> None:
    assert list(load_record("w-m2").values().values()) == [
        1769.0,
        69600.0,
        0.420,
        0.115,
        1.6e-5,
        0.0257,
        0.12,
        0.08,
        69000.0,
        10000.0,
    ]


def test_every_dead_band_covers_rest_and_the_longest_read() -> None:
    for record_id in record_ids():
        record = load_record(record_id)
        values = record.values()
        assert values["v_dead_on_v"] > DEFAULT_LIMITS[record.dopant].max_read_v
        assert values["v_dead_off_v"] > 0


def test_stack_keeps_the_order() -> None:
    stacked = stack_records([load_record("c-assumed"), load_record("w-m1")])
    np.testing.assert_array_equal(stacked.r_on_ohm, [13e3, 2237.0])
    with pytest.raises(UsageError, match="at least one"):
        stack_records([])


def test_unknown_record_names_those_that_exist() -> None:
    with pytest.raises(StationError, match=r"'w-m9'.*w-m1"):
        load_record("w-m9")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'unit = "ohm"', b'unit = "kohm"', r"here, line \d+: parameters\.r_on_ohm\.unit.*kohm"),
        (b"value = 2237.0", b"value = -1.0", r"r_on_ohm\.value"),
        (b"value = 2237.0", b'value = "2237"', r"r_on_ohm\.value"),
        (b"value = 2237.0", b"value = 1e9", r"parameters.*r_off_ohm"),
        (b"value = 0.348", b"value = nan", r"v_on_v\.value"),
        (b'status = "fitted"', b'status = "guessed"', r"r_on_ohm\.status"),
        (b"[parameters.tau_s]", b"[parameters.tau_ms]", r"parameters\.tau_s: this key is missing"),
        (b"[record]", b"[record]\ncolour = 3", r"record\.colour: no such key"),
        (b"[record]", b"[record", "not valid TOML"),
        (b"Knowm W", b"\xff", "not valid TOML"),
        (b'id = "w-m1"', b'id = "w-m2"', r"record\.id"),
        (b"value = 10000\n", b"value = 10000.5\n", r"n_switches\.value"),
        (b'kind = "device"', b'kind = "board"', r"here, line \d+: record\.kind"),
        (b'dopant = "W"\n', b"", r"conditions\.dopant: this key is missing"),
        (
            b'model = "mss"',
            b'model = "rram"',
            r"conditions\.model: is 'rram', not one of mss, gmss",
        ),
        (b'model = "mss"', b'model = "gmss"', r"parameters\.n_on_per_v: this key is missing"),
        (
            b"[parameters.tau_s]",
            b'[parameters.tau_ms]\nvalue = 1.0\nunit = "s"\nsource = "x"\nstatus = "fitted"\n'
            b"[parameters.tau_s]",
            r"parameters\.tau_ms: a device of model 'mss' has no",
        ),
    ],
)
def test_wrong_records_are_refused_with_file_and_key(old: bytes, new: bytes, message: str) -> None:
    assert old in RECORD
    with pytest.raises(StationError, match=message):
        parse_record(RECORD.replace(old, new, 1), origin="here", record_id="w-m1")
