"""Matrix-vector products that an array computes, beside what its conductances predict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pymeasure.experiment import (
    BooleanParameter,
    FloatParameter,
    IntegerParameter,
    ListParameter,
    Parameter,
)

from calibration.array_model import ArrayModel
from hil.arrays import Coding
from hil.errors import ParameterError
from hil.limits import LimitChecker
from hil.station import load_station
from hil.types import BoardInfo, FloatArray
from procedures.array_map import AUTO, NO, SCHEMES, YES, MapReader, chosen_scheme, takes_out
from procedures.base import BoardProcedure

_RANDOM = "random"


class MatVec(BoardProcedure):
    """Let the board multiply its conductances with voltages, and compare with two predictions.

    The cells are mapped first (``crossbar-map``). The ideal product is the sum of G V; the network
    product has the lines, and how conductances depend on voltage, in it (a bank: the resistors
    alone). With inputs as time every
    input is at the full read voltage for its share of the integration time.
    """

    inputs = Parameter(
        "Inputs",
        default=_RANDOM,
        description="'random', one voltage for all lines, or a CSV file with a vector in each line",
    )
    n_vectors = IntegerParameter(
        "Vectors", default=10, minimum=1, maximum=1_000_000, description="Random ones"
    )
    v_max_v = FloatParameter(
        "Largest input",
        units="V",
        default=0.1,
        minimum=0.001,
        maximum=2,
        description="Of random inputs, which are uniform from 0 V up",
    )
    coding = ListParameter(
        "Inputs as", choices=[coding.value for coding in Coding], default=Coding.AMPLITUDE.value
    )
    transposed = BooleanParameter(
        "Transposed", default=False, description="Drive the columns and measure the rows"
    )
    v_read_v = FloatParameter(
        "Read voltage",
        units="V",
        default=0.1,
        minimum=0.001,
        maximum=2,
        description="Of the map that the predictions are made from",
    )
    scheme = ListParameter(
        "Read scheme", choices=SCHEMES, default=SCHEMES[0], description="Of the map"
    )
    n_average = IntegerParameter(
        "Averaged readings", default=4, minimum=1, maximum=100_000, description="Of the map"
    )
    correct = ListParameter(
        "Take sneak paths out",
        choices=[AUTO, YES, NO],
        default=AUTO,
        description="Of the map; auto: wherever cells are not isolated",
    )

    DATA_COLUMNS = [
        "Vector",
        "Line",
        "Measured current (A)",
        "Ideal current (A)",
        "Network current (A)",
    ]

    def check_plan(self, info: BoardInfo, limits: LimitChecker) -> None:
        """Check the reads of the map and all inputs."""
        scheme = chosen_scheme(self.scheme)
        limits.check_read(info.all_cells, self.v_read_v, allow_reverse=False, scheme=scheme)
        takes_out(self.correct, info)
        if self.coding == Coding.TIME.value and info.array is None:
            raise ParameterError(
                f"parameter coding = time: board {info.kind!r} reads one device after the other; "
                f"only an array integrates over its lines"
            )
        for inputs_v in self._inputs(info):
            limits.check_inputs(inputs_v, transposed=self.transposed)

    def execute(self) -> None:
        """Map the array, then multiply vector by vector."""
        info, station = self.board.info, load_station(self.station)
        reader = MapReader(
            board=self.board,
            station=station,
            v_read_v=self.v_read_v,
            scheme=chosen_scheme(self.scheme),
            n_average=self.n_average,
            is_corrected=takes_out(self.correct, info),
            go_on=self.stop_if_asked,
        )
        g_siemens = reader.read().g_siemens
        self.snapshot("map", g_siemens)
        model = None if info.array is None else ArrayModel(station, info, self.v_read_v)
        products = []
        inputs = self._inputs(info)
        for k, inputs_v in enumerate(inputs):
            self.stop_if_asked()
            products.append(self._multiply(k, inputs_v, g_siemens, model))
            self.progress((k + 1) / len(inputs))
        self._conclude(np.array(products))

    def _multiply(
        self, k: int, inputs_v: FloatArray, g_siemens: FloatArray, model: ArrayModel | None
    ) -> FloatArray:
        """Return measured, ideal and network currents, shape (3, n_lines)."""
        coding = Coding(self.coding)
        found = self.board.matvec(inputs_v, coding=coding, transposed=self.transposed)
        ideal_a = (g_siemens if self.transposed else g_siemens.T) @ inputs_v
        if model is None:
            network_a = self._one_by_one(inputs_v, g_siemens)
        else:
            network_a = model.multiply(
                g_siemens.ravel(),
                inputs_v,
                coding=coding,
                transposed=self.transposed,
                full_scale_v=found.full_scale_v,
            )
        n_lines = len(ideal_a)
        self.emit(
            "batch results",
            {
                "Vector": [k + 1] * n_lines,
                "Line": list(range(n_lines)),
                "Measured current (A)": found.currents_a.tolist(),
                "Ideal current (A)": ideal_a.tolist(),
                "Network current (A)": network_a.tolist(),
            },
        )
        self.metric("product_energy", float(found.energy.source_j.sum()), "J", step=k + 1)
        self.metric("product_time", found.width_s, "s", step=k + 1)
        return np.array([found.currents_a, ideal_a, network_a])

    def _one_by_one(self, inputs_v: FloatArray, g_siemens: FloatArray) -> FloatArray:
        """Return the product of devices that are read alone, each behind its resistor."""
        info = self.board.info
        r_ohm = (info.r_series_ohm + info.switch_resistance_ohm).reshape(info.shape)
        g_siemens = g_siemens / (1 + g_siemens * r_ohm)
        product: FloatArray = (g_siemens if self.transposed else g_siemens.T) @ inputs_v
        return product

    def _conclude(self, products: FloatArray) -> None:
        measured, ideal, network = (products[:, k] for k in range(3))
        scale_a = float(np.sqrt(np.mean(measured**2)))
        for name, predicted in (("ideal", ideal), ("network", network)):
            error_a = measured - predicted
            self.metric(
                f"error_{name}_rms_ratio", float(np.sqrt(np.mean(error_a**2))) / scale_a, "1"
            )
            self.metric(f"error_{name}_largest_ratio", float(np.abs(error_a).max()) / scale_a, "1")

    def _inputs(self, info: BoardInfo) -> FloatArray:
        n_lines = info.shape[1 if self.transposed else 0]
        if self.inputs == _RANDOM:
            rng = np.random.default_rng([self.seed, *b"inputs"])
            return rng.uniform(0.0, self.v_max_v, (self.n_vectors, n_lines))
        return input_vectors(self.inputs, n_lines)


def input_vectors(text: str, n_lines: int) -> FloatArray:
    """Return the vectors that a text means, shape (n_vectors, n_lines).

    Raises:
        ParameterError: it is no voltage and no file, or the file has vectors of another length.
    """
    if not Path(text).is_file():
        try:
            return np.full((1, n_lines), float(text))
        except ValueError:
            raise ParameterError(
                f"parameter inputs = {text!r}: no voltage and no file; give 'random', one voltage "
                f"in V, or a CSV file"
            ) from None
    try:
        vectors = np.loadtxt(text, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise ParameterError(f"parameter inputs: {text}: {error}") from error
    if vectors.shape[1] != n_lines or not np.isfinite(vectors).all():
        raise ParameterError(
            f"parameter inputs: {text} has vectors of {vectors.shape[1]}; the board takes "
            f"{n_lines} finite voltages"
        )
    return np.asarray(vectors, dtype=float)
