"""The linear equations of a crossbar: one side eliminated, conjugate gradients on the other.

With the drops x of the kept and y of the eliminated side, currents f and the cells' conductances D:
(L_x + D) x + D y = f_x and D x + (L_y + D) y = f_y. Eliminating y leaves S x = f_x - D (L_y + D)^-1
f_y with S = (L_x + D) - D (L_y + D)^-1 D, positive definite; L_x + D is its preconditioner, line by
line. The product S p needs no product with L_x + D: that of p is updated along with p.

Source: P. Concus, G. Golub, D. O'Leary, "A generalized conjugate gradient method for the numerical
solution of elliptic partial differential equations", 1976 (two-cyclic systems).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg import blas

from hil.types import FloatArray
from twin.network_lines import Factor, Lines

_MAX_ITERATIONS = 2000
_STAGNATES_AFTER = 150
"""Iterations without a better residual: round-off has won, and more of them do not help."""


class Side(NamedTuple):
    """The lines of one side with their factor."""

    lines: Lines
    factor: Factor


class Correction(NamedTuple):
    """Changes of the drops of both sides.

    Attributes:
        kept: of the side that was kept, in the shape of its drops.
        eliminated: of the other.
        n_iterations: that it took.
        converged: whether the residual came down to what was asked.
    """

    kept: FloatArray
    eliminated: FloatArray
    n_iterations: int
    converged: bool


def correct(
    g_siemens: FloatArray,
    kept: Side,
    eliminated: Side,
    residuals_a: tuple[FloatArray, FloatArray],
    target_a: FloatArray,
) -> Correction:
    """Return the drops that make given currents vanish.

    Args:
        g_siemens: conductances, (1 or k, n, m).
        kept: one side.
        eliminated: the other one.
        residuals_a: currents into the unknowns of the kept and of the eliminated side.
        target_a: 2-norm of the residual to stop at, (k,).
    """
    residual, t = residuals_a[0].copy(), residuals_a[1].copy()
    solve_t = eliminated.factor.bind(t)
    solve_t()
    coupled = np.empty_like(residual)
    kept.lines.couple(g_siemens, t, coupled)
    residual -= coupled
    z = np.empty_like(residual)
    run = _one if len(residual) == 1 else _many
    work = _Work(g_siemens, kept.lines, eliminated.lines, t, solve_t, z, kept.factor.bind(z))
    return run(work, residual, coupled, target_a)


class _Work(NamedTuple):
    g_siemens: FloatArray
    kept: Lines
    eliminated: Lines
    t: FloatArray
    solve_t: Callable[[], object]
    z: FloatArray
    solve_z: Callable[[], object]


def _one(
    work: _Work, residual: FloatArray, coupled: FloatArray, target_a: FloatArray
) -> Correction:
    """Iterate on a single network; BLAS on flat views."""
    g, kept, eliminated, t, solve_t, z, solve_z = work
    x, y = np.zeros_like(z), t.copy()
    p, bp = np.empty_like(z), np.empty_like(z)
    x_, y_, t_, z_ = x.reshape(-1), y.reshape(-1), t.reshape(-1), z.reshape(-1)
    p_, bp_ = p.reshape(-1), bp.reshape(-1)
    r_, q_ = residual.reshape(-1), coupled.reshape(-1)
    dot, axpy = blas.ddot, blas.daxpy
    couple_t, couple_q, copy = eliminated.couple, kept.couple, np.copyto
    end = float(target_a[0]) ** 2
    rr, rz, best, best_at = dot(r_, r_), 0.0, np.inf, 0
    for n in range(_MAX_ITERATIONS):
        if rr <= end:
            return Correction(x, y, n, True)
        if rr < best:
            best, best_at = rr, n
        elif n > best_at + _STAGNATES_AFTER:
            break
        copy(z_, r_)
        solve_z()
        rz_before, rz = rz, dot(r_, z_)
        if n == 0:
            copy(p_, z_)
            copy(bp_, r_)
        else:
            beta = rz / rz_before
            np.multiply(p_, beta, p_)
            np.multiply(bp_, beta, bp_)
            np.add(p_, z_, p_)
            np.add(bp_, r_, bp_)
        couple_t(g, p, t)
        solve_t()
        couple_q(g, t, coupled)
        np.subtract(bp_, q_, q_)
        curvature = dot(p_, q_)
        if not curvature > 0:
            break
        alpha = rz / curvature
        axpy(p_, x_, a=alpha)
        axpy(t_, y_, a=-alpha)
        axpy(q_, r_, a=-alpha)
        rr = dot(r_, r_)
    return Correction(x, y, n, False)


def _many(
    work: _Work, residual: FloatArray, coupled: FloatArray, target_a: FloatArray
) -> Correction:
    """Iterate on several networks, each with its own step, until all have converged."""
    g, kept, eliminated, t, solve_t, z, solve_z = work
    x, y = np.zeros_like(z), t.copy()
    p, bp = np.zeros_like(z), np.zeros_like(z)
    scratch_x, scratch_y = np.empty_like(x), np.empty_like(y)
    end = target_a**2
    rr, rz = dots(residual, residual), np.ones(len(x))
    best, best_at = np.inf, 0
    for n in range(_MAX_ITERATIONS):
        going = rr > end
        if not going.any():
            return Correction(x, y, n, True)
        worst = float(np.max(rr[going] / np.maximum(end[going], 1e-300)))
        if worst < best:
            best, best_at = worst, n
        elif n > best_at + _STAGNATES_AFTER:
            break
        np.copyto(z, residual)
        solve_z()
        rz_before, rz = rz, dots(residual, z)
        beta = _ratio(rz, rz_before) if n else np.zeros((len(x), 1, 1))
        p *= beta
        p += z
        bp *= beta
        bp += residual
        eliminated.couple(g, p, t)
        solve_t()
        kept.couple(g, t, coupled)
        np.subtract(bp, coupled, coupled)
        alpha = _ratio(rz, dots(p, coupled)) * going[:, None, None]
        x += np.multiply(p, alpha, scratch_x)
        y -= np.multiply(t, alpha, scratch_y)
        residual -= np.multiply(coupled, alpha, scratch_x)
        rr = dots(residual, residual)
    return Correction(x, y, n, False)


def dots(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return one dot product for each network, (k,)."""
    if len(a) == 1:
        return np.array([np.vdot(a, b)])
    products: FloatArray = np.einsum("kij,kij->k", a, b)
    return products


def _ratio(over: FloatArray, under: FloatArray) -> FloatArray:
    """Return the ratio for each network, 0 where it has converged to the last bit."""
    ratio = np.divide(over, under, out=np.zeros_like(over), where=under > 0)
    return ratio[:, None, None]
