"""What an answer has to fulfil beside its values: it compiles, it batches, it builds no matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import adlib
from adlib.core import Eqn, Jaxpr
from adlib.core.jaxpr import subjaxprs
from adlib_kernel.actions.tables import number_text

Property = Callable[[Any], str]


def works_under_jit(*args: Any, rtol: float = 1e-4) -> Property:
    """The attempt gives the same compiled as it does at once.

    >>> works_under_jit(2.0)(lambda x: x * x)
    ''
    """

    def holds(attempt: Any) -> str:
        if _same(adlib.jit(attempt)(*args), attempt(*args), rtol):
            return ""
        return "under jit it gives something else"

    return holds


def works_under_vmap(*batches: Any, rtol: float = 1e-4) -> Property:
    """The attempt gives the same for a batch as for its members one by one.

    Args:
      batches: arrays, each with the batch as its first axis.
    """

    def holds(attempt: Any) -> str:
        mapped = adlib.vmap(attempt)(*batches)
        singly = [attempt(*members) for members in zip(*batches, strict=True)]
        stacked = adlib.tree_util.tree_map(lambda *leaves: np.stack(leaves), *singly)
        return "" if _same(mapped, stacked, rtol) else "under vmap it gives something else"

    return holds


def second_derivative(wanted: Callable[[Any], Any], points: Sequence[float]) -> Property:
    """The attempt, a function of one number, is right when it is differentiated twice."""

    def holds(attempt: Any) -> str:
        for point in points:
            got = float(adlib.grad(adlib.grad(attempt))(point))
            right = float(wanted(point))
            if not np.isclose(got, right, rtol=1e-3, atol=1e-4):
                return (
                    "the derivative is right, but the derivative of the derivative is not: "
                    f"at {point} it is {number_text(float(f'{got:.4g}'))}"
                )
        return ""

    return holds


def no_array_larger_than(
    size: int, what: str, call: Callable[[Any], tuple[Callable[..., Any], tuple[Any, ...]]]
) -> Property:
    """No equation of the attempt's program makes an array with more entries.

    Args:
      size: the largest number of entries that is needed.
      what: what a larger array would be, such as "a whole Jacobian".
      call: makes of the attempt a function and arrays to trace it with.
    """

    def holds(attempt: Any) -> str:
        function, args = call(attempt)
        jaxpr = adlib.make_jaxpr(function)(*args).jaxpr
        shapes = [var.aval.shape for eqn in equations(jaxpr) for var in eqn.outvars]
        largest = max(shapes, key=lambda shape: int(np.prod(shape)), default=())
        if int(np.prod(largest)) <= size:
            return ""
        return f"the values are right, but it builds {what}: an array of shape {tuple(largest)}"

    return holds


def equations(jaxpr: Jaxpr) -> Iterator[Eqn]:
    """Every equation of a jaxpr, those of the jaxprs inside its equations included."""
    for eqn in jaxpr.eqns:
        yield eqn
        for _, inner in subjaxprs(eqn.params):
            yield from equations(inner)


def _same(got: Any, wanted: Any, rtol: float) -> bool:
    leaves = [adlib.tree_util.tree_leaves(tree) for tree in (got, wanted)]
    if len(leaves[0]) != len(leaves[1]):
        return False
    return all(
        np.shape(a) == np.shape(b)
        and np.allclose(np.asarray(a), np.asarray(b), rtol=rtol, atol=1e-5)
        for a, b in zip(*leaves, strict=True)
    )
