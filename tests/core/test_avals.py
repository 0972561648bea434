"""Types of arrays: interned, so that equal is identical."""

import copy
import gc
import pickle
import threading

import numpy as np
import pytest

import adlib.numpy as jnp
from adlib.core import dtypes
from adlib.core.avals import (
    ShapedArray,
    UndefinedPrimal,
    Zero,
    _interned,
    is_undefined_primal,
    physical_dtype,
    same_type,
)

f32, i32, c64 = np.dtype("float32"), np.dtype("int32"), np.dtype("complex64")


def test_equal_types_are_one_object():
    a = ShapedArray((2, 3), f32)
    assert ShapedArray((np.int64(2), 3), np.dtype("<f4"), np.False_) is a
    assert all(type(d) is int for d in ShapedArray((np.int64(4),), f32).shape)
    assert a is not ShapedArray((2, 3), f32, True)
    assert a is not ShapedArray((3, 2), f32)
    assert jnp.ones((2, 3)).aval is a
    for again in (pickle.loads(pickle.dumps(a)), copy.copy(a), copy.deepcopy(a)):
        assert again is a


def test_types_that_nobody_uses_are_dropped():
    key = ((123, 457), f32, False)
    aval = ShapedArray(*key)
    assert key in _interned
    del aval
    gc.collect()
    assert key not in _interned


def test_threads_that_make_one_type_at_once_get_one_object():
    for size in range(50):
        made, start = [], threading.Barrier(4)

        def make(size=size, made=made, start=start):
            start.wait()
            made.append(ShapedArray((size, 991), f32))

        threads = [threading.Thread(target=make) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert len({id(a) for a in made}) == 1


def test_what_a_type_says():
    a = ShapedArray((2, 3), f32)
    assert (a.ndim, a.size, a.nbytes) == (2, 6, 24)
    assert (ShapedArray((), f32).size, ShapedArray((0, 3), f32).size) == (1, 0)
    assert a.update(shape=(5,), dtype=i32) is ShapedArray((5,), i32)
    assert a.update(weak_type=True).strip_weak_type() is a
    assert a.strip_weak_type() is a


# type: short form, repr
TEXTS = {
    ShapedArray((), f32): ("f32[]", "ShapedArray(float32[])"),
    ShapedArray((2, 3), i32): ("i32[2,3]", "ShapedArray(int32[2,3])"),
    ShapedArray((), f32, True): ("f32[]", "ShapedArray(float32[], weak_type=True)"),
    ShapedArray((2,), dtypes.bfloat16): ("bf16[2]", "ShapedArray(bfloat16[2])"),
    ShapedArray((2,), dtypes.key_fry): ("key<fry>[2]", "ShapedArray(key<fry>[2])"),
    ShapedArray((1,), dtypes.float0): ("float0[1]", None),
}


@pytest.mark.parametrize("aval", TEXTS, ids=str)
def test_texts(aval):
    short, long = TEXTS[aval]
    assert aval.str_short() == short
    assert long is None or repr(aval) == long


TANGENTS = {
    ShapedArray((2,), f32): ShapedArray((2,), f32),
    ShapedArray((), f32, True): ShapedArray((), f32, True),
    ShapedArray((2,), c64): ShapedArray((2,), c64),
    ShapedArray((2,), i32): ShapedArray((2,), dtypes.float0),
    ShapedArray((), i32, True): ShapedArray((), dtypes.float0),
    ShapedArray((), np.dtype(bool)): ShapedArray((), dtypes.float0),
    ShapedArray((3,), dtypes.key_fry): ShapedArray((3,), dtypes.float0),
    ShapedArray((3,), dtypes.float0): ShapedArray((3,), dtypes.float0),
}


@pytest.mark.parametrize("aval", TANGENTS, ids=str)
def test_types_of_tangents(aval):
    assert aval.to_tangent_aval() is TANGENTS[aval]


def test_same_type_does_not_compare_weakness():
    a = ShapedArray((2,), f32)
    assert same_type(a, a) and same_type(a, ShapedArray((2,), f32, True))
    assert not same_type(a, ShapedArray((3,), f32))
    assert not same_type(a, ShapedArray((2,), i32))


def test_memory_of_keys_is_of_64_bit_words():
    assert physical_dtype(ShapedArray((2,), dtypes.key_fry)) == np.uint64
    assert physical_dtype(ShapedArray((2,), f32)) == f32


def test_markers():
    zero = Zero.like(jnp.arange(3))
    assert zero.aval is ShapedArray((3,), dtypes.float0)
    assert repr(Zero.like(jnp.ones(3))) == "Zero(f32[3])"
    undefined = UndefinedPrimal(ShapedArray((3,), f32))
    assert is_undefined_primal(undefined) and not is_undefined_primal(zero)
    assert repr(undefined) == "UndefinedPrimal(f32[3])"
