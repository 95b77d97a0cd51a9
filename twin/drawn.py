"""What differs from one board to the next of the same type: drawn once for each seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hil.correction import Circuit
from hil.station import Station
from hil.types import Device


def draw_circuit(station: Station, rng: np.random.Generator) -> Circuit:
    """Return the circuit of one board: every resistor somewhere within its tolerance.

    Uniform, each for itself: the load, and of each position the series resistor and the switch. A
    position keeps its own whatever else the station uses.
    """
    circuit = station.circuit
    tolerance = circuit.tolerance_ratio
    load_siemens = circuit.load_siemens * (1 + tolerance * rng.uniform(-1, 1))
    errors = tolerance * rng.uniform(-1, 1, (station.table.switch_board.n_positions, 2))
    series, switch = errors[circuit.positions].T
    return replace(
        circuit,
        r_series_ohm=circuit.r_series_ohm * (1 + series),
        r_switch_ohm=circuit.r_switch_ohm * (1 + switch),
        load_siemens=load_siemens,
    )


def draw_reference_ohm(device: Device, rng: np.random.Generator) -> float:
    """Return one resistor of this certificate: normal, half the expanded uncertainty its sigma."""
    assert device.reference_ohm is not None
    error_ratio = device.reference_expanded_ratio / 2 * rng.standard_normal()
    return device.reference_ohm * (1 + error_ratio)
