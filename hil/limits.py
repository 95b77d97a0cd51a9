"""What a device may see. A request outside is refused before a byte is sent; never clipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from hil.arrays import CellKind, Scheme
from hil.errors import LimitError, UnsupportedError, UsageError
from hil.patterns import LinePattern
from hil.types import (
    BoardInfo,
    CellArray,
    Dopant,
    FloatArray,
    IndexArray,
    Synapses,
    as_cells,
)
from hil.units import text


@dataclass(frozen=True, slots=True)
class DeviceLimits:
    """Limits of one device type.

    Attributes:
        max_current_a: through the device; also the compliance of the source.
        max_voltage_v: magnitude at the source.
        max_pulse_width_s: of one pulse.
        max_read_v: of a read, in the SET direction.
    """

    max_current_a: float
    max_voltage_v: float = 2.0
    max_pulse_width_s: float = 1.0
    max_read_v: float = 0.1


# Currents: knowm.org FAQ (1 mA for W, 50 uA for C). No limit is published for Cr: it gets that of C
# until one is measured. Voltage: the largest that Knowm's own quality check applies (-2 V reset).
# Read: 0.1 V in the write direction stays below the SET threshold of 0.2 V to 0.3 V.
DEFAULT_LIMITS: Mapping[Dopant, DeviceLimits] = {
    Dopant.W: DeviceLimits(max_current_a=1e-3),
    Dopant.CR: DeviceLimits(max_current_a=50e-6),
    Dopant.C: DeviceLimits(max_current_a=50e-6),
    Dopant.REFERENCE: DeviceLimits(max_current_a=1e-3, max_read_v=2.0),  # reads disturb no resistor
}


class LimitChecker:
    """Checks requests against the limits of the devices that they address.

    The worst case for the current is a device that has become a short circuit: the series resistor
    and the switch alone, at the lower end of their tolerance, must keep it below the limit, because
    no source's compliance acts as fast as a device switches. A reference resistor is none of them.
    In an array, which has no series resistors, it is a device that is turned on completely
    (``ArrayInfo.min_device_ohm``) behind its lines.
    """

    def __init__(self, info: BoardInfo, limits: Mapping[Dopant, DeviceLimits]) -> None:
        per_device = [limits[device.dopant] for device in info.devices]
        self._info = info
        self._max_current_a = np.array([limit.max_current_a for limit in per_device])
        self._max_voltage_v = np.array([limit.max_voltage_v for limit in per_device])
        self._max_pulse_width_s = np.array([limit.max_pulse_width_s for limit in per_device])
        self._max_read_v = np.array([limit.max_read_v for limit in per_device])
        r_nominal_ohm = info.r_series_ohm + info.switch_resistance_ohm
        r_reference_ohm = np.array([device.reference_ohm or 0.0 for device in info.devices])
        self._r_series_ohm = (r_nominal_ohm + r_reference_ohm) * (1 - info.tolerance_ratio)
        if info.array is not None:
            self._r_series_ohm = self._r_series_ohm + info.array.min_device_ohm

    def scheme(self, asked: Scheme | None, *, is_read: bool) -> Scheme:
        """Return how other lines are held: as asked, or as the station reads or writes.

        Raises:
            UnsupportedError: this board cannot be biased so.
        """
        array = self._info.array
        if array is None:
            if asked not in (None, Scheme.ISOLATED):
                raise UnsupportedError(
                    f"board {self._info.kind!r} is no array: its cells are isolated already, there "
                    f"is no scheme {Scheme(asked).value!r}"
                )
            return Scheme.ISOLATED
        if asked is None:
            return array.read_scheme if is_read else array.write_scheme
        if asked not in array.schemes:
            raise UnsupportedError(
                f"a {array.cell_kind.value} array is not biased by scheme {Scheme(asked).value!r}; "
                f"it takes {', '.join(one.value for one in array.schemes)}"
            )
        return Scheme(asked)

    def check_read(
        self,
        cells: CellArray,
        v_read_v: ArrayLike,
        *,
        allow_reverse: bool,
        scheme: Scheme | None = None,
    ) -> FloatArray:
        """Return the read voltages, one per cell.

        Raises:
            LimitError: zero, too large, or in the RESET direction without ``allow_reverse``.
            UnsupportedError: a scheme that this board has not.
        """
        self.scheme(scheme, is_read=True)
        request = _Request(self._info, cells)
        v_read_v = request.per_cell("read voltage", v_read_v)
        request.refuse(v_read_v == 0, "read voltage", v_read_v, "V", "0 V reads nothing")
        if not allow_reverse:
            request.refuse(
                v_read_v < 0,
                "read voltage",
                v_read_v,
                "V",
                "reads are in the SET direction; erase thresholds are as low as 50 mV "
                "(allow_reverse if it is meant)",
            )
        index = request.index
        request.below("read voltage", v_read_v, self._max_read_v[index], "V")
        self._check_current(request, v_read_v)
        return v_read_v

    def check_pulse(
        self,
        cells: CellArray,
        amplitude_v: ArrayLike,
        width_s: ArrayLike,
        n_pulses: int,
        *,
        scheme: Scheme | None = None,
        compliance_a: float | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Return amplitudes and widths, one per cell.

        Raises:
            LimitError: amplitude, worst-case current, width or compliance outside the limits.
            UnsupportedError: a scheme that this board has not, or a compliance in a passive array.
            UsageError: fewer than one pulse.
        """
        _check_number(n_pulses)
        self.scheme(scheme, is_read=False)
        request = _Request(self._info, cells)
        amplitude_v = request.per_cell("amplitude", amplitude_v)
        width_s = request.per_cell("pulse width", width_s)
        index = request.index
        request.below("amplitude", amplitude_v, self._max_voltage_v[index], "V")
        self._check_current(request, amplitude_v)
        self._check_width(request, width_s)
        if compliance_a is not None:
            self._check_compliance(request, compliance_a)
        return amplitude_v, width_s

    def check_lines(self, pattern: LinePattern, width_s: float, n_pulses: int) -> None:
        """Check a pattern on the lines of an array, on every cell of it.

        Raises:
            LimitError: a cell could see a voltage, current or width outside the limits.
            UnsupportedError: the board is no array.
            UsageError: a pattern of another shape, or fewer than one pulse.
        """
        if self._info.array is None:
            raise UnsupportedError(f"board {self._info.kind!r} is no array: it has no lines")
        _check_number(n_pulses)
        shape = len(pattern.rows_v), len(pattern.columns_v)
        if shape != self._info.shape:
            raise UsageError(
                f"the pattern is for {shape[0]} rows and {shape[1]} columns; the array has "
                f"{self._info.shape[0]} and {self._info.shape[1]}"
            )
        as_cells(pattern.cells, self._info.shape)
        request = _Request(self._info, self._info.all_cells)
        across_v = request.per_cell("voltage across the lines", pattern.cells_v.ravel())
        request.below("voltage across the lines", across_v, self._max_voltage_v, "V")
        self._check_current(request, across_v)
        self._check_width(request, request.per_cell("pulse width", width_s))

    def check_inputs(self, inputs_v: ArrayLike, *, transposed: bool) -> FloatArray:
        """Return the inputs of a matrix-vector product, shape (n_lines,).

        Raises:
            LimitError: an input that no read of the devices on its line may have.
            UsageError: another shape, or all inputs are 0 V.
        """
        inputs_v = np.array(inputs_v, dtype=float)
        n_lines = self._info.shape[1 if transposed else 0]
        if inputs_v.shape != (n_lines,):
            lines = "columns" if transposed else "rows"
            raise UsageError(f"inputs have shape {inputs_v.shape}; the board has {n_lines} {lines}")
        cells = self._info.all_cells
        across_v = inputs_v[cells[:, 1 if transposed else 0]]
        is_on = across_v != 0
        if not is_on.any():
            raise UsageError("all inputs are 0 V: there is nothing to measure")
        self.check_read(cells[is_on], across_v[is_on], allow_reverse=False)
        return inputs_v

    def check_sweep(self, cell: CellArray, waveform_v: ArrayLike, dt_s: float) -> FloatArray:
        """Return the waveform as an array; ``cell`` has shape (1, 2).

        A sweep may take longer than a pulse, but no single level may be held longer than one.

        Raises:
            LimitError: a point of the waveform, or how long it is held, is outside the limits.
            UsageError: no points, or a step time that is not positive.
        """
        waveform_v = np.asarray(waveform_v, dtype=float)
        if waveform_v.ndim != 1 or not len(waveform_v):
            raise UsageError(f"a waveform is a list of voltages, not of shape {waveform_v.shape}")
        if not 0 < dt_s < np.inf:
            raise UsageError(f"step time is {dt_s} s; it must be positive")
        if not np.isfinite(waveform_v).all():
            raise LimitError("the waveform has a point that is not a finite voltage")
        request = _Request(self._info, cell)
        peak_v = np.array([waveform_v[np.argmax(np.abs(waveform_v))]])
        request.below("sweep voltage", peak_v, self._max_voltage_v[request.index], "V")
        self._check_current(request, peak_v)
        held_s = np.array([_longest_run(waveform_v) * dt_s])
        request.below("time at one level", held_s, self._max_pulse_width_s[request.index], "s")
        return waveform_v

    def check_inference(self, layers: Sequence[Synapses], inputs_v: ArrayLike) -> FloatArray:
        """Return the inputs of a network, shape (n_images, n_inputs).

        Each device of the first layer may see the largest of its inputs, each one of the other
        layers the voltage at which hidden neurons clip.

        Raises:
            LimitError: an input that is negative or not finite, or a voltage that no read of the
                devices may have.
            UnsupportedError: the board has no neuron circuit.
            UsageError: layers that do not fit together or mix dopants, a device that stands twice,
                a cell outside the board, or inputs of another shape.
        """
        clip_v = self._info.neuron_clip_v
        if clip_v is None:
            raise UnsupportedError(f"board {self._info.kind!r} has no neuron circuit")
        requests = self._check_network(layers)
        inputs_v = np.array(inputs_v, dtype=float)
        first = layers[0]
        if inputs_v.ndim != 2 or not len(inputs_v) or inputs_v.shape[1] != first.n_inputs:
            raise UsageError(
                f"inputs have shape {inputs_v.shape}; give (n_images, {first.n_inputs}), at least "
                f"one image"
            )
        lowest_v, highest_v = (self._on_cells(first, f(inputs_v, axis=0)) for f in (np.min, np.max))
        why = "the inputs of a network are finite and in the SET direction"
        requests[0].refuse(~(lowest_v >= 0), "input voltage", lowest_v, "V", why)
        self._check_input(requests[0], "input voltage", highest_v)
        for layer, request in zip(layers[1:], requests[1:], strict=True):
            full_scale_v = self._on_cells(layer, np.full(layer.n_inputs, clip_v))
            self._check_input(request, "full scale of a hidden neuron", full_scale_v)
        return inputs_v

    def _check_network(self, layers: Sequence[Synapses]) -> list[_Request]:
        """Check how the layers are wired; return the cells of each."""
        if not len(layers):
            raise UsageError("a network has at least one layer")
        for k, (before, layer) in enumerate(pairwise(layers), start=2):
            if layer.n_inputs != before.n_neurons:
                raise UsageError(
                    f"layer {k} has {layer.n_inputs} inputs, but the layer before it has "
                    f"{before.n_neurons} neurons"
                )
        cells = [as_cells(layer.cells, self._info.shape) for layer in layers]
        all_cells = np.concatenate(cells)
        found, n_times = np.unique(self._info.index_of(all_cells), return_counts=True)
        if (n_times > 1).any():
            twice = self._info.devices[found[n_times > 1][0]].name
            raise UsageError(f"{twice} stands twice in the network; a device is one synapse")
        for k, of_layer in enumerate(cells, start=1):
            dopants = sorted({self._info.device_at(cell).dopant.value for cell in of_layer})
            if len(dopants) > 1:
                raise UsageError(
                    f"layer {k} has devices of {' and '.join(dopants)}; the resistors of its "
                    f"neurons can suit only one dopant"
                )
        return [_Request(self._info, of_layer) for of_layer in cells]

    def _check_input(self, request: _Request, what: str, v_v: FloatArray) -> None:
        request.refuse(~np.isfinite(v_v), what, v_v, "V", "not a finite number")
        request.below(what, v_v, self._max_read_v[request.index], "V")
        self._check_current(request, v_v)

    def _on_cells(self, layer: Synapses, inputs_v: FloatArray) -> FloatArray:
        """Return what each of ``layer.cells`` sees of one voltage per input."""
        n_halves = 1 if layer.minus is None else 2
        return np.tile(np.repeat(inputs_v, layer.n_neurons), n_halves)

    def _check_width(self, request: _Request, width_s: FloatArray) -> None:
        request.below("pulse width", width_s, self._max_pulse_width_s[request.index], "s")
        shortest_s = self._info.min_pulse_width_s
        request.refuse(
            (width_s < shortest_s) | (width_s <= 0),
            "pulse width",
            width_s,
            "s",
            f"the shortest pulse that this board can time is {text(shortest_s, 's')}",
        )

    def _check_compliance(self, request: _Request, compliance_a: float) -> None:
        array = self._info.array
        if array is not None and array.cell_kind is CellKind.PASSIVE:
            raise UnsupportedError(
                "a source of a passive array drives a whole row: its compliance limits no single "
                "device; leave compliance_a out"
            )
        each_a = request.per_cell("compliance", compliance_a)
        request.refuse(each_a <= 0, "compliance", each_a, "A", "it is positive")
        request.below("compliance", each_a, self._max_current_a[request.index], "A")

    def _check_current(self, request: _Request, v_source_v: FloatArray) -> None:
        index = request.index
        worst_a = np.abs(v_source_v) / self._r_series_ohm[index]
        bad = np.flatnonzero(worst_a > self._max_current_a[index])
        if len(bad):
            k = bad[0]
            limit_a, r_ohm = self._max_current_a[index][k], self._r_series_ohm[index][k]
            raise LimitError(
                f"{text(v_source_v[k], 'V')} on {request.where(k)} could drive "
                f"{text(worst_a[k], 'A')} through {text(r_ohm, 'ohm')} in series; "
                f"the limit of {request.dopant(k)} devices is {text(limit_a, 'A')}: "
                f"stay below {text(limit_a * r_ohm, 'V')} or fit a larger resistor"
            )


