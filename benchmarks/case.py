"""What a benchmark case is: one table row, with one small function per library.

A *form* is a function ``form(lib, *inputs) -> thunk``. It receives the library's module and the
inputs as that library's arrays, does everything that is not to be measured, and returns a function
of no arguments; calling the thunk is what is timed, or whose memory is measured. Several forms of
one library compete: the fastest stands for the library.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Form = Callable[..., Callable[[], Any]]

SUBJECT = "adlib"
PEERS = ("jax", "autograd", "torch", "numba")
FASTEST = "fastest peer"
# The machine's own rates that a case can be held against, by what Case counts.
RATES = {"bytes": "the rate of a copy", "flops": "the rate of BLAS"}


@dataclass(frozen=True)
class Bar:
    """An upper limit on a measured number, and what that number is.

    ``against`` is a peer's name or ``FASTEST`` for a ratio of times, ``"MB"`` for peak memory in
    10**6 bytes, ``"ms"`` for a time. The bar is met when the number is below the limit (or at it,
    for memory and times). ``"bytes"`` and ``"flops"`` stand for the part that is reached of the
    machine's own rate, of a copy or of BLAS: there the limit is a lower one.
    """

    against: str
    limit: float

    def met(self, value: float) -> bool:
        if self.against in RATES:
            return value >= self.limit
        return value <= self.limit if self.against in ("MB", "ms") else value < self.limit

    def __str__(self) -> str:
        if self.against in ("MB", "ms"):
            return f"≤ {self.limit:g} {self.against}"
        if self.against in RATES:
            return f"≥ {self.limit:g} × {RATES[self.against]}"
        return f"< {self.limit:.3g} × {self.against}"


EAGER_BARS = (Bar("jax", 1.0), Bar(FASTEST, 1.5))


@dataclass(frozen=True)
class Case:
    """One row: a computation, its inputs, and how each library does it.

    Attributes:
      name: unique key, used on the command line and in the JSON.
      group: heading the row stands under.
      title: one line of what is computed, with sizes.
      inputs: ``inputs(rng)`` returns a tuple of pytrees (lists, tuples, dicts) of NumPy arrays.
      forms: library name to its forms, in order of preference; a library that is absent cannot
        do the case and is shown as a dash.
      bars: the limits that adlib is held to here.
      rtol, atol: how closely all libraries' results must agree before anything is timed.
      warm_inputs: memory cases only: small inputs on which every code path is first run, so that
        lazily imported modules and thread pools are not counted.
      x64: whether adlib and JAX keep 64-bit types while they do the case.
      flops: operations of the matrix products that a run needs at least; 0: none worth counting.
      bytes: memory that a run must read or write at least; 0: not worth counting.
      queued: the calls of a batch stand in a GPU's queue, and only the last one is waited for.
    """

    name: str
    group: str
    title: str
    inputs: Callable[[np.random.Generator], tuple]
    forms: Mapping[str, Sequence[Form]]
    bars: tuple[Bar, ...] = EAGER_BARS
    rtol: float = 1e-3
    atol: float = 1e-5
    warm_inputs: Callable[[np.random.Generator], tuple] | None = None
    x64: bool = False
    flops: int = 0
    bytes: int = 0
    queued: bool = False

    @property
    def measures_memory(self) -> bool:
        return self.warm_inputs is not None

    def make_inputs(self, warm: bool = False) -> tuple:
        """The same inputs in every process: the seed is a checksum of the case's name."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        make = self.warm_inputs if warm and self.warm_inputs is not None else self.inputs
        return make(rng)


def jax_forms(*forms: Form) -> dict[str, Sequence[Form]]:
    """adlib and JAX share an API, so they share forms; only the module differs."""
    return {"adlib": forms, "jax": forms}
