"""Published devices by name, and devices with a number of states.

Source: the presets that aihwkit 0.9 documents (``aihwkit.simulator.presets.devices``), each with
the work that it cites: ReRam of Gong et al. (VLSI 2018; array data IEDM 2022), capacitor of Li et
al. (VLSI 2018), ECRAM of Tang et al. (IEDM 2018), Gokmen and Vlasov (2016).
"""

from __future__ import annotations

from hil.errors import UsageError
from twin.tiles.responses import (
    ConstantStep,
    ExpStep,
    LinearStep,
    Response,
    SoftBounds,
    SoftBoundsReference,
)

_ARRAY = {"is_log_normal": True, "subtracts_symmetry_point": True, "reference_std": 0.05}

PRESETS: dict[str, Response] = {
    "reram-es": ExpStep(
        dw_min=0.00135,
        w_max=1.0,
        w_min=-1.0,
        dw_min_dtod=0.2,
        dw_min_std=5.0,
        write_noise_std=75.0,
        up_down=0.259,
        up_down_dtod=0.05,
        a=-0.5,
        b=-0.5,
        gamma_up=5.0,
        gamma_down=5.0,
        a_up=-1.18405,
        a_down=-0.08137,
    ),
    "reram-sb": SoftBoundsReference(
        dw_min=0.002,
        w_max=1.25,
        w_min=-0.75,
        w_max_dtod=0.24,
        w_min_dtod=0.4,
        dw_min_std=3.75,
        write_noise_std=56.0,
    ),
    "reram-array-om": SoftBoundsReference(
        dw_min=0.0949,
        w_max=1.0,
        w_min=-1.0,
        dw_min_dtod=0.783,
        w_max_dtod=0.350,
        w_min_dtod=0.570,
        dw_min_std=0.416,
        write_noise_std=1.41,
        **_ARRAY,  # type: ignore[arg-type]
    ),
    "reram-array-hfo2": SoftBoundsReference(
        dw_min=0.4622,
        w_max=1.0,
        w_min=-1.0,
        dw_min_dtod=0.713,
        w_max_dtod=0.430,
        w_min_dtod=0.599,
        dw_min_std=0.217,
        write_noise_std=0.584,
        **_ARRAY,  # type: ignore[arg-type]
    ),
    "capacitor": LinearStep(
        dw_min=0.005,
        w_max=1.0,
        w_min=-1.0,
        dw_min_dtod=0.1,
        w_max_dtod=0.07,
        w_min_dtod=0.07,
        up_down_dtod=0.06,
        gamma_up=0.05,
        gamma_down=0.05,
        is_additive=True,
    ),
    "ecram": LinearStep(
        dw_min=0.002,
        w_max=1.172,
        w_min=-0.828,
        dw_min_dtod=0.1,
        w_max_dtod=0.05,
        w_min_dtod=0.05,
        gamma_up=0.115,
        gamma_down=0.509,
    ),
    "ecram-mo": LinearStep(
        dw_min=2.82e-4,
        w_max=1.171,
        w_min=-0.829,
        dw_min_dtod=0.1,
        w_max_dtod=0.05,
        w_min_dtod=0.05,
        dw_min_std=2.0,
        gamma_up=0.415,
        gamma_down=0.734,
    ),
    "gokmen-vlasov": ConstantStep(dw_min=0.0016, w_max=1.0, w_min=-1.0),
    "idealized": ConstantStep(dw_min=0.0002, w_max=1.0, w_min=-1.0, up_down_dtod=0.0),
}
"""Devices by name. Corrupt devices (10 to 14 % measured in the two arrays) are left out."""


def find_preset(name: str) -> Response:
    """Return a published device.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in PRESETS:
        raise UsageError(f"no device preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]


def on_grid(n_states: float) -> ConstantStep:
    """Return ideal devices on [-1, 1]: all alike, every pulse the same step, no noise.

    Raises:
        UsageError: fewer than one state.
    """
    if not n_states >= 1:
        raise UsageError(f"{n_states} states: a device has at least one")
    return ConstantStep(
        dw_min=2 / n_states,
        w_max=1.0,
        w_min=-1.0,
        dw_min_dtod=0.0,
        w_max_dtod=0.0,
        w_min_dtod=0.0,
        up_down_dtod=0.0,
        dw_min_std=0.0,
    )


def with_states(n_states: float, spread: float = 0.3, noise: float = 0.3) -> SoftBounds:
    """Return soft-bounds devices on [-1, 1] with a number of states: steps of 2 / n at weight 0.

    Args:
        n_states: range over step; weights stay continuous.
        spread: of steps and bounds from device to device, relative. arXiv 2510.02516 was run with
            30 %, which its text does not say.
        noise: of a step from pulse to pulse, relative.

    Raises:
        UsageError: fewer than one state.
    """
    if not n_states >= 1:
        raise UsageError(f"{n_states} states: a device has at least one")
    return SoftBounds(
        dw_min=2 / n_states,
        w_max=1.0,
        w_min=-1.0,
        dw_min_dtod=spread,
        w_max_dtod=spread,
        w_min_dtod=spread,
        up_down_dtod=0.01 if spread else 0.0,
        dw_min_std=noise,
    )
