"""Operands of operations: conversion, the checks they share, and sample arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, as_value, scalar
from adlib.core.avals import ShapedArray
from adlib.core.primitive import Sample


def operands(what: str, *xs: Any) -> tuple[Array, ...]:
    """Arguments of an operation as Arrays; Python scalars take the dtype of their partner."""
    for x in xs:
        if not isinstance(x, Array):
            break
    else:
        return xs
    partner = next((x for x in xs if isinstance(x, Array)), None)
    if partner is None:
        values = [as_value(x, what, i) for i, x in enumerate(xs)]
        common, weak = dtypes.promote(*[(v.aval.dtype, v.aval.weak_type) for v in values])
        return tuple(
            scalar(x, common, weak) if dtypes.scalar_type(x) is not None else v
            for x, v in zip(xs, values, strict=True)
        )
    dtype = partner.aval.dtype
    weak = partner.aval.weak_type
    return tuple(_operand(what, i, x, dtype, weak) for i, x in enumerate(xs))


def _operand(what: str, position: int, x: Any, dtype: Any, weak: bool) -> Array:
    if isinstance(x, Array):
        return x
    found = dtypes.scalar_type(x)
    if found is None or isinstance(dtype, dtypes.ExtendedDType):
        return as_value(x, what, position)
    order = "biufc"
    if order.index(found[0].kind) <= order.index(dtypes.kind(dtype)):
        return scalar(x, dtype, weak)
    return as_value(x, what, position)


# --------------------------------------------------------------------- shapes


def broadcast_shape(name: str, avals: Sequence[ShapedArray]) -> tuple[int, ...]:
    """Common shape of operands: equal ranks with sizes equal or 1, or rank 0."""
    first = avals[0].shape
    if all(a.shape == first for a in avals):
        return first
    shapes = [a.shape for a in avals if a.shape]
    rank = len(shapes[0])
    if any(len(s) != rank for s in shapes):
        raise TypeError(
            f"{name}: arrays must have the same number of dimensions, got shapes "
            f"{_shapes(avals)}.{here()}\n  Repair: add axes with x[:, None] or "
            "lax.broadcast_in_dim; adlib.numpy functions do this by NumPy's rules."
        )
    out = []
    for sizes in zip(*shapes, strict=True):
        wide = {n for n in sizes if n != 1}
        if len(wide) > 1:
            raise TypeError(
                f"{name} got incompatible shapes for broadcasting: {_shapes(avals)}.{here()}\n"
                "  Two sizes fit only if they are equal or one of them is 1. Repair: check "
                "which axis is meant (x.reshape, x[:, None], x.T)."
            )
        out.append(wide.pop() if wide else 1)
    return tuple(out)


def _shapes(avals: Sequence[ShapedArray]) -> str:
    return ", ".join(str(a.shape) for a in avals)


def check_dtypes(name: str, avals: Sequence[ShapedArray], kinds: str) -> None:
    """Raise TypeError unless all dtypes are equal and of an accepted kind."""
    first = avals[0].dtype
    if any(a.dtype != first for a in avals):
        given = ", ".join(str(a.dtype.name) for a in avals)
        raise TypeError(
            f"{name} requires arguments to have equal dtypes, got {given}.{here()}\n  Repair: "
            "convert with x.astype(...); adlib.numpy functions promote dtypes on their own."
        )
    if dtypes.kind(first) not in kinds:
        accepted = " or ".join(_KIND_NAMES[k] for k in kinds if k in _KIND_NAMES)
        raise TypeError(
            f"{name} does not accept dtype {first.name}: it takes {accepted} arrays.{here()}"
        )


_KIND_NAMES = {
    "b": "boolean",
    "i": "integer",
    "u": "unsigned",
    "f": "floating",
    "c": "complex",
    "K": "key",
}


# -------------------------------------------------------------------- samples


def normal(*shape: int, dtype: Any = np.float32) -> Callable[[np.random.Generator], Any]:
    """A sample argument: standard normal entries, complex or integer where the dtype is."""

    def make(rng: np.random.Generator) -> Any:
        d = np.dtype(dtype)
        value: Any = rng.standard_normal(shape)
        if d.kind == "c":
            value = value + 1j * rng.standard_normal(shape)
        elif d.kind in "iu":
            value = rng.integers(0 if d.kind == "u" else -8, 8, shape)
        elif d.kind == "b":
            value = value > 0
        return np.asarray(value).astype(d)

    return make


def uniform(*shape: int, low: float = 0.1, high: float = 0.9, dtype: Any = np.float32) -> Any:
    """A sample argument: entries uniform between ``low`` and ``high``."""
    return lambda rng: np.asarray(rng.uniform(low, high, shape)).astype(dtype)


_SAMPLE_DTYPES = {"b": bool, "i": np.int32, "u": np.uint8, "f": np.float32, "c": np.complex64}


def default_samples(kinds: str, arity: int) -> list[Sample]:
    """Arrays of each accepted kind; for several operands also with axes of size 1."""
    samples = []
    for k in kinds:
        dtype = _SAMPLE_DTYPES[k]
        samples.append(Sample((normal(2, 3, dtype=dtype),) * arity, name=np.dtype(dtype).name))
        samples.append(
            Sample((normal(dtype=dtype),) * arity, name=f"{np.dtype(dtype).name}-scalar")
        )
    if arity > 1:
        dtype = _SAMPLE_DTYPES[kinds[-1]]
        shapes = [(2, 3)] + [(1, 3)] * (arity - 1)
        args = tuple(normal(*s, dtype=dtype) for s in shapes)
        samples.append(Sample(args, name="broadcast"))
        samples.append(Sample(args[::-1], name="broadcast-left"))
        scalars = (normal(2, 3, dtype=dtype),) + (normal(dtype=dtype),) * (arity - 1)
        samples.append(Sample(scalars, name="with-scalar"))
    return samples
