"""Small programs whose results in JAX 0.10 are on record: values, dtypes, weak types, structure.

Each file of ``tests/differential`` is a list of programs that end by setting ``out``::

    ### name
    program
    --- its result in JSON

A result is described leaf by leaf: ``["array", dtype, shape, weak_type, elements]``, complex
elements as two numbers; ``["raises", class]`` where the program ends in an exception.
"""

from __future__ import annotations

import functools
import json
import math
import warnings
from collections import OrderedDict, namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax

FILES = sorted((Path(__file__).parent / "differential").glob("*.txt"))


def _programs() -> list[Any]:
    found = []
    for path in FILES:
        for block in path.read_text().split("### ")[1:]:
            name, _, rest = block.partition("\n")
            program, _, expected = rest.rpartition("\n--- ")
            found.append(pytest.param(program, json.loads(expected), id=f"{path.stem}-{name}"))
    return found


def _names() -> dict[str, Any]:
    return {
        "OrderedDict": OrderedDict,
        "__name__": "program",
        "functools": functools,
        "adlib": adlib,
        "grad": adlib.grad,
        "jit": adlib.jit,
        "jnp": jnp,
        "jvp": adlib.jvp,
        "lax": lax,
        "namedtuple": namedtuple,
        "np": np,
        "partial": functools.partial,
        "vjp": adlib.vjp,
        "vmap": adlib.vmap,
    }


def describe(x: Any) -> Any:
    """A result as JSON."""
    if x is None or isinstance(x, (bool, int, str, complex)):
        return repr(x)
    if isinstance(x, float):
        return ["float", x if np.isfinite(x) else str(x)]
    if isinstance(x, np.dtype):
        return str(x)
    if isinstance(x, type):
        return x.__name__
    if isinstance(x, adlib.ShapeDtypeStruct):
        return f"SDS({x.shape},{x.dtype},{x.weak_type})"
    if isinstance(x, (adlib.Array, np.ndarray, np.generic)):
        return _describe_array(x)
    if isinstance(x, dict):
        return {type(x).__name__: {repr(k): describe(v) for k, v in x.items()}}
    if isinstance(x, (tuple, list)):
        return {type(x).__name__: [describe(v) for v in x]}
    if hasattr(x, "__dict__"):
        return {type(x).__name__: {k: describe(v) for k, v in sorted(vars(x).items())}}
    return type(x).__name__


def _describe_array(x: Any) -> list[Any]:
    kind = "array" if isinstance(x, adlib.Array) else "ndarray"
    weak = bool(getattr(x, "weak_type", False))
    if x.dtype == adlib.dtypes.float0:
        return [kind, "float0", list(x.shape), weak, []]
    values = np.asarray(x)
    if values.dtype.kind == "V":  # bfloat16
        values = values.astype(np.float32)
    flat = values.ravel().tolist()
    if values.dtype.kind == "c":
        flat = [part for z in flat for part in (z.real, z.imag)]
    flat = [str(v) if isinstance(v, float) and not math.isfinite(v) else v for v in flat]
    return [kind, str(x.dtype), list(x.shape), weak, flat]


def agree(x: Any, y: Any) -> bool:
    """Whether two descriptions are equal, floating numbers to single precision."""
    if isinstance(x, list) and isinstance(y, list):
        return len(x) == len(y) and all(agree(a, b) for a, b in zip(x, y, strict=True))
    if isinstance(x, dict) and isinstance(y, dict):
        return x.keys() == y.keys() and all(agree(x[k], y[k]) for k in x)
    if type(x) is float or type(y) is float:
        return isinstance(x, (int, float)) and math.isclose(x, y, rel_tol=3e-5, abs_tol=3e-6)
    return bool(x == y)


@pytest.mark.parametrize(("program", "expected"), _programs())
def test_result_is_the_recorded_one(program: str, expected: Any) -> None:
    names = _names()
    code = compile(program, "program", "exec", dont_inherit=True)
    fails = isinstance(expected, list) and expected[0] == "raises"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(code, names)
            result = describe(names["out"])
        except Exception as error:
            if not fails:
                raise
            assert expected[1] in [c.__name__ for c in type(error).__mro__]
            return
        finally:
            adlib.config.update("jax_enable_x64", False)
    assert agree(result, expected), f"\n{program}\ngave {result}\nrecorded {expected}"


def test_there_are_many_programs() -> None:
    assert len(_programs()) >= 200
