"""The simulated bench: one clock, one plant, and the terminals that firmware drives."""

from __future__ import annotations

import numpy as np

from twin.converters import Converters
from twin.plant import Plant, PlantInputs, PlantOutputs
from twin.wiring import Sample

NS_PER_S = 1_000_000_000


class TwinBench:
    """Plant, clock, one source-measure unit and one bank of switches.

    Time is counted in integer nanoseconds and moves only when an instrument or the host lets it.
    Inputs change between steps, so the plant sees them piecewise constant.

    Attributes:
        plant: what the instruments are wired to.
        smu: terminals of the source-measure unit.
        switch: terminals of the switch board.
    """

    def __init__(
        self,
        plant: Plant,
        positions: dict[int, int],
        n_positions: int,
        converters: Converters,
        smu_serial_number: str,
        line_frequency_hz: float,
    ) -> None:
        self.plant = plant
        self.smu = BenchSmu(self, converters, smu_serial_number, line_frequency_hz)
        self.switch = BenchSwitch(self, positions, n_positions)
        self._now_ns = 0
        self._owed_ns = 0

    def now_s(self) -> float:
        """Return the bench time."""
        return (self._now_ns + self._owed_ns) / NS_PER_S

    def sleep_s(self, dt_s: float) -> None:
        """Let bench time pass: the clock of a host that lives in simulated time."""
        self.advance(max(0.0, dt_s))

    def owe_s(self, dt_s: float) -> None:
        """Let bench time pass, but carry it out only when something is about to change or be read.

        Costs next to nothing, however many devices there are.
        """
        self._owed_ns += round(dt_s * NS_PER_S)

    def catch_up(self) -> None:
        """Carry out time that is owed."""
        if self._owed_ns:
            owed_ns, self._owed_ns = self._owed_ns, 0
            self._advance_to(self._now_ns + owed_ns)

    def advance(self, dt_s: float) -> PlantOutputs | None:
        """Let bench time pass with the terminals as they are; the watchdog may open the switches.

        Returns:
            What happened to the connected device, or None if none was connected to the end.
        """
        self.catch_up()
        return self._advance_to(self._now_ns + round(dt_s * NS_PER_S))

    def _advance_to(self, end_ns: int) -> PlantOutputs | None:
        deadline_ns = self.switch.deadline_ns
        if deadline_ns is not None and deadline_ns <= end_ns:
            self._step(max(deadline_ns, self._now_ns))
            self.switch.open_by_watchdog()
        return self._step(end_ns)

    def _step(self, end_ns: int) -> PlantOutputs | None:
        dt_s = (end_ns - self._now_ns) / NS_PER_S
        self._now_ns = end_ns
        if dt_s <= 0:
            return None
        connected = self.switch.connected_device
        if connected is None or not self.smu.output_on:
            self.plant.rest(np.arange(self.plant.devices.n_devices), dt_s)
            return None
        return self.plant.advance(
            PlantInputs(
                np.array([connected]),
                np.array([self.smu.v_source_v]),
                np.array([self.smu.i_limit_a]),
            ),
            dt_s,
        )


class BenchSmu:
    """Terminals of the source-measure unit (``twin.wiring.SmuTerminals``).

    Attributes:
        output_on: the source drives the terminals.
        v_source_v: voltage that is really sourced.
        i_limit_a: its current limit.
    """

    def __init__(
        self, bench: TwinBench, converters: Converters, serial_number: str, line_frequency_hz: float
    ) -> None:
        self._bench = bench
        self._converters = converters
        self._serial_number = serial_number
        self._line_frequency_hz = line_frequency_hz
        self.output_on = False
        self.v_source_v = 0.0
        self.i_limit_a = 0.0

    @property
    def serial_number(self) -> str:
        """Serial number; starts with ``TWIN``."""
        return self._serial_number

    def now_s(self) -> float:
        """Return the bench time."""
        return self._bench.now_s()

    def wait_s(self, dt_s: float) -> None:
        """Let bench time pass."""
        self._bench.advance(dt_s)

    def apply(self, level_v: float, compliance_a: float) -> None:
        """Output on: source this voltage from now on, with this current limit."""
        self._bench.catch_up()
        self.v_source_v = float(self._converters.source_v(np.array([level_v]))[0])
        self.i_limit_a = compliance_a
        self.output_on = True

    def release(self) -> None:
        """Output off."""
        self._bench.catch_up()
        self.output_on = False
        self.v_source_v = 0.0

    def measure(self, aperture_s: float) -> Sample:
        """Integrate voltage and current for ``aperture_s``; bench time passes."""
        outputs = self._bench.advance(aperture_s)
        i_a = 0.0 if outputs is None else float(outputs.charge_c[0]) / aperture_s
        v_v = self.v_source_v if outputs is None else float(outputs.v_end_v[0])
        limited = outputs is not None and abs(float(outputs.i_end_a[0])) >= self.i_limit_a
        nplc = aperture_s * self._line_frequency_hz
        return Sample(
            self._bench.now_s(),
            float(self._converters.measure_v(np.array([v_v]), nplc)[0]),
            float(self._converters.measure_a(np.array([i_a]), nplc)[0]),
            limited,
        )


class BenchSwitch:
    """Terminals of the switch board (``twin.wiring.SwitchTerminals``).

    Attributes:
        deadline_ns: bench time at which the watchdog opens all switches; None if it is off.
    """

    def __init__(self, bench: TwinBench, positions: dict[int, int], n_positions: int) -> None:
        self._bench = bench
        self._device_at = positions
        self._n_positions = n_positions
        self._position: int | None = None
        self.deadline_ns: int | None = None

    @property
    def n_positions(self) -> int:
        """How many switches there are."""
        return self._n_positions

    @property
    def position(self) -> int | None:
        """The closed switch, or None."""
        self._bench.catch_up()
        return self._position

    @property
    def connected_device(self) -> int | None:
        """Index of the device behind the closed switch; None if open or nothing sits there."""
        return None if self._position is None else self._device_at.get(self._position)

    def now_s(self) -> float:
        """Return the bench time."""
        return self._bench.now_s()

    def wait_s(self, dt_s: float) -> None:
        """Let bench time pass."""
        self._bench.advance(dt_s)

    def connect(self, position: int | None) -> None:
        """Open all switches, then close this one; at once."""
        self._bench.catch_up()
        self._position = position

    def set_deadline(self, t_s: float | None) -> None:
        """Open all switches when bench time reaches ``t_s``, unless a later call moves it."""
        self._bench.catch_up()
        self.deadline_ns = None if t_s is None else round(t_s * NS_PER_S)

    def open_by_watchdog(self) -> None:
        """Carry out what the deadline was set for."""
        self._position = None
        self.deadline_ns = None
