"""Parameters of generalised metastable-switch devices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from hil.types import FloatArray
from twin.devices.device_parameters import DeviceParameters


@dataclass(frozen=True)
class GmssParameters(DeviceParameters):
    """Parameters of n devices, one array of shape (n_devices,) each.

    X in [0, 1] is the fraction of switches that are ON, Y <= X the part of it that is fresh;
    positive device voltages drive SET::

        I = X V (1 + n_on |V|) / R_on + (1 - X) h(V) / R_off
        h(V) = c_f (e^(b_f V) - 1) / b_f + (1 - c_f) (1 - e^(-b_r V)) / b_r
        dX/dt = (1 - X) s((V - V_on - a_on X) / V_T,on) / tau_on              for V > v_dead_on
        dX/dt = -X s(-(V + V_off + a_off (X - 1/2)) / V_T,off) / tau_off      for V < -v_dead_off
        dY/dt = -Y / tau_relax,  dX/dt = dY/dt + max(x_rest - X, 0) / tau_rise     in between

    with s(z) = 1 / (1 + e^-z). Outside of the dead band Y gains ``fresh_ratio`` of what X gains,
    and loses the share that X loses.

    Attributes:
        r_on_ohm: small-signal resistance with all switches ON.
        r_off_ohm: with all switches OFF.
        r_init_ohm: as delivered.
        n_on_per_v: growth of the ON conductance with the magnitude of the voltage.
        c_forward_ratio: share of the OFF conductance at 0 V that grows in the SET direction.
        b_forward_per_v: exponent of that share.
        b_reverse_per_v: exponent of the other share, which grows in the RESET direction.
        v_on_v: SET threshold of an empty state.
        v_off_v: magnitude of the RESET threshold of a half-full state.
        a_on_v: how far the SET threshold moves from X = 0 to 1.
        a_off_v: how far that of RESET does.
        v_t_on_v: width of the SET threshold.
        v_t_off_v: width of the RESET threshold.
        tau_on_s: attempt time of SET.
        tau_off_s: attempt time of RESET.
        v_dead_on_v: no SET below.
        v_dead_off_v: no RESET above minus this.
        fresh_ratio: part of what a SET adds that does not stay.
        tau_relax_s: time constant with which that part is lost.
        x_rest: state to which lower ones rise at rest; 0 for none.
        tau_rise_s: time constant of that.
        c2c_v_on_v: standard deviation of the SET threshold from half cycle to half cycle.
        c2c_v_off_v: the same of the RESET threshold.
        c2c_r_off_ratio: standard deviation of ln R_off from RESET half cycle to half cycle.
        d2d_r_on_ratio: standard deviation of ln R_on from device to device.
        d2d_r_off_ratio: the same of ln R_off.
        d2d_v_on_v: standard deviation of the SET threshold from device to device.
        d2d_v_off_v: the same of the RESET threshold.

    Source: ours; for equal widths, a = 0, n = 0 and h(V) = V it is the metastable-switch model
    (Molter and Nugent, arXiv 1608.04659) with an attempt time for each direction.

    Raises:
        UsageError: arrays of different lengths, or values that make no device.
    """

    _positive: ClassVar[tuple[str, ...]] = (
        "b_forward_per_v",
        "b_reverse_per_v",
        "v_t_on_v",
        "v_t_off_v",
        "tau_on_s",
        "tau_off_s",
        "v_dead_on_v",
        "v_dead_off_v",
        "tau_relax_s",
        "tau_rise_s",
    )
    _not_negative: ClassVar[tuple[str, ...]] = (
        "n_on_per_v",
        "c2c_v_on_v",
        "c2c_v_off_v",
        "c2c_r_off_ratio",
        "d2d_r_on_ratio",
        "d2d_r_off_ratio",
        "d2d_v_on_v",
        "d2d_v_off_v",
    )
    _shares: ClassVar[tuple[str, ...]] = ("c_forward_ratio", "fresh_ratio", "x_rest")

    decided: ClassVar[tuple[str, ...]] = (
        "r_on_ohm",
        "r_off_ohm",
        "n_on_per_v",
        "c_forward_ratio",
        "b_forward_per_v",
        "b_reverse_per_v",
        "v_on_v",
        "v_off_v",
        "a_on_v",
        "a_off_v",
        "v_t_on_v",
        "v_t_off_v",
        "tau_on_s",
        "tau_off_s",
    )

    n_on_per_v: FloatArray
    c_forward_ratio: FloatArray
    b_forward_per_v: FloatArray
    b_reverse_per_v: FloatArray
    v_on_v: FloatArray
    v_off_v: FloatArray
    a_on_v: FloatArray
    a_off_v: FloatArray
    v_t_on_v: FloatArray
    v_t_off_v: FloatArray
    tau_on_s: FloatArray
    tau_off_s: FloatArray
    v_dead_on_v: FloatArray
    v_dead_off_v: FloatArray
    fresh_ratio: FloatArray
    tau_relax_s: FloatArray
    x_rest: FloatArray
    tau_rise_s: FloatArray
    c2c_v_on_v: FloatArray
    c2c_v_off_v: FloatArray
    c2c_r_off_ratio: FloatArray
    d2d_r_on_ratio: FloatArray
    d2d_r_off_ratio: FloatArray
    d2d_v_on_v: FloatArray
    d2d_v_off_v: FloatArray

    def spread(self, normals: FloatArray) -> Self:
        """Return devices that differ from each other as ``d2d_...`` say; ``x_init`` is kept.

        Args:
            normals: a row of four standard normal numbers for each device, for R_on, R_off, V_on
                and V_off.
        """
        r_on = self.r_on_ohm * np.exp(self.d2d_r_on_ratio * normals[:, 0])
        r_off = self.r_off_ohm * np.exp(self.d2d_r_off_ratio * normals[:, 1])
        x_init = self.x_init
        return replace(
            self,
            r_on_ohm=r_on,
            r_off_ohm=r_off,
            r_init_ohm=np.clip(1 / (x_init / r_on + (1 - x_init) / r_off), r_on, r_off),
            v_on_v=self.v_on_v + self.d2d_v_on_v * normals[:, 2],
            v_off_v=self.v_off_v + self.d2d_v_off_v * normals[:, 3],
        )
