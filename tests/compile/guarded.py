"""Runs compiled programs in memory with guards: whatever is read or written out of range ends it.

Every argument, constant, result and arena of a program lies so that it ends exactly where a page
begins that may not be touched, and, in a second run, starts right behind such a page. Arguments
cannot be written to, results and arenas start as garbage. A violation is a segmentation fault, so
that this is run as a program of its own, which names each case before it runs it::

    python -m tests.compile.guarded registry          every sample of every primitive
    python -m tests.compile.guarded random 0 100      the random programs 0 to 99
"""

from __future__ import annotations

import ctypes
import faulthandler
import mmap
import random
import sys
import types
from typing import Any

import numpy as np

import adlib
from adlib.compile import memory
from adlib.compile.program import Compiled
from tests.compile import random_programs

PAGE = mmap.PAGESIZE
_NONE, _READ, _WRITE = 0, 1, 2

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class Guards:
    """Memory for one run of one program.

    Attributes:
      at_end: whether arrays end at a guard, or start behind one.
      garbage: the byte that memory is filled with.
    """

    def __init__(self, at_end: bool, garbage: int) -> None:
        self.at_end = at_end
        self.garbage = garbage
        self._blocks: list[tuple[mmap.mmap, Any]] = []
        self._slack: list[tuple[Any, int, str]] = []

    def array(self, shape: Any, dtype: Any, what: str) -> np.ndarray:
        """An array of garbage between guards."""
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        dtype = np.dtype(dtype)
        size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        inside = -(-size // PAGE) * PAGE
        block = mmap.mmap(-1, inside + 2 * PAGE)
        whole = np.frombuffer(block, np.uint8)
        whole[PAGE : PAGE + inside] = self.garbage
        start = PAGE + (inside - size if self.at_end else 0)
        for at in (0, PAGE + inside):
            _protect(whole[at:].ctypes.data, PAGE, _NONE)
        self._blocks.append((block, whole))
        rest = whole[PAGE:start] if self.at_end else whole[start + size : PAGE + inside]
        self._slack.append((rest, self.garbage, what))
        return np.ndarray(shape, dtype, block, start)

    def copy(self, value: Any, what: str) -> np.ndarray:
        """An array that may be read, and nothing else."""
        value = np.asarray(value)
        result = self.array(value.shape, value.dtype, what)
        result[...] = value
        _, whole = self._blocks[-1]
        if len(whole) > 2 * PAGE:
            _protect(whole[PAGE:].ctypes.data, len(whole) - 2 * PAGE, _READ)
        return result

    def empty(self, shape: Any, dtype: Any = float, size: int = 0) -> np.ndarray:
        return self.array(shape, dtype, "a result or the arena")

    def check(self) -> None:
        """Raise where the rest of a page was written to."""
        for rest, garbage, what in self._slack:
            if (rest != garbage).any():
                raise AssertionError(f"written beside {what}")


def _protect(address: int, size: int, how: int) -> None:
    if _libc.mprotect(address, size, how):
        raise OSError(ctypes.get_errno(), "mprotect")


def run(compiled: Compiled, values: Any, at_end: bool, garbage: int) -> list[np.ndarray]:
    """The results of a compiled program with all its memory between guards."""
    guards = Guards(at_end, garbage)
    names = dict(compiled.function.__globals__)
    for name, value in names.items():
        if name.startswith("const") and type(value) is np.ndarray:
            names[name] = guards.copy(value, "a constant")
        elif value is np.empty or getattr(value, "__self__", None) is memory.pool:
            names[name] = guards.empty
    function = types.FunctionType(compiled.function.__code__, names)
    arguments = [guards.copy(v, f"argument {i}") for i, v in enumerate(values)]
    with np.errstate(all="ignore"):
        results = [np.array(r) for r in function(*arguments)]
    guards.check()
    return results


def check(closed: Any, values: Any) -> None:
    """Both placements; results are those of ordinary memory, to the bit.

    That these are the reference's is for other tests, of the same programs.
    """
    compiled = Compiled(closed)
    with np.errstate(all="ignore"):
        wanted = [np.asarray(r) for r in compiled.function(*values)]
    for at_end, garbage in ((True, 0xFF), (False, 0xAB)):
        results = run(compiled, values, at_end, garbage)
        for i, (got, want) in enumerate(zip(results, wanted, strict=True)):
            place = "at the end" if at_end else "at the start"
            if got.dtype != want.dtype or got.shape != want.shape or not _same(got, want):
                raise AssertionError(f"result {i} differs in memory {place} of a page")


def _same(got: Any, want: Any) -> bool:
    if got.dtype.kind in "biu":
        return bool(np.array_equal(got, want))
    return bool(((got == want) | ((got != got) & (want != want))).all())


# --------------------------------------------------------------------------- programs


def registry_cases(wide: bool) -> Any:
    """(name, jaxpr, arguments) of every sample of every primitive."""
    from adlib.interpreters.stage import stage
    from tests.ops.harness import Case
    from tests.ops.test_registry import SAMPLES, samples_of

    for parameter in SAMPLES:
        primitive, sample = parameter.values
        with adlib.enable_x64(wide):
            case = Case(primitive, samples_of(primitive)[sample], wide)
            closed = stage(case, [a.aval for a in case.args])
        yield f"{primitive}-{sample}", closed, [np.asarray(a._value) for a in case.args]


def random_cases(first: int, last: int) -> Any:
    for seed in range(first, last):
        case = random_programs.random_case(random.Random(seed), native=True)
        yield f"random program {seed}", case.closed, case.values


def main(which: str, *numbers: str) -> None:
    faulthandler.enable()
    adlib.config.update("jit_backend", "python")
    cases = (
        registry_cases(which == "wide") if which != "random" else random_cases(*map(int, numbers))
    )
    count = 0
    for name, closed, values in cases:
        print(name, flush=True)
        wide = any(v.aval.dtype.itemsize >= 8 for v in closed.jaxpr.invars)
        with adlib.enable_x64(wide or which == "wide"):
            check(closed, values)
        count += 1
    print(f"{count} programs", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
