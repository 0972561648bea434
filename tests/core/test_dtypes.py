"""Dtypes: the promotion table of the field, canonical widths, names and kinds."""

import copy
import pickle

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.base import errors
from adlib.core import dtypes

NAMES = {
    "bool": "bool", "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64",
    "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64", "bf16": "bfloat16",
    "f16": "float16", "f32": "float32", "f64": "float64", "c64": "complex64",
    "c128": "complex128",
}  # fmt: skip
WEAK = {"i*": 2, "f*": 2.0, "c*": 2j}
NARROW = {"u64": "u32", "i64": "i32", "f64": "f32", "c128": "c64"}

# x * y with 64-bit types on, as JAX 0.10.2 gives it; columns are in the order of the rows.
WITH_X64 = """
bool  bool u8   u16  u32  u64  i8   i16  i32  i64  bf16 f16  f32  f64  c64  c128 i*   f*   c*
u8    u8   u8   u16  u32  u64  i16  i16  i32  i64  bf16 f16  f32  f64  c64  c128 u8   f*   c*
u16   u16  u16  u16  u32  u64  i32  i32  i32  i64  bf16 f16  f32  f64  c64  c128 u16  f*   c*
u32   u32  u32  u32  u32  u64  i64  i64  i64  i64  bf16 f16  f32  f64  c64  c128 u32  f*   c*
u64   u64  u64  u64  u64  u64  f*   f*   f*   f*   bf16 f16  f32  f64  c64  c128 u64  f*   c*
i8    i8   i16  i32  i64  f*   i8   i16  i32  i64  bf16 f16  f32  f64  c64  c128 i8   f*   c*
i16   i16  i16  i32  i64  f*   i16  i16  i32  i64  bf16 f16  f32  f64  c64  c128 i16  f*   c*
i32   i32  i32  i32  i64  f*   i32  i32  i32  i64  bf16 f16  f32  f64  c64  c128 i32  f*   c*
i64   i64  i64  i64  i64  f*   i64  i64  i64  i64  bf16 f16  f32  f64  c64  c128 i64  f*   c*
bf16  bf16 bf16 bf16 bf16 bf16 bf16 bf16 bf16 bf16 bf16 f32  f32  f64  c64  c128 bf16 bf16 c64
f16   f16  f16  f16  f16  f16  f16  f16  f16  f16  f32  f16  f32  f64  c64  c128 f16  f16  c64
f32   f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f64  c64  c128 f32  f32  c64
f64   f64  f64  f64  f64  f64  f64  f64  f64  f64  f64  f64  f64  f64  c128 c128 f64  f64  c128
c64   c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c128 c64  c128 c64  c64  c64
c128  c128 c128 c128 c128 c128 c128 c128 c128 c128 c128 c128 c128 c128 c128 c128 c128 c128 c128
i*    i*   u8   u16  u32  u64  i8   i16  i32  i64  bf16 f16  f32  f64  c64  c128 i*   f*   c*
f*    f*   f*   f*   f*   f*   f*   f*   f*   f*   bf16 f16  f32  f64  c64  c128 f*   f*   c*
c*    c*   c*   c*   c*   c*   c*   c*   c*   c*   c64  c64  c64  c128 c64  c128 c*   c*   c*
"""
TABLE = {line.split()[0]: line.split()[1:] for line in WITH_X64.strip().splitlines()}
# Where 64-bit types are off, what would become one is computed in another width than its
# narrowed self only here: the operands are narrowed before they meet.
FIRST_NARROWED = {frozenset(("u64", i)): "i32" for i in ("i8", "i16", "i32", "i64")}


def value(name):
    if not adlib.config.x64_enabled:
        name = NARROW.get(name, name)
    return WEAK[name] if name in WEAK else jnp.ones((), NAMES[name])


def name_of(x):
    short = {long: short for short, long in NAMES.items()}[x.dtype.name]
    return f"{short[0]}*" if x.weak_type else short


@pytest.mark.parametrize("left", TABLE)
def test_promotion_with_x64(left):
    with adlib.enable_x64():
        got = [name_of(jnp.multiply(value(left), value(right))) for right in TABLE]
    assert got == TABLE[left]


@pytest.mark.parametrize("left", TABLE)
def test_promotion_without_x64(left):
    got = [name_of(jnp.multiply(value(left), value(right))) for right in TABLE]
    wanted = []
    for right, wide in zip(TABLE, TABLE[left], strict=True):
        narrow = FIRST_NARROWED.get(frozenset((left, right)), wide)
        wanted.append(NARROW.get(narrow, narrow))
    assert got == wanted


def test_the_table_is_symmetric():
    names = list(TABLE)
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            assert TABLE[a][j] == TABLE[b][i]


@pytest.mark.parametrize("left", TABLE)
def test_traced_values_promote_as_known_ones_do(left):
    with adlib.enable_x64():
        right = list(TABLE)
        got = adlib.jit(lambda x: [jnp.multiply(x, value(r)) for r in right])(value(left))
    assert [name_of(x) for x in got] == TABLE[left]


