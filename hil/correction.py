"""What is known of the errors of a board: estimates to take out, and what remains uncertain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from hil.coverage import RECTANGULAR
from hil.errors import StationError
from hil.instruments.accuracy import RangeAccuracy, SmuAccuracy
from hil.records import Record
from hil.types import FloatArray, IndexArray


@dataclass(frozen=True)
class Circuit:
    """What a station says of everything between the source and its devices.

    Attributes:
        positions: switch position of each device.
        r_series_ohm: series resistor of each, shape (n_devices,).
        r_switch_ohm: closed switch of each with its leads, shape (n_devices,).
        load_siemens: in parallel with every device.
        tolerance_ratio: of all three.
    """

    positions: Sequence[int]
    r_series_ohm: FloatArray
    r_switch_ohm: FloatArray
    load_siemens: float
    tolerance_ratio: float


@dataclass(frozen=True)
class Correction:
    """The quantities that enter every reading, with their joint uncertainty.

    V = v_offset_v + V_true and I = i_offset_a + gain_ratio I_true, by range of the current. The
    gain of the current is relative to that of the voltage: a conductance depends on nothing else,
    and a reference resistor tells nothing else. A quantity is known from a calibration record
    (normal), or bounded by the accuracy table or a tolerance (rectangular).

    Attributes:
        accuracy: of the instrument.
        volts: row of its voltage table for the range that the source is fixed to.
        names: of the quantities, as in calibration records: voltage offset; current offsets and
            gains by range; paths by device; load.
        values: best estimates.
        covariance: shape (n_quantities, n_quantities).
        excess_kurtosis: of each quantity.
        r_switch_ohm: part of each path that is the switch; the rest is the series resistor.
        record_ids: record that each quantity is known from; empty for none.
    """

    accuracy: SmuAccuracy
    volts: RangeAccuracy
    names: tuple[str, ...]
    values: FloatArray
    covariance: FloatArray
    excess_kurtosis: FloatArray
    r_switch_ohm: FloatArray
    record_ids: tuple[str, ...]

    @classmethod
    def from_tables(cls, accuracy: SmuAccuracy, v_range_v: float, circuit: Circuit) -> Self:
        """Return what follows from the accuracy table and the tolerances of the station alone.

        Args:
            accuracy: of the instrument.
            v_range_v: largest voltage of the range that the source is fixed to.
            circuit: of the devices.
        """
        volts = accuracy.measure_v.ranges[int(accuracy.measure_v.range_index(v_range_v))]
        amps = accuracy.measure_a.ranges
        tolerance = circuit.tolerance_ratio
        # Name, value, bounds of the independent contributions to its error.
        rows: list[tuple[str, float, tuple[float, ...]]] = [
            ("v_offset_v", 0.0, (volts.offset,)),
            *((i_offset_name(r), 0.0, (r.offset,)) for r in amps),
            *((gain_name(r), 1.0, (r.gain_ratio, volts.gain_ratio)) for r in amps),
            *(
                (path_name(p), r + r_switch, (tolerance * r, tolerance * r_switch))
                for p, r, r_switch in zip(
                    circuit.positions,
                    circuit.r_series_ohm.tolist(),
                    circuit.r_switch_ohm.tolist(),
                    strict=True,
                )
            ),
            ("load_siemens", circuit.load_siemens, (tolerance * circuit.load_siemens,)),
        ]
        variance = np.array([sum(b**2 for b in bounds) / 3 for _, _, bounds in rows])
        fourth = np.array([RECTANGULAR * sum(b**4 for b in bounds) / 9 for _, _, bounds in rows])
        kurtosis = np.divide(fourth, variance**2, out=np.zeros_like(fourth), where=variance**2 > 0)
        return cls(
            accuracy=accuracy,
            volts=volts,
            names=tuple(name for name, _, _ in rows),
            values=np.array([value for _, value, _ in rows]),
            covariance=np.diag(variance),
            excess_kurtosis=kurtosis,
            r_switch_ohm=circuit.r_switch_ohm,
            record_ids=("",) * len(rows),
        )

    def with_record(self, record: Record) -> Self:
        """Return the same with what a record knows better; its other parameters are ignored.

        Raises:
            StationError: a parameter has no standard uncertainty.
        """
        values, kurtosis = self.values.copy(), self.excess_kurtosis.copy()
        covariance, record_ids = self.covariance.copy(), list(self.record_ids)
        known = [(k, name) for k, name in enumerate(self.names) if name in record.parameters]
        for k, name in known:
            quantity = record.parameters[name]
            if quantity.standard_uncertainty is None:
                raise StationError(
                    f"{record.origin}: parameters.{name}: an instrument or board record gives a "
                    f"standard_uncertainty for each"
                )
            values[k], kurtosis[k], record_ids[k] = quantity.value, 0.0, record.record_id
            covariance[k, :] = covariance[:, k] = 0.0
            covariance[k, k] = quantity.standard_uncertainty**2
        u = np.sqrt(np.diag(covariance))
        for k, name in known:
            for other, (owner, other_name) in enumerate(zip(record_ids, self.names, strict=True)):
                if owner and other != k:
                    prefix = "" if owner == record.record_id else f"{owner}:"
                    r = record.correlation(name, f"{prefix}{other_name}")
                    covariance[k, other] = covariance[other, k] = r * u[k] * u[other]
        r_switch_ohm = self.r_switch_ohm
        if "r_switch_ohm" in record.parameters:
            r_switch_ohm = np.full_like(r_switch_ohm, record.value("r_switch_ohm"))
        return replace(
            self,
            values=values,
            covariance=covariance,
            excess_kurtosis=kurtosis,
            r_switch_ohm=r_switch_ohm,
            record_ids=tuple(record_ids),
        )

    def u(self, name: str) -> float:
        """Return the standard uncertainty of a quantity."""
        k = self.names.index(name)
        return float(np.sqrt(self.covariance[k, k]))

    def i_offset(self, i_a: FloatArray) -> IndexArray:
        """Return which quantity is the offset of each current, by the range that it falls into."""
        return 1 + self.accuracy.measure_a.range_index(i_a)

    def gain(self, i_a: FloatArray) -> IndexArray:
        """Return which quantity is the gain of each current."""
        return self.i_offset(i_a) + len(self.accuracy.measure_a.ranges)

    @cached_property
    def variances(self) -> FloatArray:
        """Squared standard uncertainty of each quantity."""
        return np.diag(self.covariance)

    def path(self, device_index: IndexArray) -> IndexArray:
        """Return which quantity is the path of each device."""
        return 1 + 2 * len(self.accuracy.measure_a.ranges) + device_index

    @property
    def r_path_ohm(self) -> FloatArray:
        """Series resistor and switch of each device, shape (n_devices,)."""
        return self.values[self.path(np.array(0)) : -1]

    @property
    def r_series_ohm(self) -> FloatArray:
        """Series resistor of each device alone."""
        return np.maximum(self.r_path_ohm - self.r_switch_ohm, 0.0)

    def noise_v(self, nplc: float) -> float:
        """Return the noise of one voltage reading."""
        return self.volts.noise_rms / float(np.sqrt(nplc))

    def noise_a(self, i_a: FloatArray, nplc: float) -> FloatArray:
        """Return the noise of each current reading."""
        table = self.accuracy.measure_a
        noise: FloatArray = table.noise_rms[table.range_index(i_a)] / np.sqrt(nplc)
        return noise


def i_offset_name(amps: RangeAccuracy) -> str:
    """Return the name of the offset of a current range: ``i_offset_10ua_a``."""
    return f"i_offset_{_range(amps)}_a"


def gain_name(amps: RangeAccuracy) -> str:
    """Return the name of the gain of a current range: ``gain_10ua_ratio``."""
    return f"gain_{_range(amps)}_ratio"


def path_name(position: int) -> str:
    """Return the name of the path of a switch position: ``r_path_p7_ohm``."""
    return f"r_path_p{position}_ohm"


def _range(amps: RangeAccuracy) -> str:
    micro = round(amps.full_scale * 1e6)
    value, unit = next(
        (micro // n, u) for n, u in ((10**6, "a"), (1000, "ma"), (1, "ua")) if micro >= n
    )
    return f"{value}{unit}"
