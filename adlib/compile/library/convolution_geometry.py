"""Convolutions as plain ones: which taps of the kernel meet which elements of the input.

Along one spatial axis, output o reads input (o·stride + k·spread - low) / gap for the taps k where
that is whole, with the input's elements ``gap`` apart (its dilation) and the kernel's ``spread``.
Outputs whose numbers have the same remainder by a period meet the same taps, a regular part of
the kernel, and among them windows move by a constant number of elements. So zeros between the
elements of an input are never multiplied.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from adlib.compile.library.contraction import Axis
from adlib.compile.views import row_major
from adlib.core.jaxpr import Eqn
from adlib.ops.conv_numbers import spatial_sizes


class Phase(NamedTuple):
    """Outputs ``start``, ``start + step``, … of one axis (``size`` of them), whose windows have
    ``taps`` elements ``spread`` apart from ``first`` on and move by ``move``; the taps are those
    of the kernel from ``tap`` on, ``tap_step`` apart."""

    start: int
    step: int
    size: int
    tap: int
    tap_step: int
    taps: int
    first: int
    move: int
    spread: int


def phases(taps: int, outputs: int, stride: int, low: int, gap: int, spread: int) -> list[Phase]:
    """The phases of one axis; those without any taps are left out."""
    period, tap_step = gap // math.gcd(gap, stride), gap // math.gcd(gap, spread)
    found = []
    for start in range(min(period, outputs)):
        for tap in range(min(tap_step, taps)):
            at = start * stride + tap * spread - low
            if at % gap == 0:
                found.append(
                    Phase(
                        start,
                        period,
                        -(-(outputs - start) // period),
                        tap,
                        tap_step,
                        -(-(taps - tap) // tap_step),
                        at // gap,
                        period * stride // gap,
                        tap_step * spread // gap,
                    )
                )
    return found


class Geometry:
    """A convolution's sizes and how its arrays lie in memory.

    Attributes:
      groups, batch, outputs, inputs: groups, and sizes within a group.
      phases: for each spatial axis.
      low, high: zeros needed around the input, for each spatial axis.
      lhs, rhs, out: shapes; ``*_spec`` say which axis is which.
    """

    def __init__(self, eqn: Eqn) -> None:
        p = eqn.params
        numbers = p["dimension_numbers"]
        self.lhs, self.rhs = [v.aval.shape for v in eqn.invars]
        self.out = eqn.outvars[0].aval.shape
        self.lhs_spec, self.rhs_spec, self.out_spec = numbers
        self.feature_groups, self.batch_groups = p["feature_group_count"], p["batch_group_count"]
        self.groups = self.feature_groups * self.batch_groups
        self.batch = self.lhs[self.lhs_spec[0]] // self.batch_groups
        self.inputs = self.rhs[self.rhs_spec[1]]
        self.outputs = self.rhs[self.rhs_spec[0]] // self.groups
        sizes = spatial_sizes(self.lhs, self.lhs_spec)
        taps = spatial_sizes(self.rhs, self.rhs_spec)
        made = spatial_sizes(self.out, self.out_spec)
        self.phases: list[list[Phase]] = []
        self.low: list[int] = []
        self.high: list[int] = []
        for n, k, m, stride, (low, _), gap, spread in zip(
            sizes,
            taps,
            made,
            p["window_strides"],
            p["padding"],
            p["lhs_dilation"],
            p["rhs_dilation"],
            strict=True,
        ):
            found = phases(k, m, stride, low, gap, spread)
            self.phases.append(found)
            self.low.append(max([0, *[-f.first for f in found]]))
            last = [f.first + (f.size - 1) * f.move + (f.taps - 1) * f.spread for f in found]
            self.high.append(max([0, *[e - (n - 1) for e in last]]))

    @property
    def padded(self) -> bool:
        return any(self.low) or any(self.high)

    @property
    def complete(self) -> bool:
        """Whether every output is in a phase."""
        made = spatial_sizes(self.out, self.out_spec)
        return all(
            sum([f.size for f in found]) == m for found, m in zip(self.phases, made, strict=True)
        )

    @property
    def empty(self) -> bool:
        """Whether there is nothing to multiply."""
        return 0 in (*self.lhs, *self.rhs, *self.out) or not all(self.phases)

    def padded_shape(self) -> list[int]:
        shape = list(self.lhs)
        for axis, low, high in zip(self.lhs_spec[2:], self.low, self.high, strict=True):
            shape[axis] += low + high
        return shape


class Loops:
    """The axes of one convolution without gaps, with their strides in the three arrays."""

    def __init__(
        self,
        g: Geometry,
        found: Sequence[Phase],
        strides: Sequence[Sequence[int]],
        low: Sequence[int],
    ) -> None:
        left, right, out = strides
        batch, features, *places = [left[d] for d in g.lhs_spec]
        outputs, inputs, *taps = [right[d] for d in g.rhs_spec]
        out_batch, out_features, *made = [out[d] for d in g.out_spec]
        shared = g.batch * batch if g.batch_groups > 1 else g.inputs * features
        self.group = Axis(g.groups, g.outputs * out_features, shared, g.outputs * outputs)
        self.batch = Axis(g.batch, out_batch, batch, 0)
        self.outputs = Axis(g.outputs, out_features, 0, outputs)
        self.inputs = Axis(g.inputs, 0, features, inputs)
        self.places = [
            Axis(f.size, f.step * m, f.move * s, 0)
            for f, m, s in zip(found, made, places, strict=True)
        ]
        self.taps = [
            Axis(f.taps, 0, f.spread * s, f.tap_step * t)
            for f, s, t in zip(found, places, taps, strict=True)
        ]
        # where the first output is, the first element that it reads, the first tap
        self.out_start = sum([f.start * m for f, m in zip(found, made, strict=True)])
        self.left_start = sum(
            [(f.first + lo) * s for f, s, lo in zip(found, places, low, strict=True)]
        )
        self.right_start = sum([f.tap * t for f, t in zip(found, taps, strict=True)])


def strides(shape: Sequence[int]) -> list[int]:
    return row_major(shape)


def permuted_strides(shape: Sequence[int], order: Sequence[int]) -> list[int]:
    """Strides by axis of an array whose memory has its axes in ``order``."""
    found: list[Any] = [0] * len(shape)
    step = 1
    for axis in reversed(order):
        found[axis] = step
        step *= shape[axis]
    return found
