"""adlib.dtypes: canonical widths, promotion, scalar types."""

import ml_dtypes
import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import dtypes, errors, random


def test_canonical_dtypes():
    assert dtypes.canonicalize_dtype("float64") == np.float32
    assert dtypes.canonicalize_dtype(int) == np.int32
    with adlib.enable_x64(True):
        assert dtypes.canonicalize_dtype(float) == np.float64
    key = random.key(0).dtype
    assert dtypes.canonicalize_dtype(key, allow_extended_dtype=True) is key
    with pytest.raises(ValueError, match="extended dtype key<fry>.\n.*allow_extended_dtype=True"):
        dtypes.canonicalize_dtype(key)


def test_result_type():
    assert dtypes.result_type(1, 2.0) == np.float32
    assert dtypes.result_type(jnp.ones(2, jnp.int8), 1) == np.int8
    assert dtypes.result_type(1, 2.0, return_weak_type_flag=True) == (np.dtype("float32"), True)
    assert dtypes.result_type(jnp.float16, jnp.bfloat16) == np.float32


def test_scalar_types():
    given = [1, np.float32(1), jnp.ones(2) > 0, jnp.ones(1, jnp.bfloat16), 1j, np.uint8(3)]
    assert [dtypes.scalar_type_of(x) for x in given] == [int, float, bool, float, complex, int]
    with pytest.raises(TypeError, match="text is not a number"):
        dtypes.scalar_type_of("a")


def test_facts_about_dtypes():
    assert dtypes.bfloat16 is ml_dtypes.bfloat16
    assert dtypes.finfo(dtypes.bfloat16).eps == 2**-7 and dtypes.iinfo("int8").max == 127
    assert dtypes.issubdtype(dtypes.bfloat16, np.floating)
    assert dtypes.float0.itemsize == 0
    key = random.key(0).dtype
    assert dtypes.issubdtype(key, dtypes.prng_key) and jnp.issubdtype(key, dtypes.extended)
    assert not dtypes.issubdtype(key, np.integer)
    assert not dtypes.issubdtype(np.uint32, dtypes.prng_key)
    assert issubclass(dtypes.TypePromotionError, ValueError)


def test_errors_are_exceptions():
    assert len(errors.__all__) == 9
    assert all(issubclass(getattr(errors, name), Exception) for name in errors.__all__)
