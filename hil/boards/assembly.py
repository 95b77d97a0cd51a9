"""Puts a ``SmuBoard`` together from two links, and makes sure of what is at their far ends."""

from __future__ import annotations

from contextlib import ExitStack

from pymeasure.adapters import Adapter

from hil.applied import apply_records
from hil.boards.smu import SmuBoard
from hil.clock import Clock, WallClock
from hil.errors import IdentityError, StationError
from hil.instruments.keithley2400 import Keithley2400Smu
from hil.instruments.switch_board import SerialPort, SwitchBoard, SwitchBoardIdentity
from hil.links import open_serial_port, open_visa_adapter
from hil.station import Station
from hil.types import ONE_AT_A_TIME, BoardInfo, Source
from hil.units import text


def open_smu_board(station: Station, *, seed: int | None, source_reason: str) -> SmuBoard:
    """Open the board of a station at its VISA and serial addresses; entry point ``smu``.

    Raises:
        LinkError: an instrument does not answer; what was opened is closed again.
        IdentityError: the instruments are not what the station says.
        CalibrationError: a calibration record is expired, or of something else.
    """
    smu, switch_board = station.table.smu, station.table.switch_board
    with ExitStack() as opened:
        adapter = open_visa_adapter(smu.address, smu.timeout_s)
        opened.callback(adapter.close)
        port = open_serial_port(
            switch_board.address, switch_board.baud_rate, switch_board.timeout_s
        )
        opened.callback(port.close)
        board = assemble(station, adapter, port, WallClock(), kind="smu", source_reason="")
        opened.pop_all()
    return board


def assemble(
    station: Station,
    adapter: Adapter,
    port: SerialPort,
    clock: Clock,
    *,
    kind: str,
    source_reason: str,
    calibration: dict[str, str] | None = None,
) -> SmuBoard:
    """Speak to both instruments, check their identities, and make a board of them.

    Raises:
        LinkError: an instrument does not answer.
        IdentityError: not a Keithley 2400; or a twin where the station says bench, or the other
            way round; or one of each.
        StationError: the switch board has fewer positions than the station uses, or a calibration
            record is missing or wrong.
        CalibrationError: a calibration record is expired, or of something else.
    """
    smu = Keithley2400Smu(adapter, station.table.smu)
    smu_identity = smu.identify()
    table = station.table.switch_board
    switches = SwitchBoard.open(port, table.watchdog_s, name=f"switch board at {table.address}")
    expected = Source.TWIN if source_reason else station.source
    _refuse_wrong_world(station, expected, "SMU", smu.source_of(smu_identity))
    switch_source = Source.TWIN if switches.identity.is_twin else Source.BENCH
    _refuse_wrong_world(station, expected, "switch board", switch_source)
    _refuse_small_switch_board(station, switches.identity)
    identity = {"smu": smu_identity, "switch_board": switches.identity.text}
    stands_in = station.source is Source.BENCH and expected is Source.TWIN
    applied = apply_records(station, smu.accuracy, identity, stands_in=stands_in)
    info = BoardInfo(
        station=station.name,
        kind=kind,
        source=expected,
        source_reason=source_reason,
        identity=identity,
        shape=(1, len(station.devices)),
        devices=station.devices,
        capabilities=ONE_AT_A_TIME,
        min_pulse_width_s=smu.min_pulse_width_s,
        switch_resistance_ohm=station.table.circuit.switch_resistance_ohm,
        tolerance_ratio=station.table.circuit.tolerance_ratio,
        calibration={**(calibration or {}), **applied.calibration},
    )
    return SmuBoard(info, station, smu, switches, clock, applied.correction)


def _refuse_small_switch_board(station: Station, board: SwitchBoardIdentity) -> None:
    """Check the station against what the switch board says that it has and bears."""
    used = station.devices_limits
    last = max(device.position for device in station.devices)
    for what, asked, borne, unit in (
        ("switch position", float(last), board.n_positions - 1.0, ""),
        ("max_voltage_v", max(limit.max_voltage_v for limit in used), board.max_abs_voltage_v, "V"),
        ("max_current_a", max(limit.max_current_a for limit in used), board.max_current_a, "A"),
    ):
        if asked > borne:
            raise StationError(
                f"{station.origin}: {what} {text(asked, unit)} is more than the switch board that "
                f"answered has or bears ({text(borne, unit)})"
            )


def _refuse_wrong_world(station: Station, expected: Source, what: str, found: Source) -> None:
    if found is not expected:
        raise IdentityError(
            f"station {station.name!r} says {expected.value}, but the {what} that answered is a "
            f"{found.value}: set source = {found.value!r} in {station.origin}, or correct its "
            f"address"
        )
