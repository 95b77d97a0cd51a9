"""Accuracies that arXiv 2510.02516v1 prints for LeNet-5 (table 1)."""

from __future__ import annotations

from collections.abc import Mapping

MNIST_10_STATES: Mapping[str, tuple[float, float]] = {
    "TT-v1": (0.7865, 0.0236),
    "TT-v2": (0.9543, 0.0017),
    "mixed precision": (0.9913, 0.0002),
    "3 tiles": (0.9507, 0.0035),
    "4 tiles": (0.9710, 0.0017),
    "6 tiles": (0.9853, 0.0009),
}
"""Test accuracy and its standard deviation, after 100 epochs; the number of runs is not said."""

FASHION_4_STATES: Mapping[str, tuple[float, float]] = {
    "TT-v1": (0.1001, 0.0007),
    "TT-v2": (0.4751, 0.0091),
    "mixed precision": (0.7561, 0.0069),
    "3 tiles": (0.6809, 0.0049),
    "4 tiles": (0.7335, 0.0013),
    "6 tiles": (0.7511, 0.0007),
}
"""The same on Fashion-MNIST with 4 states."""
