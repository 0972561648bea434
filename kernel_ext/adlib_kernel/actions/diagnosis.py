"""What is wrong with numbers that ought to be others: sign, factor, offset, missing term, …"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adlib_kernel.actions.tables import array_text, number_text

_NICE = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, float(np.pi), float(2 * np.pi))


@dataclass(frozen=True)
class Sample:
    """One array of an attempt beside what it ought to be.

    Attributes:
      got, wanted: the arrays.
      arguments: the numbers and arrays that the function was called with, by name.
      terms: named parts of the right result, at these arguments.
      factors: named factors of it.
    """

    got: np.ndarray
    wanted: np.ndarray
    arguments: dict[str, np.ndarray]
    terms: dict[str, np.ndarray]
    factors: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Closeness:
    """When two numbers count as equal.

    Attributes:
      rtol: relative to the largest entry of what is wanted.
      atol: besides that.
    """

    rtol: float = 1e-4
    atol: float = 1e-6

    def same(self, got: Any, wanted: Any) -> bool:
        """Whether two arrays have the same shape and, as far as it counts, entries."""
        got, wanted = np.asarray(got), np.asarray(wanted)
        return got.shape == wanted.shape and bool(np.all(self.entries(got, wanted)))

    def entries(self, got: Any, wanted: Any) -> np.ndarray:
        """Of each entry, whether it is the same; NaN is the same as NaN."""
        finite = np.abs(wanted)[np.isfinite(wanted)] if np.size(wanted) else np.zeros(0)
        scale = float(np.max(finite, initial=0.0))
        return np.isclose(got, wanted, rtol=0.0, atol=self.atol + self.rtol * scale, equal_nan=True)


def diagnose(samples: Sequence[Sample], close: Closeness) -> str:
    """What is wrong with an attempt, in one sentence; empty if nothing is.

    Args:
      samples: the attempt's results at several points beside the right ones.
      close: when numbers count as equal.

    >>> samples = [Sample(np.array(-x), np.array(x), {}, {}) for x in (1.0, 2.0)]
    >>> diagnose(samples, Closeness())
    'the sign is wrong'
    """
    for sample in samples:
        if sample.got.shape != sample.wanted.shape:
            return _shape_is_wrong(sample, close)
    if all(close.same(s.got, s.wanted) for s in samples):
        return ""
    for suspicion in _SUSPICIONS:
        found = suspicion(samples, close)
        if found:
            return found
    return _where(samples, close)


def _shape_is_wrong(sample: Sample, close: Closeness) -> str:
    got, wanted = sample.got, sample.wanted
    if got.ndim > 1 and got.T.shape == wanted.shape:
        if close.same(got.T, wanted):
            return "it is transposed; apart from that it is right"
        return f"the shape is {got.shape}, transposed against the wanted {wanted.shape}"
    hint = ""
    if wanted.shape == () and got.size == 1:
        hint = ": a number is wanted, not an array with one entry in it"
    elif wanted.shape == () and close.same(np.sum(got), wanted):
        hint = "; the sum of the entries would be right"
    elif got.shape == ():
        hint = ": one number came where an array is wanted"
    elif got.size == wanted.size and close.same(got.reshape(wanted.shape), wanted):
        hint = "; the entries are right"
    return f"the shape is {got.shape}, and {wanted.shape} is wanted{hint}"


def _not_finite(samples: Sequence[Sample], close: Closeness) -> str:
    for sample in samples:
        bad = ~np.isfinite(sample.got) & np.isfinite(sample.wanted)
        if np.any(bad):
            kind = "NaN" if np.any(np.isnan(sample.got)) else "infinite"
            return f"there are {kind} entries{_at(sample)}"
    return ""


def _sign(samples: Sequence[Sample], close: Closeness) -> str:
    if all(close.same(-s.got, s.wanted) for s in samples):
        return "the sign is wrong"
    return ""


def _transposed(samples: Sequence[Sample], close: Closeness) -> str:
    if all(close.same(s.got.T, s.wanted) for s in samples):
        return "it is transposed"
    if all(close.same(-s.got.T, s.wanted) for s in samples):
        return "it is transposed, and the sign is wrong"
    return ""


def _conjugated(samples: Sequence[Sample], close: Closeness) -> str:
    if all(close.same(np.conj(s.got), s.wanted) for s in samples):
        return "it is the complex conjugate of what is wanted"
    return ""


def _terms(samples: Sequence[Sample], close: Closeness) -> str:
    sentences = (
        (1.0, "the term {} is missing"),
        (2.0, "the term {} has the wrong sign"),
        (-1.0, "the term {} is there twice, or does not belong there as it is"),
        (0.5, "the term {} is half of what it ought to be"),
    )
    for name in samples[0].terms:
        for amount, sentence in sentences:
            if all(close.same(s.got + amount * s.terms[name], s.wanted) for s in samples):
                return sentence.format(name)
    return ""


def _factor(samples: Sequence[Sample], close: Closeness) -> str:
    got, wanted = _all_entries(samples)
    size = np.vdot(wanted, wanted).real
    if size == 0 or not np.all(np.isfinite(got)):
        return ""
    factor = np.vdot(wanted, got) / size
    if abs(np.imag(factor)) > 1e-6 * abs(factor) or abs(factor) < 1e-12:
        return ""
    factor = float(np.real(factor))
    if not all(close.same(s.got / factor, s.wanted) for s in samples):
        return ""
    large = abs(factor) if abs(factor) > 1 else 1 / abs(factor)
    if not _is_evidence(wanted) and min(abs(large - nice) for nice in _NICE) > 1e-3:
        return ""  # one number is always a multiple of another
    direction = "large" if abs(factor) > 1 else "small"
    sign = "the sign is wrong, and it is" if factor < 0 else "it is"
    return f"{sign} too {direction} by the factor {number_text(round(large, 4))}"


def _argument_factor(samples: Sequence[Sample], close: Closeness) -> str:
    if not _is_evidence(_all_entries(samples)[1]):
        return ""
    for name in _shared_arguments(samples):
        for sign, also in ((1.0, ""), (-1.0, ", and the sign is wrong")):
            if all(close.same(sign * s.got * s.arguments[name], s.wanted) for s in samples):
                return f"a factor {name} is missing{also}"
            if all(close.same(sign * s.got, s.wanted * s.arguments[name]) for s in samples):
                return f"there is a factor {name} too many{also}"
    return ""


def _named_factors(samples: Sequence[Sample], close: Closeness) -> str:
    shape = samples[0].got.shape
    for name, factor in samples[0].factors.items():
        if factor.shape not in ((), shape):
            continue
        for sign, also in ((1.0, ""), (-1.0, ", and the sign is wrong")):
            if all(close.same(sign * s.got * s.factors[name], s.wanted) for s in samples):
                return f"the factor {name} is missing{also}"
            if all(close.same(sign * s.got, s.wanted * s.factors[name]) for s in samples):
                return f"the factor {name} is there once too often{also}"
    return ""


def _offset(samples: Sequence[Sample], close: Closeness) -> str:
    got, wanted = _all_entries(samples)
    if not _is_evidence(wanted):
        return ""
    offset = complex(np.mean(got - wanted))
    if not all(close.same(s.got - offset, s.wanted) for s in samples):
        return ""
    shown = number_text(float(f"{offset.real:.4g}")) if abs(offset.imag) < 1e-9 else str(offset)
    return f"it is off by the constant {shown} everywhere"


def _argument_term(samples: Sequence[Sample], close: Closeness) -> str:
    if not _is_evidence(_all_entries(samples)[1]):
        return ""
    for name in _shared_arguments(samples):
        for amount in (1.0, -1.0, 2.0, -2.0, 0.5, -0.5):
            if all(close.same(s.got + amount * s.arguments[name], s.wanted) for s in samples):
                term = {1.0: name, 0.5: f"{name}/2", 2.0: f"2·{name}"}[abs(amount)]
                if amount > 0:
                    return f"the term {term} is missing"
                return f"there is a term {term} too many"
    return ""


def _order(samples: Sequence[Sample], close: Closeness) -> str:
    if not all(s.got.ndim == 1 and s.got.size > 1 for s in samples):
        return ""
    if all(close.same(s.got[::-1], s.wanted) for s in samples):
        return "the entries are in reverse order"
    if all(close.same(np.sort(s.got), np.sort(s.wanted)) for s in samples):
        return "the entries are the right ones in another order"
    return ""


_SUSPICIONS: tuple[Callable[[Sequence[Sample], Closeness], str], ...] = (
    _not_finite,
    _sign,
    _transposed,
    _conjugated,
    _terms,
    _named_factors,
    _factor,
    _argument_factor,
    _argument_term,
    _offset,
    _order,
)


def _where(samples: Sequence[Sample], close: Closeness) -> str:
    """Where it is wrong, when nothing more is known."""
    wrong = [s for s in samples if not close.same(s.got, s.wanted)]
    first = wrong[0]
    right = len(samples) - len(wrong)
    points = f", though right at {right} of {len(samples)} points" if right else ""
    if first.got.size > 1:
        entries = close.entries(first.got, first.wanted)
        count = int(np.sum(entries))
        place = [int(i) for i in np.argwhere(~entries)[0]]
        if count:
            sample = f"{count} of {first.got.size} entries are right, and entry {place} is not"
            return f"{sample}{_at(first)}{points}"
    return f"it gives {array_text(first.got)}{_at(first)}, which is not right{points}"


def _at(sample: Sample) -> str:
    given = ", ".join(f"{name} = {array_text(v)}" for name, v in sample.arguments.items())
    return f" at {given}" if given else ""


def _all_entries(samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray]:
    got = np.concatenate([np.ravel(s.got) for s in samples])
    return got, np.concatenate([np.ravel(s.wanted) for s in samples])


def _is_evidence(wanted: np.ndarray) -> bool:
    """Whether a rule that fits these numbers says something: there are three different ones."""
    return len(np.unique(np.round(wanted, 9))) >= 3


def _shared_arguments(samples: Sequence[Sample]) -> list[str]:
    """The numbers, and the arrays of the result's shape, among the arguments."""
    return [
        name
        for name in samples[0].arguments
        if all(name in s.arguments for s in samples)
        and all(s.arguments[name].shape in ((), s.got.shape) for s in samples)
    ]
