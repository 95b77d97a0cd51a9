"""Generalised devices for tests: values like those of fitted W parts, memory and spreads chosen."""

from __future__ import annotations

import datetime
from pathlib import Path

from hil.records import Conditions, Head, Quantity, make_record, write_record
from twin.devices.gmss_parameters import GmssParameters
from twin.parameters import unit_of

M1 = {
    "r_on_ohm": 2857.0,
    "r_off_ohm": 294e3,
    "r_init_ohm": 280e3,
    "n_on_per_v": 1.6,
    "c_forward_ratio": 0.9,
    "b_forward_per_v": 16.0,
    "b_reverse_per_v": 4.8,
    "v_on_v": 0.30,
    "v_off_v": 0.145,
    "a_on_v": -0.085,
    "a_off_v": 0.54,
    "v_t_on_v": 0.017,
    "v_t_off_v": 0.065,
    "tau_on_s": 3e-4,
    "tau_off_s": 7.8e-5,
    "v_dead_on_v": 0.12,
    "v_dead_off_v": 0.08,
    "fresh_ratio": 0.3,
    "tau_relax_s": 0.02,
    "x_rest": 0.004,
    "tau_rise_s": 3600.0,
    "c2c_v_on_v": 0.02,
    "c2c_v_off_v": 0.02,
    "c2c_r_off_ratio": 0.2,
    "d2d_r_on_ratio": 0.1,
    "d2d_r_off_ratio": 0.3,
    "d2d_v_on_v": 0.02,
    "d2d_v_off_v": 0.02,
}

M2 = M1 | {
    "r_on_ohm": 2381.0,
    "r_off_ohm": 263e3,
    "r_init_ohm": 250e3,
    "n_on_per_v": 0.73,
    "c_forward_ratio": 0.44,
    "b_forward_per_v": 17.0,
    "b_reverse_per_v": 3.4,
    "v_on_v": 0.319,
    "v_off_v": 0.084,
    "a_on_v": 0.014,
    "a_off_v": 0.849,
    "v_t_on_v": 0.020,
    "v_t_off_v": 0.046,
    "tau_on_s": 2.4e-4,
    "tau_off_s": 3.3e-5,
}

QUIET = {
    "fresh_ratio": 0.0,
    "x_rest": 0.0,
    "c2c_v_on_v": 0.0,
    "c2c_v_off_v": 0.0,
    "c2c_r_off_ratio": 0.0,
}
"""No memory effects and no redraws."""


def gmss(n_devices: int = 1, **changes: float) -> GmssParameters:
    """Return n devices of M1 with some values changed."""
    return GmssParameters.broadcast(n_devices, **M1 | changes)


def write_gmss_record(record_id: str, folder: Path, **changes: float) -> Path:
    """Write a record of M1 with some values changed."""
    created = datetime.date(2026, 11, 22)
    head = Head(id=record_id, kind="device", subject="a test device", created=created)
    parameters = {
        name: Quantity(value=value, unit=unit_of(name), source="for tests", status="fitted")
        for name, value in (M1 | changes).items()
    }
    conditions = Conditions(dopant="W", model="gmss")
    return write_record(make_record(head, parameters, conditions=conditions), folder)
