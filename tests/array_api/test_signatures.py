"""Every name of the Python array API standard, called as the standard spells its parameters."""

from __future__ import annotations

import functools
import inspect
from pathlib import Path

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp

LINES = (Path(__file__).parent / "signatures.txt").read_text().splitlines()
FUNCTIONS = [line for line in LINES if line and line[0] not in "#["]

# Defaults that are spelled otherwise and mean the same.
SAME_MEANING = {
    ("arange", "step"): (None, "without a step, numbers are one apart"),
    ("astype", "copy"): (False, "immutable arrays cannot tell a copy from the array"),
    ("std", "correction"): (None, "None is ddof=0, NumPy's name of it"),
    ("var", "correction"): (None, "None is ddof=0, NumPy's name of it"),
    ("norm",): (None, "NumPy's None is 'backward'"),
}
CONSTANTS = {"e": np.e, "inf": np.inf, "nan": np.nan, "newaxis": None, "pi": np.pi}
DTYPES = """bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64
complex128""".split()
METHODS = """__abs__ __add__ __and__ __array_namespace__ __bool__ __complex__ __dlpack__
__dlpack_device__ __eq__ __float__ __floordiv__ __ge__ __getitem__ __gt__ __index__ __int__
__invert__ __le__ __lshift__ __lt__ __matmul__ __mod__ __mul__ __ne__ __neg__ __or__ __pos__
__pow__ __rshift__ __setitem__ __sub__ __truediv__ __xor__ __radd__ __rand__ __rfloordiv__
__rlshift__ __rmatmul__ __rmod__ __rmul__ __ror__ __rpow__ __rrshift__ __rsub__ __rtruediv__
__rxor__ to_device""".split()
ATTRIBUTES = ["dtype", "device", "mT", "ndim", "shape", "size", "T"]


def standard(line):
    scope = {}
    name, _, parameters = line.partition("(")
    exec(f"def f({parameters}: pass", {"__builtins__": {}}, scope)
    return name, inspect.signature(scope["f"])


@pytest.mark.parametrize("line", FUNCTIONS)
def test_parameters(line):
    name, wanted = standard(line)
    ours = inspect.signature(functools.reduce(getattr, name.split("."), jnp))
    parameters = list(wanted.parameters.values())
    fixed = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL)]
    either = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    named = {p.name: None for p in parameters if p.kind is p.KEYWORD_ONLY}
    ours.bind(*fixed, *either, **named)
    ours.bind(*fixed, **{p.name: None for p in either}, **named)
    ours.bind(*[p for p in fixed + either if p.default is p.empty])
    for p in parameters:
        if p.default is not p.empty and p.name in ours.parameters:
            default = ours.parameters[p.name].default
            allowed = SAME_MEANING.get((name, p.name)) or SAME_MEANING.get((p.name,))
            assert default == p.default or (allowed and default == allowed[0]), (name, p, default)


def test_the_whole_standard_is_asked_for():
    assert len(FUNCTIONS) == len(set(FUNCTIONS)) == 171


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants(name):
    value = getattr(jnp, name)
    assert value is None if name == "newaxis" else type(value) is float
    np.testing.assert_equal(value, CONSTANTS[name])


@pytest.mark.parametrize("name", DTYPES)
def test_dtypes_are_there_and_equal_themselves(name):
    dtype = getattr(jnp, name)
    assert dtype == dtype and dtype == np.dtype(name)
    with adlib.enable_x64(True):
        assert jnp.zeros(3, dtype=dtype).dtype == dtype
        assert jnp.empty((2, 0), dtype=dtype).dtype == dtype


def test_array_object():
    x = jnp.ones((2, 3))
    assert [n for n in METHODS + ATTRIBUTES if not hasattr(x, n)] == []
    assert (x.ndim, x.shape, x.size, x.T.shape, x.mT.shape) == (2, (2, 3), 6, (3, 2), (3, 2))
    assert type(x.shape) is tuple and x.dtype == jnp.float32
    assert jnp.ones((2, 3, 4)).mT.shape == (2, 4, 3)
    assert x.device == adlib.devices()[0] and x.to_device(x.device).device == x.device
    with pytest.raises(ValueError, match="at least two|ndim|dimension"):
        jnp.ones(3).mT  # noqa: B018


@pytest.mark.parametrize("version", [None, "2021.12", "2022.12", "2023.12", "2024.12"])
def test_namespace(version):
    assert jnp.ones(1).__array_namespace__(api_version=version) is jnp
    assert jnp.__array_api_version__ == "2024.12"


def test_unknown_version():
    with pytest.raises(ValueError, match=r"'2019.12' is not available; available .*'2024.12'"):
        jnp.ones(1).__array_namespace__(api_version="2019.12")


def test_inspection():
    info = jnp.__array_namespace_info__()
    assert info.capabilities() == {
        "boolean indexing": False,
        "data-dependent shapes": False,
        "max dimensions": 64,
    }
    assert info.default_device() is None and info.devices() == [None, *adlib.devices()]
    names = {"real floating": "float32", "complex floating": "complex64"}
    wanted = {**names, "integral": "int32", "indexing": "int32"}
    assert info.default_dtypes() == wanted == info.default_dtypes(device=adlib.devices()[0])
    narrow = [n for n in DTYPES if n not in ("int64", "uint64", "float64", "complex128")]
    assert set(info.dtypes()) == set(narrow)
    with adlib.enable_x64(True):
        assert info.dtypes() == {n: np.dtype(n) for n in DTYPES}
        assert info.default_dtypes()["indexing"] == np.int64
        assert set(info.dtypes(kind="integral")) == {n for n in DTYPES if "int" in n}
        assert set(info.dtypes(kind=("bool", "real floating"))) == {"bool", "float32", "float64"}
        assert set(info.dtypes(kind="numeric")) == set(DTYPES) - {"bool"}
    with pytest.raises(KeyError):
        info.dtypes(kind="integers")


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint32", "float32", "complex64"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3)])
def test_dlpack(dtype, shape):
    x = jnp.ones(shape, dtype=dtype)
    assert tuple(int(n) for n in x.__dlpack_device__()) == (1, 0)
    for other in (np.from_dlpack(x), jnp.from_dlpack(x), jnp.from_dlpack(np.ones(shape, dtype))):
        assert other.shape == shape and other.dtype == dtype
        np.testing.assert_array_equal(other, x)
    assert jnp.from_dlpack(x, device=adlib.devices()[0], copy=True).dtype == dtype


def test_in_place_assignment_is_the_one_method_that_refuses():
    x = jnp.ones(3)
    with pytest.raises(TypeError, match=r"(?s)immutable: x\[0\] = value .* x.at\[idx\].set"):
        x[0] = 2.0
    y = x
    y += 1  # makes a new array, as operators on immutable values do
    assert y.tolist() == [2, 2, 2] and x.tolist() == [1, 1, 1]
