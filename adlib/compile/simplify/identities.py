"""Identity matrices: constants, or compared iotas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from adlib.compile.simplify.rewriting import Writer
from adlib.core.jaxpr import Atom, Literal

MOST_ELEMENTS = 1 << 24


def is_identity(atom: Atom, writer: Writer) -> bool:
    """Whether an operand is known to be a square matrix with ones on its diagonal, else zeros."""
    shape = atom.aval.shape
    return len(shape) == 2 and identity_split(atom, writer) == 1


def identity_split(atom: Atom, writer: Writer) -> int | None:
    """k, where an operand is an identity matrix whose rows are its first k axes; else None.

    The derivatives of a function of a 2×3 matrix are pushed forward as a basis of shape (6, 2, 3).
    """
    shape = atom.aval.shape
    if type(atom) is Literal or len(shape) < 2:
        return None
    dtype = atom.aval.dtype
    if not isinstance(dtype, np.dtype) or dtype.kind not in "iufc":
        return None
    k = split_evenly(shape)
    if k is None:
        return None
    const = writer.known.get(atom)  # type: ignore[arg-type]
    if const is not None:
        return k if _is_identity_array(const, k) else None
    return k if len(shape) == 2 and _is_compared_iotas(atom, writer) else None


def split_evenly(shape: tuple[int, ...]) -> int | None:
    """The k for which the first k axes hold as many elements as the others, more than one."""
    for k in range(1, len(shape)):
        if math.prod(shape[:k]) == math.prod(shape[k:]) > 1:
            return k
    return None


def _is_compared_iotas(atom: Atom, writer: Writer) -> bool:
    convert = writer.made_by(atom, "convert_element_type")
    equal = None if convert is None else writer.made_by(convert.invars[0], "eq")
    if equal is None:
        return False
    iotas = [writer.made_by(v, "iota") for v in equal.invars]
    return all(i is not None and i.params["shape"] == atom.aval.shape for i in iotas) and {
        i.params["dimension"] for i in iotas if i is not None
    } == {0, 1}


def _is_identity_array(const: Any, k: int) -> bool:
    value = getattr(const, "_value", None)
    if not isinstance(value, np.ndarray) or value.size > MOST_ELEMENTS:
        return False
    # looking at a large matrix for each of its uses would not be linear
    found = _looked_at.get(id(value))
    if found is None or found[0] is not value:
        rows = math.prod(value.shape[:k])
        found = (value, _look(value.reshape(rows, rows)))
        if len(_looked_at) > 256:
            _looked_at.clear()
        _looked_at[id(value)] = found
    return found[1]


def _look(value: np.ndarray[Any, Any]) -> bool:
    if not (np.diagonal(value) == 1).all():
        return False
    return bool(np.count_nonzero(value) == len(value) and not np.signbit(value.real).any())


_looked_at: dict[int, tuple[Any, bool]] = {}
