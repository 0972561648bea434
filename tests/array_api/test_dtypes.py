"""Promotion, conversions and questions about dtypes, as the array API standard has them."""

from __future__ import annotations

import itertools
import operator

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp

SIGNED = ["int8", "int16", "int32", "int64"]
UNSIGNED = ["uint8", "uint16", "uint32", "uint64"]
FLOATS, COMPLEX = ["float32", "float64"], ["complex64", "complex128"]
INTEGERS = SIGNED + UNSIGNED
EVERY = ["bool", *INTEGERS, *FLOATS, *COMPLEX]


def promoted(a: str, b: str) -> str | None:
    """The standard's promotion tables; None where it leaves the answer to libraries."""
    for kind in (["bool"], SIGNED, UNSIGNED, FLOATS, COMPLEX):
        if a in kind and b in kind:
            return max(a, b, key=kind.index)
    if {a, b} <= set(INTEGERS):
        s, u = (a, b) if a in SIGNED else (b, a)
        wide = SIGNED[max(SIGNED.index(s), UNSIGNED.index(u) + 1) :][:1]
        return wide[0] if wide else None  # with uint64 there is none
    if {a, b} <= {*FLOATS, *COMPLEX}:
        f, c = (a, b) if a in FLOATS else (b, a)
        return COMPLEX[max(FLOATS.index(f), COMPLEX.index(c))]
    return None


PAIRS = [(a, b) for a, b in itertools.product(EVERY, EVERY) if promoted(a, b)]
OPERATORS = {
    "+ - * ** //": ("numeric", [operator.add, operator.sub, operator.mul]),
    "/": ("floating", [operator.truediv]),
    "// %": ("real", [operator.floordiv, operator.mod]),
    "**": ("numeric", [operator.pow]),
    "& | ^": ("bool or integer", [operator.and_, operator.or_, operator.xor]),
    "<< >>": ("integer", [operator.lshift, operator.rshift]),
    "@": ("numeric", [operator.matmul]),
    "== !=": ("all", [operator.eq, operator.ne]),
    "< <= > >=": ("real", [operator.lt, operator.le, operator.gt, operator.ge]),
}
KINDS = {
    "all": EVERY,
    "numeric": EVERY[1:],
    "real": INTEGERS + FLOATS,
    "floating": FLOATS + COMPLEX,
    "integer": INTEGERS,
    "bool or integer": ["bool", *INTEGERS],
}


@pytest.fixture(autouse=True)
def wide_types():
    with adlib.enable_x64(True):
        yield


def test_the_tables_have_every_pair():
    # 1 of bools, 64 of integers less 8 of signed ones with uint64, 16 of floats and complex
    assert len(PAIRS) == 1 + 64 - 8 + 16


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_promotion(a, b):
    x, y, wanted = jnp.ones((2, 2), a), jnp.ones((2, 2), b), promoted(a, b)
    assert jnp.result_type(x.dtype, y.dtype) == wanted == jnp.result_type(x, y)
    assert jnp.result_type(x, y.dtype, x) == wanted
    assert jnp.concat([x, y]).dtype == wanted == jnp.where(x == 1, x, y).dtype
    for kinds, functions in OPERATORS.values():
        if {a, b} <= set(KINDS[kinds]):
            comparison = functions[0] in (operator.eq, operator.lt)
            for function in functions:
                assert function(x, y).dtype == ("bool" if comparison else wanted), function
                assert function(y, x).dtype == ("bool" if comparison else wanted), function


SCALARS = {"bool": [True], "int": [2, True], "float": [2.5, 2], "complex": [1j, 2.5, 2]}


@pytest.mark.parametrize("dtype", EVERY)
def test_python_scalars_adopt_the_dtype_of_the_array(dtype):
    kind = next(k for k in ("bool", "int", "float", "complex") if k in dtype)
    x = jnp.ones((2, 3), dtype)
    for value in SCALARS[kind]:
        if kind == "bool":
            assert (x & value).dtype == (value | x).dtype == (x ^ value).dtype == "bool"
            continue
        if value is True:
            continue
        for function in (operator.add, operator.sub, operator.mul, operator.pow):
            assert function(x, value).dtype == dtype == function(value, x).dtype
        assert jnp.where(x == 1, x, value).dtype == dtype
        assert (x == value).dtype == (value != x).dtype == "bool"


