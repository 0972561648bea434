"""How accurately accelerators multiply: ``Precision`` and the names for it."""

from __future__ import annotations

import enum
from typing import Any

from adlib.base.config import config
from adlib.base.source import here


class Precision(enum.Enum):
    """How accurately an accelerator multiplies; on CPUs products always have full precision.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.dot(jnp.ones(2), jnp.ones(2), precision=lax.Precision.HIGHEST)
    Array(2., dtype=float32)
    """

    DEFAULT = 0
    HIGH = 1
    HIGHEST = 2

    def __repr__(self) -> str:
        return f"Precision.{self.name}"

    def __str__(self) -> str:
        return self.name


PrecisionLike = None | str | Precision | tuple[str, str] | tuple[Precision, Precision]

_PRECISION_NAMES = {
    "highest": Precision.HIGHEST,
    "float32": Precision.HIGHEST,
    "high": Precision.HIGH,
    "bfloat16_3x": Precision.HIGH,
    "tensorfloat32": Precision.HIGH,
    "default": Precision.DEFAULT,
    "bfloat16": Precision.DEFAULT,
    "fastest": Precision.DEFAULT,
}


def canonicalize_precision(precision: Any) -> tuple[Precision, Precision] | None:
    """The pair of precisions meant by ``precision``, or None where nothing was asked for.

    None means what ``jax_default_matmul_precision`` says. Raises ValueError for a value that
    names no precision.
    """
    if precision is None:
        precision = config.jax_default_matmul_precision
        if precision is None:
            return None
    if isinstance(precision, (tuple, list)) and len(precision) == 2:
        return _one_precision(precision[0]), _one_precision(precision[1])
    one = _one_precision(precision)
    return one, one


def _one_precision(value: Any) -> Precision:
    if isinstance(value, Precision):
        return value
    found = _PRECISION_NAMES.get(value) if isinstance(value, str) else None
    if found is None:
        names = ", ".join(repr(n) for n in _PRECISION_NAMES)
        raise ValueError(
            f"{value!r} is no precision of a matrix product.{here()}\n  Repair: give None, a "
            f"lax.Precision, one of the names {names}, or a pair of these."
        )
    return found
