"""Array: immutable values, their conversions to Python and other libraries, and their texts."""

import copy
import gc
import math
import pickle
import weakref

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import Array, random
from adlib.core import array as module
from adlib.core.array import ArrayImpl, as_value, from_numpy, scalar
from adlib.core.avals import ShapedArray

f32 = np.dtype("float32")

# The printed forms of JAX 0.10.2.
REPRS = {
    "bool": (lambda: jnp.asarray(True), "Array(True, dtype=bool)"),
    "weak int": (lambda: jnp.asarray(3), "Array(3, dtype=int32, weak_type=True)"),
    "weak float": (lambda: jnp.asarray(1.0), "Array(1., dtype=float32, weak_type=True)"),
    "scalar": (lambda: jnp.float32(2.5), "Array(2.5, dtype=float32)"),
    "uint8": (lambda: jnp.uint8(3), "Array(3, dtype=uint8)"),
    "complex": (lambda: jnp.complex64(1 - 2j), "Array(1.-2.j, dtype=complex64)"),
    "bools": (lambda: jnp.array([True, False]), "Array([ True, False], dtype=bool)"),
    "matrix": (lambda: jnp.array([[1, 2], [3, 4]]),
               "Array([[1, 2],\n       [3, 4]], dtype=int32)"),
    "rank 3": (lambda: jnp.ones((2, 2, 2)),
               "Array([[[1., 1.],\n        [1., 1.]],\n\n       [[1., 1.],\n        [1., 1.]]], "
               "dtype=float32)"),
    "small": (lambda: jnp.array([1e-10, 1.0]), "Array([1.e-10, 1.e+00], dtype=float32)"),
    "nan": (lambda: jnp.array([jnp.nan, jnp.inf]), "Array([nan, inf], dtype=float32)"),
    "empty": (lambda: jnp.zeros((0,)), "Array([], shape=(0,), dtype=float32)"),
    "empty rank 3": (lambda: jnp.zeros((2, 0, 3), jnp.int32),
                     "Array([], shape=(2, 0, 3), dtype=int32)"),
    "empty bfloat16": (lambda: jnp.zeros((0,), jnp.bfloat16),
                       "Array([], shape=(0,), dtype=bfloat16)"),
    "bfloat16": (lambda: jnp.ones(2, jnp.bfloat16), "Array([1., 1.], dtype=bfloat16)"),
    "bfloat16 scalar": (lambda: jnp.bfloat16(1.5), "Array(1.5, dtype=bfloat16)"),
    "float8": (lambda: jnp.array([1.5, 2], jnp.float8_e5m2),
               "Array([1.5, 2], dtype=float8_e5m2)"),
    "float16": (lambda: jnp.ones(3, jnp.float16), "Array([1., 1., 1.], dtype=float16)"),
    "long": (lambda: jnp.arange(2000),
             "Array([   0,    1,    2, ..., 1997, 1998, 1999], dtype=int32)"),
    "key": (lambda: random.key(0), "Array((), dtype=key<fry>) overlaying:\n[0 0]"),
    "keys": (lambda: random.split(random.key(0)),
             "Array((2,), dtype=key<fry>) overlaying:\n[[1797259609 2579123966]\n"
             " [ 928981903 3453687069]]"),
}  # fmt: skip


@pytest.mark.parametrize("name", REPRS)
def test_repr(name):
    make, text = REPRS[name]
    assert repr(make()) == text


STRS = {
    "matrix": (lambda: jnp.array([[0.0, 1.0]]), "[[0. 1.]]"),
    "scalar": (lambda: jnp.float32(2.0), "2.0"),
    "bfloat16": (lambda: jnp.bfloat16(1.5), "1.5"),
    "empty": (lambda: jnp.zeros((0, 2)), "[]"),
    "key": (lambda: random.key(0), "Array((), dtype=key<fry>) overlaying:\n[0 0]"),
}


@pytest.mark.parametrize("name", STRS)
def test_str(name):
    make, text = STRS[name]
    assert str(make()) == f"{make()}" == text


@pytest.mark.parametrize("value, spec, text", [
    (1.5, ".3f", "1.500"), (3, "03d", "003"), (1.5, "", "1.5"), (0.25, "%", "25.000000%"),
    (1 + 2j, ".1f", "1.0+2.0j"), (True, "", "True"),
])  # fmt: skip
def test_format(value, spec, text):
    assert format(jnp.asarray(value), spec) == text


# ------------------------------------------------------------------- the type


def test_attributes():
    x = jnp.zeros((2, 3), jnp.int16)
    assert (x.shape, x.dtype, x.ndim, x.size) == ((2, 3), np.int16, 2, 6)
    assert (x.itemsize, x.nbytes, x.weak_type, len(x)) == (2, 12, False, 2)
    assert x.is_ready() and not x.is_deleted() and x.is_fully_addressable
    assert x.block_until_ready() is x and x.copy_to_host_async() is None


