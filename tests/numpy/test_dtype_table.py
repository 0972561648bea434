"""Dtypes and weak types of results, over a table recorded from JAX."""

from pathlib import Path

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp

INPUTS = {
    "bool": jnp.array([True]),
    **{
        short: jnp.ones(1, long)
        for short, long in {
            "u8": "uint8", "i8": "int8", "i32": "int32", "u32": "uint32", "f16": "float16",
            "bf16": "bfloat16", "f32": "float32", "c64": "complex64",
        }.items()
    },
    "int": 1, "float": 1.0, "complex": 1j, "True": True,
    "i32*": jnp.asarray(1), "f32*": jnp.asarray(1.0),
}  # fmt: skip

# Cells in which JAX is at odds with its own lattice, or raises where a result exists.
DIFFERENT = {
    ("logaddexp", "bool:complex"), ("logaddexp", "u8:complex"), ("logaddexp", "i32:complex"),
    ("dot", "u8:int"), ("dot", "u8:i32*"), ("dot", "int:i8"),
}  # fmt: skip


def read_table():
    rows, columns, section = [], [], ""
    for line in (Path(__file__).parent / "dtype_table.txt").read_text().splitlines():
        if line.startswith("["):
            section, _, names = line.partition("] ")
            section, columns = section[1:], names.split()
        elif line and not line.startswith("#"):
            name, _, cells = line.partition(": ")
            rows.append((section, name, columns, cells.split()))
    return rows


def code(function, args):
    """``f32``, ``i32*`` (weak), or the class of the error."""
    try:
        result = function(*args)
    except (TypeError, ValueError, NotImplementedError) as error:
        return type(error).__name__
    result = result[0] if isinstance(result, tuple) else result
    name = str(result.aval.str_short()).partition("[")[0]
    return name + "*" * result.weak_type


def where(x, y):
    return jnp.where(True, x, y)


@pytest.mark.parametrize(
    ("section", "name", "columns", "cells"), read_table(), ids=lambda x: x if type(x) is str else ""
)
def test_result_dtype(section, name, columns, cells):
    function = where if name == "where" else getattr(jnp, name)
    wrong = []
    for column, wanted in zip(columns, cells, strict=True):
        if (name, column) in DIFFERENT:
            continue
        args = [INPUTS[n] for n in column.split(":")]
        if section == "reductions":
            args = [jnp.reshape(jnp.asarray(a), (1,)) for a in args]
        found = code(function, args)
        if found != wanted:
            wrong.append(f"{name}({column}): {found}, JAX has {wanted}")
    assert not wrong, "\n".join(wrong)


# With 64-bit types on, only 64-bit integers become 64-bit floats.
X64 = {
    "bool": "f32 f32 f32 f32 f64 f32 f32 i32 i64", "int8": "f32 f32 f32 f32 f64 f32 f32 i8 i64",
    "uint16": "f32 f32 f32 f32 f64 f32 f32 u16 u64", "int32": "f32 f32 f32 f32 f64 f32 f32 i32 i64",
    "uint32": "f32 f32 f32 f32 f64 f32 f32 u32 u64", "int64": "f64 f64 f64 f64 f64 f64 f64 i64 i64",
    "float16": "f16 f16 f16 f16 f16 f16 f16 f16 f16",
    "float64": "f64 f64 f64 f64 f64 f64 f64 f64 f64",
}  # fmt: skip


@pytest.mark.parametrize(("dtype", "cells"), X64.items())
def test_result_dtype_with_64_bits(dtype, cells):
    with adlib.enable_x64(True):
        x = jnp.ones(2, dtype)
        functions = [
            jnp.sin, lambda x: x / x, jnp.mean, jnp.var, jnp.rint, jnp.median,
            lambda x: jnp.linspace(x, x, 2), lambda x: x % x, jnp.sum,
        ]  # fmt: skip
        assert " ".join(code(f, (x,)) for f in functions) == cells


def test_indices_with_64_bits():
    with adlib.enable_x64(True):
        x = jnp.arange(3.0)
        for f in (jnp.argsort, jnp.argmax, lambda x: jnp.nonzero(x)[0]):
            assert f(x).dtype == jnp.int64
        for f in (lambda x: jnp.searchsorted(x, 1.0), lambda x: jnp.digitize(x, x)):
            assert f(x).dtype == jnp.int32


def test_numpy_values_are_strong():
    assert not jnp.add(jnp.arange(3), np.float64(1)).weak_type
    assert jnp.add(jnp.arange(3), 1.0).weak_type