STRICT = {
    "i32 with f32": ("i32", "f32", None),
    "f32 with f16": ("f32", "f16", None),
    "f32 with i*": ("f32", "i*", "f32"),
    "f16 with f*": ("f16", "f*", "f16"),
    "i8 with i*": ("i8", "i*", "i8"),
    "f32 with f32": ("f32", "f32", "f32"),
}


@pytest.mark.parametrize("name", STRICT)
def test_strict_promotion(name):
    left, right, wanted = STRICT[name]
    with adlib.numpy_dtype_promotion("strict"):
        if wanted is not None:
            assert name_of(jnp.multiply(value(left), value(right))) == wanted
            return
        with pytest.raises(errors.TypePromotionError) as caught:
            jnp.multiply(value(left), value(right))
    message = str(caught.value)
    assert "have no implicit promotion when jax_numpy_dtype_promotion='strict'" in message
    assert NAMES[left] in message and NAMES[right] in message
    assert "test_dtypes.py" in message


def test_small_floats_have_no_implicit_promotion():
    x = jnp.ones(2, jnp.float8_e5m2)
    assert (x * 2.0).dtype == dtypes.float8_e5m2
    with pytest.raises(errors.TypePromotionError, match="neither holds the other's values"):
        x * jnp.ones(2)


CANONICAL = {
    "float64": ("float32", "float64"),
    "int64": ("int32", "int64"),
    "uint64": ("uint32", "uint64"),
    "complex128": ("complex64", "complex128"),
    "float16": ("float16", "float16"),
    "bfloat16": ("bfloat16", "bfloat16"),
    "bool": ("bool", "bool"),
}


@pytest.mark.parametrize("name", CANONICAL)
def test_canonical_widths(name):
    narrow, wide = CANONICAL[name]
    assert dtypes.canonicalize_dtype(name).name == narrow
    with adlib.enable_x64():
        assert dtypes.canonicalize_dtype(name).name == wide


@pytest.mark.parametrize("given", [
    "float32", np.float32, np.dtype("float32"), jnp.float32, jnp.ones(1).dtype,
])  # fmt: skip
def test_ways_to_say_a_dtype(given):
    assert dtypes.as_dtype(given) == np.float32


@pytest.mark.parametrize("given", ["no such", object(), str, "datetime64[s]", object])
def test_what_is_no_dtype(given):
    with pytest.raises(TypeError, match="is not a (numeric )?dtype") as caught:
        dtypes.as_dtype(given)
    assert "test_dtypes.py" in str(caught.value)


# name: kind, tangent type, name in jaxprs
KINDS = {
    "bool": ("b", "float0", "bool"),
    "int8": ("i", "float0", "i8"),
    "uint32": ("u", "float0", "u32"),
    "float16": ("f", "float16", "f16"),
    "bfloat16": ("f", "bfloat16", "bf16"),
    "float8_e4m3fn": ("f", "float8_e4m3fn", "f8_e4m3fn"),
    "float64": ("f", "float64", "f64"),
    "complex64": ("c", "complex64", "c64"),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds(name):
    kind, tangent, short = KINDS[name]
    dtype = dtypes.as_dtype(name)
    assert dtypes.kind(dtype) == kind
    assert dtypes.short_name(dtype) == short
    wanted = dtypes.float0 if tangent == "float0" else dtypes.as_dtype(tangent)
    assert dtypes.tangent_dtype(dtype) == wanted
    assert dtypes.is_float(dtype) == (kind == "f")
    assert dtypes.is_complex(dtype) == (kind == "c")
    assert dtypes.is_inexact(dtype) == (kind in "fc")
    assert dtypes.is_integer(dtype) == (kind in "iu")


def test_parts_of_complex_numbers():
    c64, f64 = np.dtype("complex64"), np.dtype("float64")
    assert dtypes.real_of(c64) == np.float32 and dtypes.real_of(f64) == f64
    assert dtypes.complex_of(f64) == np.complex128 and dtypes.complex_of(c64) == c64
    assert dtypes.complex_of(np.dtype("float32")) == np.complex64


def test_names_of_special_dtypes():
    assert dtypes.short_name(dtypes.float0) == "float0"
    assert dtypes.short_name(dtypes.key_fry) == "key<fry>" == repr(dtypes.key_fry)
    assert dtypes.kind(dtypes.key_fry) == "K" and dtypes.key_fry.itemsize == 8


def test_there_is_one_key_dtype():
    assert pickle.loads(pickle.dumps(dtypes.key_fry)) is dtypes.key_fry
    assert copy.deepcopy(dtypes.key_fry) is dtypes.key_fry
    key = adlib.random.key(3)
    again = pickle.loads(pickle.dumps(key))
    assert again.dtype is key.dtype
    assert adlib.random.bits(again) == adlib.random.bits(key)


def test_keys_do_not_compute():
    with pytest.raises(TypeError, match="cannot be combined in arithmetic"):
        adlib.random.key(0) + 1


@pytest.mark.parametrize("value, found", [
    (True, ("bool", False)), (3, ("int32", True)), (2.0, ("float32", True)),
    (1j, ("complex64", True)), ("a", None), (np.float32(1), None),
])  # fmt: skip
def test_python_scalars(value, found):
    got = dtypes.scalar_type(value)
    assert got == found if found is None else (got[0].name, got[1]) == found
