"""Procedures that end with a verdict on each device."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from procedures.base import BoardProcedure

VERDICT = "verdict"
"""Kind of the event that holds one; its data are ``device`` and ``outcome``."""


class VerdictProcedure(BoardProcedure):
    """Base of procedures that say of each device what became of it."""

    def verdict(
        self, device: str, outcome: str, numbers: Mapping[str, tuple[float, str]], more: str = ""
    ) -> None:
        """Store what became of a device: an event, and a metric ``DEVICE/NAME`` for each number.

        Args:
            device: its name.
            outcome: in few words; devices are counted by it.
            numbers: value and unit by name; NaN stands for what is not known, and is left out.
            more: of the sentence that people read, after the outcome.
        """
        for name, (value, unit) in numbers.items():
            if not math.isnan(value):
                self.metric(f"{device}/{name}", value, unit)
        sentence = f"{outcome}, {more}" if more else outcome
        self.event(VERDICT, f"{device}: {sentence}", data={"device": device, "outcome": outcome})

    def count(self, outcomes: Iterable[str]) -> None:
        """Store how many devices came to each outcome, as metrics ``devices_OUTCOME``."""
        for outcome, n_devices in sorted(Counter(outcomes).items()):
            self.metric(f"devices_{outcome.replace(' ', '_')}", n_devices, "devices")
