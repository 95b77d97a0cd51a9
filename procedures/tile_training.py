"""What a training on tiles can be asked, and what that means for methods, courses and pulses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pymeasure.experiment import (
    BooleanParameter,
    FloatParameter,
    IntegerParameter,
    ListParameter,
    Parameter,
)

from hil.errors import ParameterError
from procedures.base import BoardProcedure
from procedures.board_tiles import PulseScheme
from procedures.learning.analog.carry import CarrySettings
from procedures.learning.analog.chopped import ChoppedSettings
from procedures.learning.analog.dynamic import DynamicSettings
from procedures.learning.analog.methods import Method, MethodSettings
from procedures.learning.analog.residual import (
    ResidualSchedule,
    published_schedule,
    theory_schedule,
)
from procedures.learning.analog.samples import XOR, sample_names
from procedures.learning.analog.tiki_taka import TikiTakaSettings
from procedures.learning.analog.training import Course

PUBLISHED, THEORY, FREE = "published", "theory", "free"
PLATEAU = "plateau"
LINES, CELLS = "lines", "cells"


class TileTrainingProcedure(BoardProcedure):
    """Parameters of a training on tiles."""

    task = ListParameter(
        "Task",
        choices=sample_names(),
        default=XOR,
        description="mnist: LeNet-5; all others: dense layers with tanh between them",
    )
    mnist_folder = Parameter(
        "MNIST folder", default="", description="Folder of the IDX files; `hil data` says more"
    )
    n_samples = IntegerParameter(
        "Training samples", default=0, minimum=0, maximum=10_000_000, description="0 for all"
    )
    validation = BooleanParameter(
        "Validation",
        default=False,
        description="Test on a fifth of the training samples, held back; for choosing settings",
    )
    hidden = Parameter(
        "Hidden layers", default="4", description="Their sizes, as 32 or 64,32; not of mnist"
    )
    method = ListParameter(
        "Method", choices=[method.value for method in Method], default=Method.RESIDUAL.value
    )
    epochs = IntegerParameter("Epochs", default=10, minimum=1, maximum=100_000)
    batch = IntegerParameter("Minibatch", default=8, minimum=1, maximum=100_000)
    rate = FloatParameter("Learning rate", default=0.05, minimum=1e-9, maximum=1e3)
    rate_factor = FloatParameter(
        "Rate factor",
        default=0.5,
        minimum=1e-6,
        maximum=1,
        description="That the learning rate is multiplied with",
    )
    rate_epochs = IntegerParameter(
        "Rate epochs",
        default=30,
        minimum=1,
        maximum=100_000,
        description="Every so many epochs",
    )
    n_tiles = IntegerParameter(
        "Tiles", default=3, minimum=1, maximum=16, description="Of residual and carry"
    )
    gamma = FloatParameter(
        "Gamma",
        default=0.5,
        minimum=1e-6,
        maximum=0.999,
        description="Gain of each tile over that of the one before it",
    )
    schedule = ListParameter(
        "Schedule",
        choices=[PUBLISHED, THEORY, FREE],
        default=PUBLISHED,
        description="Of residual: published periods and rates, those of the theory, or as below",
    )
    first_period = IntegerParameter(
        "First period",
        default=2,
        minimum=1,
        maximum=1_000_000,
        description="Minibatches between two transfers of the finest tile; free schedule",
    )
    period_ratio = IntegerParameter(
        "Period ratio",
        default=5,
        minimum=1,
        maximum=1_000_000,
        description="Updates of every other tile between two transfers; free schedule",
    )
    transfer_rate = FloatParameter(
        "Transfer rate",
        default=1.0,
        minimum=1e-9,
        maximum=1e3,
        description="Part of what is read that is handed over; of residual (free) and Tiki-Taka",
    )
    fast_rate = FloatParameter(
        "Fast rate",
        default=0,
        minimum=0,
        maximum=1e6,
        description="Of the tile that takes gradients; residual and carry: of the composite, times "
        "the learning rate; 0 for the default of the method",
    )
    warm_start = BooleanParameter(
        "Warm start", default=True, description="Of residual: fill one tile after the other first"
    )
    freeze = BooleanParameter(
        "Freeze",
        default=False,
        description="Of residual: hand nothing over once the warm start is over, as a control",
    )
    switches = Parameter(
        "Switches",
        default=PLATEAU,
        description="When the warm start goes on: plateau, or epochs as 3,6,9",
    )
    transfer_every = IntegerParameter(
        "Transfer every",
        default=1,
        minimum=1,
        maximum=1_000_000,
        description="Minibatches between two transfers; of Tiki-Taka and mixed precision",
    )
    granularity = FloatParameter(
        "Granularity",
        default=100,
        minimum=1e-9,
        maximum=1e9,
        description="Of the digital buffer; of chopped-2 and agad",
    )
    chop_period = IntegerParameter(
        "Chop period",
        default=10,
        minimum=1,
        maximum=1_000_000,
        description="Reads of a column between two changes of sign; of chopped-2 on average",
    )
    fast_pulses = FloatParameter(
        "Fast pulses",
        default=0.5,
        minimum=1e-6,
        maximum=31,
        description="On a cell of the fast tile by the largest product; of chopped-2 and agad",
    )
    visit_every = IntegerParameter(
        "Visit every",
        default=4,
        minimum=1,
        maximum=1_000_000,
        description="Minibatches between two visits of columns; of carry",
    )
    visit_columns = IntegerParameter(
        "Visited columns", default=32, minimum=1, maximum=1_000_000, description="Of carry"
    )
    carry_threshold = FloatParameter(
        "Carry threshold",
        default=0.5,
        minimum=1e-6,
        maximum=10,
        description="Of an entry of the finest tile; of carry",
    )
    carry_rounds = IntegerParameter(
        "Carry rounds",
        default=2,
        minimum=1,
        maximum=100,
        description="Of pulses and a read on each tile, at most; of carry",
    )
    test_every = IntegerParameter(
        "Test every", default=1, minimum=1, maximum=100_000, description="So many epochs"
    )
    snapshot_every = IntegerParameter(
        "Snapshot every",
        default=0,
        minimum=0,
        maximum=100_000,
        description="Epochs between stored conductances of all tiles; 0 for none",
    )
    checkpoint = Parameter(
        "Checkpoint",
        default="",
        description="File written after every epoch; if it is there the run goes on from it",
    )
    set_v = FloatParameter(
        "SET amplitude",
        units="V",
        default=PulseScheme.set_v,
        minimum=0.001,
        maximum=10,
        description="Of a pulse on a board of devices; so are all that follow",
    )
    reset_v = FloatParameter(
        "RESET amplitude", units="V", default=PulseScheme.reset_v, minimum=-10, maximum=-0.001
    )
    set_width_s = FloatParameter(
        "SET width", units="s", default=PulseScheme.set_width_s, minimum=1e-9, maximum=60
    )
    reset_width_s = FloatParameter(
        "RESET width", units="s", default=PulseScheme.reset_width_s, minimum=1e-9, maximum=60
    )
    low_siemens = FloatParameter(
        "Conductance of -1",
        units="S",
        default=PulseScheme.low_siemens,
        minimum=1e-12,
        maximum=1,
    )
    high_siemens = FloatParameter(
        "Conductance of 1", units="S", default=PulseScheme.high_siemens, minimum=1e-12, maximum=1
    )
    products = ListParameter(
        "Products",
        choices=[LINES, CELLS],
        default=LINES,
        description="Of an array: currents of its lines, or devices read one by one",
    )
    zero_shift = IntegerParameter(
        "Zero shift",
        default=0,
        minimum=0,
        maximum=1_000_000,
        description="Pairs of pulses on each device, after which its state counts as 0; 0 for none",
    )
    abrupt_reset = BooleanParameter(
        "Abrupt RESET",
        default=False,
        description="A RESET pulse erases a device; it is set again, pulse by pulse",
    )

    def method_settings(self) -> MethodSettings:
        """Return the settings of all methods.

        Raises:
            ParameterError: of the method that was chosen, a value that cannot be.
        """
        method = Method(self.method)
        makers: dict[Method, Callable[[], dict[str, Any]]] = {
            Method.RESIDUAL: lambda: {"residual": self._schedule()},
            Method.CARRY: lambda: {"carry": self._carry()},
            Method.TIKI_TAKA: lambda: {"tiki_taka": self._tiki_taka()},
            Method.BUFFERED: lambda: {"tiki_taka": self._tiki_taka()},
            Method.CHOPPED: lambda: {"chopped": self._chopped()},
            Method.DYNAMIC: lambda: {"dynamic": self._dynamic()},
        }
        chosen: dict[str, Any] = makers[method]() if method in makers else {}
        return MethodSettings(transfer_every=self.transfer_every, **chosen)

    def course(self) -> Course:
        """Return rates and switches.

        Raises:
            ParameterError: switches that are no epochs.
        """
        switches = None if self.switches == PLATEAU else _whole_numbers("switches", self.switches)
        return Course(self.batch, self.rate, self.rate_factor, self.rate_epochs, switches)

    def pulse_scheme(self) -> PulseScheme:
        """Return how devices of a board are read and written."""
        return PulseScheme(
            set_v=self.set_v,
            reset_v=self.reset_v,
            set_width_s=self.set_width_s,
            reset_width_s=self.reset_width_s,
            low_siemens=self.low_siemens,
            high_siemens=self.high_siemens,
            is_reset_abrupt=self.abrupt_reset,
            multiplies_on_lines=self.products == LINES,
        )

    def hidden_sizes(self) -> tuple[int, ...]:
        """Return the sizes of the hidden layers.

        Raises:
            ParameterError: they are no whole numbers.
        """
        return _whole_numbers("hidden", self.hidden)

    def _schedule(self) -> ResidualSchedule:
        n = self.n_tiles - 1
        if self.schedule == PUBLISHED:
            base = published_schedule(self.n_tiles, self.gamma)
        elif self.schedule == THEORY:
            base = theory_schedule(self.n_tiles, self.gamma)
        else:
            periods = (self.period_ratio,) * (n - 1) + (self.first_period,) if n else ()
            base = ResidualSchedule(
                self.gamma, 1.0, periods, (self.transfer_rate,) * n, scales_fast_rate=True
            )
        changes: dict[str, Any] = {
            "is_warm": self.warm_start and n > 0,
            "is_frozen": self.freeze,
        }
        if self.fast_rate or self.schedule == FREE:
            changes["fast_rate"] = (self.fast_rate or 1.0) * self.gamma**-n
        return replace(base, **changes)

    def _carry(self) -> CarrySettings:
        return CarrySettings(
            n_tiles=self.n_tiles,
            gamma=self.gamma,
            fast_rate=self.fast_rate or 1.0,
            visit_every=self.visit_every,
            n_columns=self.visit_columns,
            threshold=self.carry_threshold,
            n_rounds=self.carry_rounds,
        )

    def _tiki_taka(self) -> TikiTakaSettings:
        return TikiTakaSettings(
            fast_rate=self.fast_rate or TikiTakaSettings.fast_rate,
            transfer_rate=self.transfer_rate,
            transfer_every=self.transfer_every,
        )

    def _chopped(self) -> ChoppedSettings:
        return ChoppedSettings(
            fast_pulses=self.fast_pulses,
            transfer_rate=self.transfer_rate,
            transfer_every=self.transfer_every,
            granularity=self.granularity,
            chop_probability=1 / self.chop_period,
        )

    def _dynamic(self) -> DynamicSettings:
        return DynamicSettings(
            fast_pulses=self.fast_pulses,
            transfer_rate=self.transfer_rate,
            transfer_every=self.transfer_every,
            granularity=self.granularity,
            chop_period=self.chop_period,
        )


def _whole_numbers(name: str, text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ParameterError(
            f"parameter {name} = {text!r}: whole numbers with commas between them"
        ) from error
    if any(number < 1 for number in numbers):
        raise ParameterError(f"parameter {name} = {text!r}: each number is 1 or more")
    return numbers
