"""How far a device record says that its model may be from the device."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from hil.types import Source

STATED = "model_uncertainty_ratio"
"""Name in ``[quality]`` under which a record may state it outright."""

ASSUMED_RATIO = 0.25
"""Standard uncertainty where a record says nothing; assumed, and said wherever it is used."""

SIMULATED_RATIO = 0.01
"""Standard uncertainty towards a simulated device of the same record: pulses of the wire twin are
timed otherwise than those of the direct one. Chosen; differences seen are below 0.5 %."""

_OVERALL = ("left_out_r2_all", "r2_all", "r2")
_SPREADS = (("c2c_v_on_v", "v_on_v"), ("c2c_v_off_v", "v_off_v"), ("c2c_r_off_ratio", ""))


@dataclass(frozen=True)
class ModelUncertainty:
    """Relative standard uncertainty of the currents, conductances and energies of a device model.

    Attributes:
        ratio: towards the device that it was fitted to.
        cycle_ratio: spread of whole loops from cycle to cycle, which no twin can foresee.
        basis: where ``ratio`` comes from, in words.
    """

    ratio: float
    cycle_ratio: float
    basis: str

    def towards(self, source: Source) -> float:
        """Return the uncertainty of a prediction for a board, without the spread of cycles.

        A simulated device is what its record says: how well the record describes a real one does
        not matter to it.
        """
        return SIMULATED_RATIO if source is Source.TWIN else self.ratio


UNKNOWN = ModelUncertainty(ASSUMED_RATIO, 0.0, "assumed: there is no record")


def model_uncertainty(
    quality: Mapping[str, float], parameters: Mapping[str, float]
) -> ModelUncertainty:
    """Return what a device record says of its model.

    ``ratio`` is ``model_uncertainty_ratio`` of its ``[quality]``, or sqrt(1 - R2) of its fit: the
    rms residual in units of the rms of the fitted current. ``left_out_r2_all`` goes first, of loops
    that were left out of the fit, which is what a prediction is; then ``r2_all`` and ``r2``, or
    else the lowest ``r2_...``. ``cycle_ratio`` is the spread of the thresholds,
    relative to them, and that of R_off: to first order the conductance that a pulse leaves behind a
    series resistor follows the threshold.

    Args:
        quality: table of the record.
        parameters: values of the record, by name.
    """
    cycle_ratio = math.hypot(*(_relative(parameters, *names) for names in _SPREADS))
    if STATED in quality:
        return ModelUncertainty(abs(quality[STATED]), cycle_ratio, "stated by the record")
    fits = {name: value for name, value in quality.items() if _is_r2(name)}
    if not fits:
        basis = "assumed: the record has no quality of fit"
        return ModelUncertainty(ASSUMED_RATIO, cycle_ratio, basis)
    overall = [name for name in _OVERALL if name in fits]
    name = overall[0] if overall else min(fits, key=lambda key: fits[key])
    ratio = math.sqrt(min(1.0, max(0.0, 1.0 - fits[name])))
    return ModelUncertainty(ratio, cycle_ratio, f"sqrt(1 - {name}) of the record's fit")


def _relative(parameters: Mapping[str, float], spread: str, of: str) -> float:
    size = abs(parameters.get(of, 0.0)) if of else 1.0
    return abs(parameters.get(spread, 0.0)) / size if size else 0.0


def _is_r2(name: str) -> bool:
    return name in _OVERALL or name.startswith("r2_")