def test_tracers_are_arrays():
    seen = []

    def f(x):
        seen.append(isinstance(x, Array) and isinstance(x, adlib.Array))
        assert not isinstance(x, (np.ndarray, float))
        return x * 2.0

    x = jnp.ones(2)
    adlib.jit(f)(x)
    adlib.vmap(f)(x)
    adlib.jvp(f, (x,), (x,))
    adlib.vjp(f, x)
    for _ in range(3):
        adlib.linearize(f, x)
    assert seen == [True] * 7
    assert isinstance(x, Array) and not isinstance(np.ones(2), Array)


def immutable(x):
    x[0] = 1.0


def deleting(x):
    del x[0]


MISTAKES = {
    "assignment": (lambda: immutable(jnp.ones(2)), TypeError,
                   ["immutable", "x[0] = value", "f32[2]", "x = x.at[idx].set(value)"]),
    "deletion": (lambda: deleting(jnp.ones(2)), (AttributeError, TypeError), ["del"]),
    "new attribute": (lambda: setattr(jnp.ones(2), "name", 1), AttributeError, ["name"]),
    "shape": (lambda: setattr(jnp.ones(2), "shape", (1, 2)), AttributeError, ["shape"]),
    "hash": (lambda: hash(jnp.float32(1.0)), TypeError,
             ["unhashable type: Array of type f32[]", "x.item()"]),
    "len": (lambda: len(jnp.float32(1)), TypeError, ["len() of an array of rank 0"]),
    "iter": (lambda: iter(jnp.float32(1)), TypeError, ["iteration over an array of rank 0"]),
    "bool": (lambda: bool(jnp.ones(2)), ValueError, ["shape (2,) is ambiguous", "jnp.any(x)"]),
    "bool of nothing": (lambda: bool(jnp.ones(0)), ValueError, ["ambiguous"]),
    "float": (lambda: float(jnp.ones(1)), TypeError,
              ["Only scalar arrays", "float() was given an array of shape (1,)", "x.item()"]),
    "int": (lambda: int(jnp.ones((1, 1))), TypeError, ["int() was given", "(1, 1)"]),
    "float of complex": (lambda: float(jnp.complex64(1)), TypeError,
                         ["drop the imaginary part", "c64[]", "float(x.real)"]),
    "index by a float": (lambda: range(5)[jnp.float32(1)], TypeError,
                         ["Only integer scalar arrays", "f32[]"]),
    "index by a vector": (lambda: range(5)[jnp.array([1])], TypeError, ["i32[1]"]),
    "NumPy array of a key": (lambda: np.asarray(random.key(0)), TypeError,
                             ["dtype key<fry> has no numbers", "key_data(key)"]),
    "no copy of another dtype": (lambda: np.array(jnp.ones(2), np.float64, copy=False),
                                 ValueError, ["f32[2] cannot become float64 without a copy"]),
    "list": (lambda: as_value([1.0], "f", 2), TypeError,
             ["f requires ndarray or scalar arguments, got <class 'list'> at position 2",
              "jnp.array(...)", "test_array.py"]),
    "string": (lambda: as_value("a"), TypeError, ["adlib computes with", "make the argument"]),
    "object": (lambda: as_value(object()), TypeError, ["pass a number"]),
    "too large": (lambda: as_value(2**40), OverflowError,
                  ["Python int 1099511627776 too large to convert to int32", "enable 64-bit"]),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name):
    mistake, error, pieces = MISTAKES[name]
    with pytest.raises(error) as caught:
        mistake()
    for piece in pieces:
        assert piece in str(caught.value)


def test_augmented_assignment_makes_a_new_array():
    x = y = jnp.ones(2)
    y += 1
    assert x.tolist() == [1, 1] and y.tolist() == [2, 2]


# ------------------------------------------------------------ Python's protocols


def test_conversion_to_python():
    assert bool(jnp.ones((1, 1))) is True and not jnp.float32(0)
    assert (float(jnp.float32(2.5)), int(jnp.float32(2.7)), complex(jnp.float32(1))) == (2.5, 2, 1)
    assert "abc"[jnp.uint8(1)] == "b" and list(range(jnp.int32(3))) == [0, 1, 2]
    assert jnp.ones((1, 1)).item() == 1.0 and jnp.arange(4).item(2) == 2
    assert type(jnp.float32(1).item()) is float and type(jnp.int8(1).item()) is int
    assert jnp.arange(4).reshape(2, 2).tolist() == [[0, 1], [2, 3]]
    assert jnp.arange(2).tobytes() == np.arange(2, dtype=np.int32).tobytes()
    assert math.sqrt(jnp.float32(4)) == 2.0 and round(float(jnp.float32(2.4))) == 2


@pytest.mark.parametrize("dtype", ["float32", "int8", "bool", "complex64", "bfloat16"])
def test_iteration(dtype):
    rows = list(jnp.ones((2, 3), dtype))
    assert len(rows) == 2 and all(r.aval is jnp.ones(3, dtype).aval for r in rows)
    (number,) = jnp.ones(1, dtype)
    assert type(number) is ArrayImpl and number.aval is jnp.ones((), dtype).aval
    assert isinstance(number._value, np.ndarray)
    a, b = jnp.arange(2)
    assert (int(a), int(b)) == (0, 1)


