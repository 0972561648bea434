"""Equations with native code of their own: calls of LAPACK, sorting, convolutions, ….

Each file defines parts and enters them in ``PARTS`` by the name of their primitive. A part is
made for one equation whose operands lie in memory in row-major order, and writes its results
there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adlib.compile.library import (
    convolution,
    fft,
    lapack,
    lapack_by_schur,
    lapack_lu,
    lapack_qr,
    lapack_spectral,
    sorting,
    special,
    windows,
)
from adlib.compile.library.part import PARTS, LibraryPart
from adlib.core.jaxpr import Eqn, Var

__all__ = [
    "LibraryPart",
    "PARTS",
    "convolution",
    "fft",
    "lapack",
    "lapack_by_schur",
    "lapack_lu",
    "lapack_qr",
    "lapack_spectral",
    "native",
    "part",
    "sorting",
    "special",
    "windows",
]


def native(eqn: Eqn, dtypes_: frozenset[Any]) -> bool:
    """Whether an equation has native code, for its types and parameters."""
    found = PARTS.get(eqn.primitive.name)
    return found is not None and found.accepts(eqn, dtypes_)


def part(eqn: Eqn, operands: Sequence[Var], name: str) -> LibraryPart:
    """The native code of an equation, as a function called ``name``."""
    return PARTS[eqn.primitive.name](eqn, operands, name)
