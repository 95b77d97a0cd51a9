"""What lies parallel to a device on the board that measured it, as far as runs tell."""

from __future__ import annotations

from collections.abc import Iterable

from calibration.fitting.loop_simulator import MEMRISTOR_DISCOVERY_V2, NO_PARASITICS, Parasitics
from calibration.loops import Loop
from hil.errors import UsageError
from hil.store import RunDatabase


def parasitics_of(database: RunDatabase, loops: Iterable[Loop]) -> Parasitics:
    """Return the parasitics of the boards that measured loops.

    A Memristor Discovery board has 180 pF and the 1 MOhm of its oscilloscope; any other is taken
    to have none, as a source-measure unit behind one switch has none that matter.

    Raises:
        UsageError: the loops are from boards of both kinds.
    """
    found = {
        _of_run(database.run(run_id)["parameters"])
        for run_id in dict.fromkeys(loop.run_id for loop in loops)
    }
    if len(found) > 1:
        raise UsageError(
            "these loops were measured on boards with different parasitics; fit them apart, or "
            "give --board-capacitance and --load"
        )
    return found.pop() if found else NO_PARASITICS


def _of_run(parameters: dict[str, object]) -> Parasitics:
    told = f"{parameters.get('format', '')} {parameters.get('board', '')}".lower()
    is_discovery = "memristor-discovery" in told or "memristor discovery" in told
    return MEMRISTOR_DISCOVERY_V2 if is_discovery else NO_PARASITICS
