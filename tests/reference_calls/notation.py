"""The notation of the records: what the names in calls mean, and how results are written.

A call is an expression over the public names of one module (``numpy`` for ``adlib.numpy``) and
these arrays, which hold small numbers of all signs:

    f4 f4m f4q f4t f4s f4e    of shapes (3,), (2, 3), (3, 3), (2, 3, 4), (), (0,);
                              the same for b1 u1 i1 i4 u4 f2 bf c8
    wf wfm wfq wft, wi...     weakly typed ones, of floats and integers

A result is written as ``f32[2,3]``, with ``*`` where it is weakly typed; tuples and lists in
brackets; Python values by their type; an exception as ``!`` and its first built-in class. Only
NumPy is needed here, so that the tool and the test can share it.
"""

from __future__ import annotations

import builtins
import json
import math
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

FOLDER = Path(__file__).parent

DTYPES = {
    "b1": np.bool_, "u1": np.uint8, "i1": np.int8, "i4": np.int32, "u4": np.uint32,
    "f2": np.float16, "bf": ml_dtypes.bfloat16, "f4": np.float32, "c8": np.complex64,
}  # fmt: skip
SHAPES = {"": (3,), "m": (2, 3), "q": (3, 3), "t": (2, 3, 4), "s": (), "e": (0,)}
SHORT = {
    "bool": "b1", "uint8": "u8", "uint16": "u16", "uint32": "u32", "uint64": "u64", "int8": "i8",
    "int16": "i16", "int32": "i32", "int64": "i64", "float16": "f16", "bfloat16": "bf16",
    "float32": "f32", "float64": "f64", "complex64": "c64", "complex128": "c128",
}  # fmt: skip


def _numbers(short: str, shape: tuple[int, ...]) -> Any:
    count = np.arange(math.prod(shape))
    if short == "b1":
        numbers = count % 2 == 0
    elif short.startswith("u"):
        numbers = count * 3 % 7
    elif short.startswith("i"):
        numbers = count * 4 % 7 - 2
    else:
        numbers = (count * 5 % 11 - 3) * 0.75
    if short == "c8":
        numbers = numbers + 1j * (count % 3)
    return numbers.reshape(shape).astype(DTYPES[short])


def names_of(jnp: Any) -> dict[str, Any]:
    """The arrays, made by ``jnp.asarray`` of one library or the other."""
    found: dict[str, Any] = {"np": np, "inf": math.inf, "nan": math.nan}
    for short in DTYPES:
        for suffix, shape in SHAPES.items():
            found[short + suffix] = jnp.asarray(_numbers(short, shape))
    for suffix, shape in SHAPES.items():
        found["wf" + suffix] = jnp.full(shape, 1.5)
        found["wi" + suffix] = jnp.full(shape, 2)
    return found


def written(value: Any, array_type: type) -> str:
    """A result in the notation."""
    if isinstance(value, array_type):
        dtype = str(value.dtype)  # type: ignore[attr-defined]
        sizes = ",".join(map(str, value.shape))  # type: ignore[attr-defined]
        return f"{SHORT.get(dtype, dtype)}[{sizes}]{'*' * bool(value.weak_type)}"  # type: ignore[attr-defined]
    if isinstance(value, tuple | list):
        parts = " ".join(written(v, array_type) for v in value)
        return f"({parts})" if isinstance(value, tuple) else f"[{parts}]"
    if isinstance(value, np.dtype):
        return f"dtype {value}"
    if isinstance(value, bool | int | str | type(None)):
        return repr(value)
    return type(value).__name__


def raised(error: BaseException) -> str:
    """An exception in the notation: the first of its classes that is Python's own."""
    name = next(c.__name__ for c in type(error).__mro__ if getattr(builtins, c.__name__, 0) is c)
    return f"!{name}"


def matches(recorded: str, error: BaseException) -> bool:
    """Whether an exception is of the recorded class."""
    return recorded[:1] == "!" and isinstance(error, getattr(builtins, recorded[1:]))


def evaluate(call: str, names: dict[str, Any], array_type: type) -> tuple[str, Any]:
    """What a call gives, in the notation, and the exception where it raises one."""
    try:
        return written(eval(call, {"__builtins__": builtins}, names), array_type), None
    except Exception as error:
        return raised(error), error


def disagreements(
    path: Path, names: dict[str, Any], array_type: type
) -> list[tuple[str, str, str, Any]]:
    """Calls of a file that give what it does not say: call, given, wanted, exception."""
    calls, different = load(path)
    found = []
    for call, recorded in calls.items():
        wanted = different.get(call, recorded)
        given, error = evaluate(call, names, array_type)
        if given != wanted and not (error is not None and matches(wanted, error)):
            found.append((call, given, wanted, error))
    return found


def load(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The calls of a file with their results in JAX, and those that are meant to differ."""
    stored = json.loads(path.read_text())
    calls = {c: result for result, some in stored["calls"].items() for c in some}
    different = {c: r for some in stored["different"].values() for c, r in some.items()}
    return calls, different
