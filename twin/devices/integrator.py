"""Exponential Rosenbrock integration of driven mean-field devices, with located dead-band edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hil.errors import UnmodelledError
from twin.devices.arithmetic import Arithmetic, Values, phi_functions
from twin.devices.formulas import Circuit, Expansion, Law, OperatingPoint, Slopes
from twin.devices.progress import Progress, Source, Tolerances

# Modes of a driven device. SLIDING: at the edge of the dead band, where switching would lower the
# voltage below the edge and the source raises it above: X moves so that V stays on the edge.
DEAD, SWITCHING, SLIDING = 0, 1, 2

_EDGE_V = 1e-10  # a voltage this close to an edge of the dead band is on it
_MAX_GROWTH = 6.0
_MAX_GROWING_EXPONENT = 2.0
_MAX_TRIALS = 1_000_000


class _Node(NamedTuple):
    """Everything at the start of a step."""

    at: OperatingPoint
    slopes: Slopes
    f: Values
    f_y: Values
    f_t: Values
    kappa: Values
    switching: Values
    gap: Values
    pace_hz: Values


class _Step(NamedTuple):
    """What a step of given length would do."""

    x: Values
    x_error: Values
    device_j: Values
    current_squared_a2s: Values
    charge_c: Values
    energy_error: Values
    source_j: Values


@dataclass(frozen=True, slots=True)
class MeanField:
    """Mean-field devices in their circuits, on floats (one device) or arrays.

    The step is the exponential Rosenbrock method exprb43: order 4, embedded order 3, three
    evaluations of the rate, exact for frozen voltage whatever the step. It is taken in the
    coordinate y = (e^(kappa (X - X_0)) - 1) / kappa, with kappa chosen anew in each step so that
    dy/dt is linear in y to second order: behind a resistor X grows with the logarithm of time, and
    y nearly linearly.
    Energies and charge are further components of the same system, so that they are integrated by
    the same method and any linear relation between their integrands holds to round-off.

    Source: Hochbruck, Ostermann and Schweitzer, SIAM J. Numer. Anal. 47 (2009) 786.
    """

    law: Law
    circuit: Circuit
    source: Source
    tolerances: Tolerances
    xp: Arithmetic

    def advance(self, s: Progress, stop_at: int = 0) -> None:
        """Step until at most ``stop_at`` devices have time left; ``s`` is updated.

        Raises:
            UnmodelledError: the step length does not settle; a parameter or input is not finite.
        """
        for _ in range(_MAX_TRIALS):
            if self.xp.count_nonzero(s.left_s > 0) <= stop_at:
                return
            self._try_step(s)
        raise UnmodelledError(
            f"the device equation took more than {_MAX_TRIALS} steps in one drive: "
            "check that all device parameters and drive voltages are finite"
        )

    def _try_step(self, s: Progress) -> None:
        xp = self.xp
        node = self._node(s)
        wanted = s.h_s
        if xp.count_nonzero(s.h_s == 0):
            wanted = xp.where(s.h_s > 0, s.h_s, self._guess_step(s, node))
        wanted = xp.minimum(wanted, _MAX_GROWING_EXPONENT / xp.maximum(node.f_y, 1e-300))
        to_corner = self.source.monotonic_until_s(s.t_s) - s.t_s
        h = xp.minimum(xp.minimum(wanted, s.left_s), to_corner)
        step = self._step(s, node, h)

        error = self._error(s, step)
        growth = xp.clip(0.9 * xp.maximum(error, 1e-12) ** -0.25, 0.1, _MAX_GROWTH)
        grown = xp.maximum(growth * h, xp.where(h < wanted, wanted, 0.0))
        reduced = h * xp.where(error > 1, growth, 1.0)
        too_short = h <= 1e-13 * (s.t_s + s.left_s)

        end = self._solve(s, node, step.x, h)
        gap = self._gap_after(s, step.x, s.t_s + h, end)
        left_mode = gap < -_EDGE_V
        accepted = ((error <= 1) & xp.logical_not(left_mode)) | too_short
        if xp.count_nonzero(left_mode):
            reduced = self._approach_edge(s, node, gap, h, reduced, accepted)

        s.h_s = xp.where(accepted, grown, reduced)
        s.t_s = xp.where(accepted, s.t_s + h, s.t_s)
        s.left_s = xp.where(accepted, xp.where(h < s.left_s, s.left_s - h, 0.0), s.left_s)
        self._note_move(s, accepted, step.x, end)
        s.device_j = xp.where(accepted, s.device_j + step.device_j, s.device_j)
        squared_a2s = s.current_squared_a2s + step.current_squared_a2s
        s.current_squared_a2s = xp.where(accepted, squared_a2s, s.current_squared_a2s)
        s.charge_c = xp.where(accepted, s.charge_c + step.charge_c, s.charge_c)

    def _note_move(self, s: Progress, accepted: Values, x: Values, end: OperatingPoint) -> None:
        xp = self.xp
        left = xp.where(accepted & (x < s.x), x / xp.maximum(s.x, 1e-300), 1.0)
        s.kept = s.kept * left
        s.gained = s.gained * left + xp.where(accepted & (x > s.x), x - s.x, 0.0)
        s.x = xp.where(accepted, x, s.x)
        s.v_v = xp.where(accepted, end.v_v, s.v_v)
        s.i_a = xp.where(accepted, end.i_a, s.i_a)
        s.i_peak_a = xp.maximum(s.i_peak_a, abs(s.i_a))

    def _solve(self, s: Progress, node: _Node, x: Values, later_s: Values) -> OperatingPoint:
        """Return the operating point in state ``x`` some time after the node."""
        near_v = node.at.v_v + node.slopes.v_x * (x - s.x) + node.slopes.v_t * later_s
        return self.circuit.solve(x, self.source.value_v(s.t_s + later_s), self.xp, near_v)

    def _approach_edge(
        self, s: Progress, node: _Node, gap: Values, h: Values, reduced: Values, accepted: Values
    ) -> Values:
        """Return the step to try next where this one left its mode; change mode on the edge."""
        xp = self.xp
        left_mode = gap < -_EDGE_V
        at_edge = node.gap <= _EDGE_V
        secant = xp.clip(node.gap / xp.maximum(node.gap - gap, 1e-300), 0.05, 1 - 1e-12)
        shorter = xp.minimum(reduced, h * xp.where(at_edge, 0.5, secant))
        mode, side = self._choose_mode(s, node)
        switched = left_mode & at_edge & (mode != s.mode) & xp.logical_not(accepted)
        s.mode = xp.where(switched, mode, s.mode)
        s.side = xp.where(switched, side, s.side)
        return xp.where(switched, 0.0, xp.where(left_mode, shorter, reduced))

    def start(self, s: Progress) -> None:
        """Find the mode in which each device begins."""
        xp = self.xp
        at = self.circuit.solve(s.x, self.source.value_v(s.t_s), xp, s.v_v)
        v = s.v_v = at.v_v
        s.i_a, s.i_peak_a = at.i_a, abs(at.i_a)
        s.side = self._near_side(v)
        outside = (v >= self.law.v_dead_on_v) | (v <= -self.law.v_dead_off_v)
        s.mode = xp.where(outside, SWITCHING, DEAD)

    def _near_side(self, v_v: Values) -> Values:
        nearer_set = self.law.v_dead_on_v - v_v < v_v + self.law.v_dead_off_v
        return self.xp.where(nearer_set, 1.0, -1.0)

    def _node(self, s: Progress) -> _Node:
        xp = self.xp
        v_source = self.source.value_v(s.t_s)
        at = self.circuit.solve(s.x, v_source, xp, s.v_v)
        slopes = self.circuit.slopes(at, self.source.slope_v_per_s(s.t_s), xp)
        law = self.law.expand(s.x, at.v_v, slopes, xp)
        on = xp.where(s.mode == SWITCHING, 1.0, 0.0)
        sliding = xp.where(s.mode == SLIDING, _sliding_rate(slopes, xp), 0.0)
        kappa = on * _flattening(law, xp)
        f_now = on * law.f + sliding
        return _Node(
            at,
            slopes,
            f_now,
            on * (law.f_x + kappa * law.f),
            on * law.f_v * slopes.v_t,
            xp.where(abs(kappa) < 1e-100, 1e-100, kappa),
            law.f,
            self._gap(s, at.v_v, slopes, law.f),
            abs(slopes.v_t) / law.width_v + law.steepness * abs(f_now),
        )

    def _gap(self, s: Progress, v_v: Values, slopes: Slopes, f: Values) -> Values:
        """Return how far a device is from leaving its mode; negative when it has left."""
        xp = self.xp
        edge = xp.where(s.side > 0, self.law.v_dead_on_v, self.law.v_dead_off_v)
        beyond = xp.where(edge > 0, s.side * v_v - edge, 1.0)
        inside = xp.minimum(self.law.v_dead_on_v - v_v, v_v + self.law.v_dead_off_v)
        gap = xp.where(s.mode == DEAD, inside, beyond)
        if not xp.count_nonzero(s.mode == SLIDING):
            return gap
        ratio = _sliding_rate(slopes, xp) / xp.where(f == 0, 1e-300, f)
        return xp.where(s.mode == SLIDING, xp.minimum(ratio, 1 - ratio), gap)

    def _gap_after(self, s: Progress, x: Values, t_s: Values, at: OperatingPoint) -> Values:
        xp = self.xp
        if not xp.count_nonzero(s.mode == SLIDING):
            return self._gap(s, at.v_v, _NO_SLOPES, 0.0)
        slopes = self.circuit.slopes(at, self.source.slope_v_per_s(t_s), xp)
        return self._gap(s, at.v_v, slopes, self.law.rate(x, at.v_v, xp))

    def _choose_mode(self, s: Progress, node: _Node) -> tuple[Values, Values]:
        """Return mode and side of a device on an edge, by where its voltage goes from there."""
        xp = self.xp
        side = xp.where(s.mode == DEAD, self._near_side(node.at.v_v), s.side)
        frozen = side * node.slopes.v_t
        moving = frozen + side * node.slopes.v_x * node.switching
        mode = xp.where(moving > 0, SWITCHING, xp.where(frozen > 0, SLIDING, DEAD))
        return mode, side

    def _guess_step(self, s: Progress, node: _Node) -> Values:
        xp = self.xp
        cautious = 0.1 / xp.maximum(node.pace_hz, 1e-300)
        return xp.where(s.mode == DEAD, s.left_s, cautious)

    def _error(self, s: Progress, step: _Step) -> Values:
        xp, tol = self.xp, self.tolerances
        scale = tol.x_absolute + tol.x_relative * xp.minimum(s.x, step.x)
        so_far = s.device_j + self.circuit.r_ohm * s.current_squared_a2s + abs(step.source_j)
        energy_scale = tol.energy_relative * so_far + 1e-300
        return xp.maximum(abs(step.x_error) / scale, abs(step.energy_error) / energy_scale)

    def _step(self, s: Progress, node: _Node, h: Values) -> _Step:
        xp = self.xp
        at, slopes, f, f_y, f_t, kappa, _, _, _ = node
        half = 0.5 * h
        z = h * f_y
        phi1, phi2, phi3, phi4, phi5 = phi_functions(z, xp)
        root = xp.exp(0.5 * z)
        half1 = 2 * phi1 / (1 + root)
        half2 = (4 * phi2 - half1) / (1 + root)
        low = xp.expm1(-kappa * s.x) / kappa
        high = xp.expm1(kappa * (1 - s.x)) / kappa

        y2 = xp.clip(half * (half1 * f + half * half2 * f_t), low, high)
        f2, at2 = self._stage(s, node, y2, half)
        curve2 = f2 - f - f_y * y2 - f_t * half
        y3 = xp.clip(h * (phi1 * (f + curve2) + h * phi2 * f_t), low, high)
        f3, at3 = self._stage(s, node, y3, h)
        curve3 = f3 - f - f_y * y3 - f_t * h

        square = 16 * curve2 - 2 * curve3
        cube = 12 * curve3 - 48 * curve2
        y = h * (phi1 * f + h * phi2 * f_t + phi3 * square + phi4 * cube)
        y = xp.clip(y, low, high)
        moved = h * h * (phi2 * f + h * phi3 * f_t + phi4 * square + phi5 * cube)
        moved_error = h * h * phi5 * cube

        def integrate(
            p: Values, p_x: Values, p_t: Values, p2: Values, p3: Values
        ) -> tuple[Values, Values]:
            bend2 = p2 - p - p_x * y2 - p_t * half
            bend3 = p3 - p - p_x * y3 - p_t * h
            total = h * (p + half * p_t + (4 * bend2 + bend3) / 6) + p_x * moved
            return total, half * (bend3 - 4 * bend2) + p_x * moved_error

        i, i_x, i_t = at.i_a, slopes.i_x, slopes.i_t
        charge, _ = integrate(i, i_x, i_t, at2.i_a, at3.i_a)
        squared, squared_error = integrate(
            i * i, 2 * i * i_x, 2 * i * i_t, at2.i_a * at2.i_a, at3.i_a * at3.i_a
        )
        device, device_error = integrate(
            at.v_v * i,
            slopes.v_x * i + at.v_v * i_x,
            slopes.v_t * i + at.v_v * i_t,
            at2.v_v * at2.i_a,
            at3.v_v * at3.i_a,
        )
        r = self.circuit.r_ohm
        return _Step(
            self._x_at(s, y, kappa),
            h * phi4 * cube / (1 + kappa * y),
            device,
            squared,
            charge,
            device_error + r * squared_error,
            device + r * squared,
        )

    def _x_at(self, s: Progress, y: Values, kappa: Values) -> Values:
        return self.xp.clip(s.x + self.xp.log1p(kappa * y) / kappa, 0.0, 1.0)

    def _stage(
        self, s: Progress, node: _Node, y: Values, later_s: Values
    ) -> tuple[Values, OperatingPoint]:
        """Return dy/dt and the operating point at a stage."""
        xp, kappa = self.xp, node.kappa
        x = self._x_at(s, y, kappa)
        at = self._solve(s, node, x, later_s)
        f = xp.where(s.mode == SWITCHING, self.law.rate(x, at.v_v, xp) * (1 + kappa * y), 0.0)
        if xp.count_nonzero(s.mode == SLIDING):
            slopes = self.circuit.slopes(at, self.source.slope_v_per_s(s.t_s + later_s), xp)
            f = xp.where(s.mode == SLIDING, _sliding_rate(slopes, xp) * (1 + kappa * y), f)
        return f, at


_NO_SLOPES = Slopes(0.0, 0.0, 0.0, 0.0, 0.0)


def _sliding_rate(slopes: Slopes, xp: Arithmetic) -> Values:
    """Return the dX/dt that keeps the device voltage where it is."""
    return -slopes.v_t / xp.where(slopes.v_x == 0, 1.0, slopes.v_x)


def _flattening(law: Expansion, xp: Arithmetic) -> Values:
    """Return the kappa that makes dy/dt linear in y to second order, where y(X) is the coordinate.

    Zero where the first derivative vanishes: any kappa is correct, this one takes long steps.
    """
    bound = 2 * law.steepness + 2
    defined = abs(law.f_xx) < bound * abs(law.f_x)
    return -xp.where(defined, law.f_xx, 0.0) / xp.where(defined, law.f_x, 1.0)