def _check_number(n_pulses: int) -> None:
    if not isinstance(n_pulses, int | np.integer) or n_pulses < 1:
        raise UsageError(f"number of pulses is {n_pulses}; it is a whole number from 1")


def _longest_run(waveform_v: FloatArray) -> int:
    """Return the largest number of neighbouring points that are equal and not zero."""
    changes = np.flatnonzero(np.diff(waveform_v) != 0) + 1
    runs = np.split(waveform_v, changes)
    return max((len(run) for run in runs if run[0] != 0), default=0)


class _Request:
    """The cells of one request, and how to complain about them."""

    def __init__(self, info: BoardInfo, cells: CellArray) -> None:
        self._info = info
        self._cells = cells
        self.index: IndexArray = info.index_of(cells)

    def below(self, what: str, values: FloatArray, limit: FloatArray, unit: str) -> None:
        bad = np.flatnonzero(np.abs(values) > limit)
        if len(bad):
            k = bad[0]
            raise LimitError(
                f"{what} {text(values[k], unit)} on {self.where(k)} is above the limit of "
                f"{text(limit[k], unit)} for {self.dopant(k)} devices"
            )

    def refuse(self, bad: ArrayLike, what: str, values: FloatArray, unit: str, why: str) -> None:
        hits = np.flatnonzero(bad)
        if len(hits):
            k = hits[0]
            raise LimitError(f"{what} {text(values[k], unit)} on {self.where(k)} refused: {why}")

    def per_cell(self, what: str, values: ArrayLike) -> FloatArray:
        array = np.asarray(values, dtype=float)
        n_cells = len(self._cells)
        if array.ndim > 1 or (array.ndim == 1 and len(array) != n_cells):
            raise UsageError(
                f"{what} has shape {array.shape}; give one value, or one for each of "
                f"{n_cells} cells"
            )
        array = np.broadcast_to(array, (n_cells,)).astype(float)
        self.refuse(~np.isfinite(array), what, array, "", "not a finite number")
        return array

    def where(self, k: int) -> str:
        row, column = self._cells[k]
        return f"{self._info.device_at(self._cells[k]).name} at cell ({row}, {column})"

    def dopant(self, k: int) -> str:
        return self._info.device_at(self._cells[k]).dopant.value