@pytest.mark.parametrize("name", REPRS)
def test_pickle_and_copy(name):
    x = REPRS[name][0]()
    again = pickle.loads(pickle.dumps(x))
    assert again.aval is x.aval and repr(again) == repr(x)
    assert copy.copy(x) is x and copy.deepcopy([x])[0] is x


def test_arrays_can_be_weakly_referenced():
    x = jnp.ones(2)
    ref = weakref.ref(x)
    assert ref() is x
    del x
    gc.collect()
    assert ref() is None


# --------------------------------------------------------- NumPy and others


def test_numpy_sees_the_memory_and_cannot_write_to_it():
    x = jnp.arange(3.0)
    view = np.asarray(x)
    assert view.ctypes.data == x.unsafe_buffer_pointer()
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1.0
    assert np.array(x, copy=False).ctypes.data == view.ctypes.data
    mine = np.array(x)
    mine[0] = 5.0
    assert x.tolist() == [0.0, 1.0, 2.0]
    assert np.asarray(x, np.float64).dtype == np.float64
    assert np.asarray(jnp.ones(2, jnp.bfloat16)).dtype == jnp.bfloat16


def test_arrays_made_of_numpy_do_not_share_its_memory():
    a = np.zeros(3, np.float32)
    x, y = jnp.asarray(a), jnp.array(a)
    a[0] = 1.0
    assert x.tolist() == y.tolist() == [0.0, 0.0, 0.0]


def test_numpy_functions_take_arrays_and_operators_stay_with_us():
    x = jnp.arange(3.0)
    assert isinstance(np.sin(x), np.ndarray) and np.linalg.norm(x) == pytest.approx(5**0.5)
    for result in (np.ones(3, np.float32) + x, np.float32(1) * x, np.ones(3) - x):
        assert isinstance(result, Array)


def test_dlpack_both_ways():
    a = np.arange(3, dtype=np.float32)
    x = jnp.from_dlpack(a)
    assert x.tolist() == [0, 1, 2]
    back = np.from_dlpack(jnp.arange(3.0))
    assert back.tolist() == [0, 1, 2]
    assert jnp.ones(1).__dlpack_device__() == np.ones(1).__dlpack_device__()


def test_dlpack_does_not_copy_what_is_writable_memory_of_ours():
    x = jnp.arange(3.0) + 1
    assert np.from_dlpack(x).ctypes.data == x.unsafe_buffer_pointer()


def test_no_cuda_interface_on_the_cpu():
    assert not hasattr(jnp.ones(2), "__cuda_array_interface__")


def test_foreign_objects_may_say_which_array_they_are():
    class Wrapper:
        def __jax_array__(self):
            return jnp.ones(2)

    assert jnp.sin(Wrapper()).shape == (2,)


# -------------------------------------------------------------- making arrays


def test_values_of_python_and_numpy():
    assert as_value(2.0).aval is ShapedArray((), f32, True)
    assert as_value(True).aval is ShapedArray((), np.dtype(bool))
    assert as_value(np.float64(2)).aval is ShapedArray((), f32)
    assert as_value(np.ones(2)).aval is ShapedArray((2,), f32)
    x = jnp.ones(2)
    assert as_value(x) is x
    with adlib.enable_x64():
        assert as_value(2**40).dtype == np.int64


def test_big_endian_memory_is_turned_round():
    x = from_numpy(np.arange(3, dtype=">f4"))
    assert x.aval is ShapedArray((3,), f32) and x._value.dtype.isnative
    assert x.tolist() == [0, 1, 2]


def test_shared_constants():
    assert scalar(2.0, f32) is scalar(2.0, f32)
    assert scalar(2, f32) is not scalar(2.0, f32)
    assert scalar(True, f32)._value == 1.0
    assert math.copysign(1, float(scalar(-0.0, f32))) == -1
    assert math.copysign(1, float(scalar(0.0, f32))) == 1
    assert np.isnan(float(scalar(math.nan, f32)))
    assert float(scalar(1e300, f32)) == math.inf


@pytest.mark.parametrize("first, second", [
    (complex(1, 0.0), complex(1, -0.0)), (complex(0.0, 1), complex(-0.0, 1)),
    (0.0, -0.0), (0j, complex(-0.0, -0.0)),
])  # fmt: skip
def test_constants_that_differ_in_the_sign_of_a_zero(first, second):
    dtype = np.dtype("complex64" if isinstance(first, complex) else "float32")
    for value in (first, second, first):
        made = complex(scalar(value, dtype))
        assert str(made) == str(complex(value))


def test_the_table_of_constants_is_bounded():
    for i in range(10_000):
        scalar(float(i) + 0.5, f32)
    assert len(module._scalars) <= 4097
