"""What procedures that train the 9-3-1 network have in common: task, devices, neurons, tests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pymeasure.experiment import (
    BooleanParameter,
    FloatParameter,
    IntegerParameter,
    ListParameter,
    Parameter,
)

from hil.errors import ParameterError
from hil.limits import LimitChecker
from hil.types import MEMRISTORS, BoardInfo, Capability, CellArray, Dopant, FloatArray
from procedures.base import BoardProcedure
from procedures.learning.images import Noise, Task
from procedures.learning.inference import (
    CIRCUIT,
    CONTROLLER,
    NEURONS,
    Neurons,
    Wiring,
    make_neurons,
)
from procedures.learning.mapping import (
    DEFAULT_WINDOWS,
    DIFFERENTIAL,
    REFERENCE,
    SCHEMES,
    ConductanceWindow,
)
from procedures.learning.network import N_WEIGHTS, accuracy
from procedures.learning.tasks import make_task, task_names

V_READ_V = 0.1


@dataclass(frozen=True)
class ImageSet:
    """Images that a network is tested on.

    Attributes:
        name: ``clean``, ``flip_0.1``, ``sigma_0.2``.
        images: shape (n_images, 9).
        labels: shape (n_images,).
    """

    name: str
    images: FloatArray
    labels: NDArray[np.int64]


class NetworkProcedure(BoardProcedure):
    """A network of 30 memristors, one per weight (or 60, two per weight), on any board."""

    task = ListParameter(
        "Task",
        choices=task_names(),
        default="T/L",
        description="Two classes of 3 x 3 images; drawn: from a file; handwriting: MNIST",
    )
    patterns_file = Parameter(
        "Patterns file", default="", description="Text file of the task 'drawn'"
    )
    digits = Parameter(
        "Digits", default="0/1", description="The two classes of the task 'handwriting'"
    )
    mnist_folder = Parameter(
        "MNIST folder", default="", description="Folder of the IDX files; `hil data` says more"
    )
    binary_pixels = BooleanParameter(
        "Binary pixels", default=False, description="Handwriting in black and white"
    )
    dopant = ListParameter(
        "Dopant",
        choices=[dopant.value for dopant in MEMRISTORS],
        default="W",
        description="Devices to train on: the first of this dopant. Cr and C are assumed sets",
    )
    signed_weights = ListParameter(
        "Signed weights",
        choices=list(SCHEMES),
        default=REFERENCE,
        description="A reference conductance per neuron, or a differential pair per weight",
    )
    neurons = ListParameter(
        "Neurons",
        choices=list(NEURONS),
        default=CONTROLLER,
        description="The controller sums measured currents, or a circuit on the board does",
    )
    training_noise = FloatParameter(
        "Training noise",
        default=0.1,
        minimum=0,
        maximum=0.5,
        description="Probability that a pixel is flipped while the network is trained",
    )
    training_sigma = FloatParameter(
        "Gaussian training noise",
        default=0,
        minimum=0,
        maximum=10,
        description="Standard deviation on every pixel, in units of full scale",
    )
    test_noise = Parameter(
        "Test noise",
        default="0.1",
        description="Probabilities of a flipped pixel in noisy tests, separated by commas",
    )
    test_sigma = Parameter(
        "Gaussian test noise",
        default="",
        description="Standard deviations on every pixel in noisy tests, separated by commas",
    )
    test_images = IntegerParameter(
        "Test images",
        default=200,
        minimum=1,
        maximum=100_000,
        description="In each noisy test, one by one through the board; at most so many clean",
    )
    g_min_siemens = FloatParameter(
        "Lowest conductance",
        units="S",
        default=0,
        minimum=0,
        maximum=1,
        description="Carries weight -1; 0 takes the default window of the dopant",
    )
    g_max_siemens = FloatParameter(
        "Highest conductance",
        units="S",
        default=0,
        minimum=0,
        maximum=1,
        description="Carries weight +1; 0 takes the default window of the dopant",
    )

    def check_plan(self, info: BoardInfo, limits: LimitChecker) -> None:
        """Check task, noise, devices and the reads that inference takes."""
        self.__dict__.pop("loaded_task", None)  # the parameters may have changed since
        _ = self.loaded_task
        self._test_noises()
        wiring = self._wiring(info)
        limits.check_read(wiring.cells, V_READ_V, allow_reverse=False)
        if self.neurons == CIRCUIT:
            if Capability.INFER not in info.capabilities:
                raise ParameterError(
                    f"station {info.station!r} has no neuron circuit; take neurons = {CONTROLLER!r}"
                )
            limits.check_inference(wiring.layers, np.full((1, 9), V_READ_V))

    @cached_property
    def loaded_task(self) -> Task:
        """The task that the parameters name; read once."""
        return make_task(
            self.task,
            patterns_file=self.patterns_file or None,
            digits=self.digits,
            mnist_folder=self.mnist_folder or None,
            binary_pixels=self.binary_pixels,
        )

    @property
    def noise(self) -> Noise:
        """Of the training images."""
        return Noise(self.training_noise, self.training_sigma)

    def _window(self) -> ConductanceWindow:
        default = DEFAULT_WINDOWS[Dopant(self.dopant)]
        return ConductanceWindow(
            self.g_min_siemens or default.g_min_siemens,
            self.g_max_siemens or default.g_max_siemens,
        )

    def _wiring(self, info: BoardInfo) -> Wiring:
        return Wiring.on(info, self._cells(info), self._window(), self.signed_weights)

    def _cells(self, info: BoardInfo) -> CellArray:
        cells = info.cells_of(Dopant(self.dopant))
        needed = N_WEIGHTS * (2 if self.signed_weights == DIFFERENTIAL else 1)
        if len(cells) < needed:
            raise ParameterError(
                f"station {info.station!r} has {len(cells)} devices of dopant "
                f"{self.dopant}; the network needs {needed}"
            )
        return cells

    def _neurons(self, wiring: Wiring) -> Neurons:
        return make_neurons(self.neurons, self.board, wiring, V_READ_V, self.stop_if_asked)

    def _test_noises(self) -> dict[str, Noise]:
        """Return the noise of each test by its name; the clean one first."""
        flips = numbers("test_noise", self.test_noise)
        sigmas = numbers("test_sigma", self.test_sigma)
        return {
            "clean": Noise(),
            **{f"flip_{flip:g}": Noise(flip, 0.0) for flip in flips if flip},
            **{f"sigma_{sigma:g}": Noise(0.0, sigma) for sigma in sigmas if sigma},
        }

    def test_sets(self) -> list[ImageSet]:
        """Return the tests; the same for the same seed, whatever was trained."""
        rng = np.random.default_rng([self.seed, *b"tests"])
        return [self._image_set(name, noise, rng) for name, noise in self._test_noises().items()]

    def _image_set(self, name: str, noise: Noise, rng: np.random.Generator) -> ImageSet:
        task = self.loaded_task
        n_images = self.test_images
        if name == "clean":
            n_images = min(n_images, len(task.test_labels))
        return ImageSet(name, *task.test(n_images, noise, rng))

    def _test_on_board(
        self, neurons: Neurons, tests: list[ImageSet], step: int
    ) -> dict[str, float]:
        """Drive all tests through the board; store and return the accuracy of each."""
        found = {}
        with self.board.reads_for("inference"):
            for test in tests:
                answers = neurons.respond(test.images).decision
                found[test.name] = float((answers == test.labels).mean())
                self.metric(f"accuracy_{test.name}", found[test.name], step=step)
        noisy = [value for name, value in found.items() if name != "clean"]
        found["noisy"] = noisy[0] if noisy else found["clean"]
        self.metric("accuracy_noisy", found["noisy"], step=step)
        return found

    def _test_in_numbers(
        self, stage: str, weights: FloatArray, tests: list[ImageSet], step: int
    ) -> None:
        """Store the accuracy that weights would have if nothing else were lost."""
        for test in tests:
            value = float(accuracy(weights, test.images, test.labels))
            self.metric(f"{stage}_{test.name}", value, step=step)


def numbers(name: str, text: str) -> list[float]:
    """Return the numbers of a parameter that is a list.

    Raises:
        ParameterError: an entry is no number from 0 on.
    """
    found = []
    for part in filter(None, (part.strip() for part in str(text).split(","))):
        try:
            value = float(part)
        except ValueError:
            value = -1.0
        if not 0 <= value < np.inf:
            raise ParameterError(
                f"parameter {name} = {text}: {part!r} is no number from 0 on; "
                f"give some, separated by commas"
            )
        found.append(value)
    return found