@pytest.mark.parametrize(("a", "b"), list(itertools.product(EVERY, EVERY)))
def test_astype_and_can_cast(a, b):
    x = jnp.asarray([0, 1, 3], dtype=a)
    kind = [b == "bool", "int" in b, "float" in b, "complex" in b].index(True)
    source = [a == "bool", "int" in a, "float" in a, "complex" in a].index(True)
    if source < 3 or kind == 3:  # complex numbers become real by .real
        y = jnp.astype(x, getattr(jnp, b))
        assert y.dtype == b
        np.testing.assert_array_equal(y, np.asarray(x).astype(b))
    if promoted(a, b):
        assert jnp.can_cast(x.dtype, jnp.dtype(b)) == (promoted(a, b) == b)


@pytest.mark.parametrize("dtype", EVERY)
def test_isdtype(dtype):
    x = jnp.dtype(dtype)
    wanted = {
        "bool": dtype == "bool",
        "signed integer": dtype in SIGNED,
        "unsigned integer": dtype in UNSIGNED,
        "integral": dtype in INTEGERS,
        "real floating": dtype in FLOATS,
        "complex floating": dtype in COMPLEX,
        "numeric": dtype != "bool",
    }
    assert {kind: jnp.isdtype(x, kind) for kind in wanted} == wanted
    assert jnp.isdtype(x, ("bool", "integral")) == (dtype == "bool" or dtype in INTEGERS)
    assert jnp.isdtype(x, x) and jnp.isdtype(x, (jnp.int8, dtype))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_iinfo(dtype):
    ours, wanted = jnp.iinfo(jnp.dtype(dtype)), np.iinfo(dtype)
    assert (ours.bits, ours.max, ours.min) == (wanted.bits, wanted.max, wanted.min)
    assert ours.dtype == dtype and jnp.iinfo(jnp.ones(1, dtype)).bits == wanted.bits


@pytest.mark.parametrize("dtype", FLOATS + COMPLEX)
def test_finfo(dtype):
    ours, wanted = jnp.finfo(jnp.dtype(dtype)), np.finfo(dtype)
    for name in ("bits", "eps", "max", "min", "smallest_normal", "dtype"):
        assert getattr(ours, name) == getattr(wanted, name), name


def test_default_dtypes_of_python_numbers():
    for value, dtype in ((True, "bool"), (1, "int64"), (1.5, "float64"), (1j, "complex128")):
        assert jnp.asarray(value).dtype == dtype == jnp.full((2,), value).dtype
        assert jnp.asarray([value, value]).dtype == dtype
    assert jnp.arange(3).dtype == jnp.int64 and jnp.arange(3.0).dtype == jnp.float64
    assert jnp.ones(2).dtype == jnp.linspace(0, 1, 3).dtype == jnp.eye(2).dtype == jnp.float64


SUMS = {**dict.fromkeys(SIGNED, "int64"), **dict.fromkeys(UNSIGNED, "uint64")}


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS, *COMPLEX])
def test_sums_of_narrow_integers_are_made_in_the_default_one(dtype):
    x = jnp.ones((2, 3), dtype)
    for name in ("sum", "prod", "cumulative_sum", "cumulative_prod"):
        options = {"axis": 0} if "cumulative" in name else {}
        function = getattr(jnp, name)
        assert function(x, **options).dtype == SUMS.get(dtype, dtype), name
        assert function(x, dtype=jnp.complex128, **options).dtype == "complex128"
    square = jnp.ones((2, 2), dtype)
    assert jnp.linalg.trace(square).dtype == SUMS.get(dtype, dtype) == jnp.trace(square).dtype
    assert jnp.linalg.trace(square, dtype=jnp.complex128).dtype == "complex128"
    if dtype in FLOATS + COMPLEX:
        for name in ("mean", "std", "var", "max", "min"):
            if dtype in COMPLEX and name in ("max", "min"):
                continue
            real = dtype if name == "mean" or dtype in FLOATS else FLOATS[COMPLEX.index(dtype)]
            assert getattr(jnp, name)(x).dtype == real, name


def test_indices_have_the_default_integer_dtype():
    x = jnp.asarray([[3.0, 1.0], [2.0, 2.0]])
    for result in (
        jnp.argmax(x), jnp.argmin(x, axis=1), jnp.argsort(x), jnp.nonzero(x)[0],
        jnp.searchsorted(x[:, 0], x), jnp.count_nonzero(x), jnp.unique_counts(x).counts,
        jnp.unique_inverse(x).inverse_indices, jnp.unique_all(x).indices,
    ):  # fmt: skip
        assert jnp.isdtype(result.dtype, "signed integer"), result
