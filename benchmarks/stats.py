"""Robust statistics of alternating rounds.

A shared machine is slower in one second than in the next. Libraries are therefore timed in turn
within each round, ratios are taken inside a round, where both sides met the same machine, and the
median and quartiles over rounds are reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    """Median with lower and upper quartile; in seconds, or dimensionless for a ratio."""

    median: float
    q1: float
    q3: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        if not len(values):
            raise ValueError("Spread.of needs at least one value, got none")
        q1, median, q3 = np.percentile(np.asarray(values, float), [25, 50, 75])
        return cls(float(median), float(q1), float(q3))

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def ratio_spread(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Spread of the round-by-round ratios ours / theirs."""
    if len(ours) != len(theirs):
        raise ValueError(
            f"ratios are taken round by round: got {len(ours)} rounds against {len(theirs)}"
        )
    return Spread.of([a / b for a, b in zip(ours, theirs, strict=True)])


def fastest(rounds: dict[str, Sequence[float]]) -> str:
    """The name whose median over the rounds is smallest."""
    return min(rounds, key=lambda name: Spread.of(rounds[name]).median)


def calls_per_batch(seconds_per_call: float, target_seconds: float) -> int:
    """How many calls make one timed batch of about the target length; at least one."""
    return max(1, round(target_seconds / max(seconds_per_call, 1e-9)))


def disagreement(
    reference: Sequence[np.ndarray], other: Sequence[np.ndarray], rtol: float, atol: float
) -> str | None:
    """None where two flattened results agree, else one line that says how they do not.

    The tolerance is relative to the largest magnitude in each array: single entries of a gradient
    may cancel to nothing, and libraries sum in different orders.
    """
    if len(reference) != len(other):
        return f"{len(other)} arrays against {len(reference)}"
    for index, (want, got) in enumerate(zip(reference, other, strict=True)):
        if want.shape != got.shape:
            return f"array {index} has shape {got.shape} against {want.shape}"
        if not want.size:
            continue
        want, got = np.asarray(want, complex), np.asarray(got, complex)
        error = float(np.max(np.abs(got - want)))
        allowed = atol + rtol * float(np.max(np.abs(want)))
        if not error <= allowed:
            return f"array {index} differs by {error:.3g}, more than {allowed:.3g}"
    return None
