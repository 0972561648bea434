"""Operators and methods of Array."""

import operator

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp

X = jnp.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
I = jnp.array([5, -3, 2])  # noqa: E741
B = jnp.array([True, False, True])

ARITHMETIC = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.pow, operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge,
    divmod,
]  # fmt: skip


def same(found, wanted):
    for f, w in zip(*[v if isinstance(v, tuple) else (v,) for v in (found, wanted)], strict=True):
        np.testing.assert_allclose(np.asarray(f), w, rtol=2e-6)


@pytest.mark.parametrize("op", ARITHMETIC, ids=lambda op: op.__name__)
def test_arithmetic_operators(op):
    n = np.asarray(X)
    for other in (2, 2.5, X[0], X + 0.5, np.float32(2), n + 1):
        same(op(X, other), op(n, np.asarray(other)))
        same(op(other, X), op(np.asarray(other), n))
    same(op(I, 2), op(np.asarray(I), 2))
    if op is not operator.pow:
        same(op(7, I), op(7, np.asarray(I)))


@pytest.mark.parametrize(
    "op", [operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift]
)
def test_bit_operators(op):
    n = abs(np.asarray(I))
    same(op(jnp.array(n), 2), op(n, 2))
    same(op(2, jnp.array(n)), op(2, n))
    same(op(jnp.array(n), jnp.array(n)), op(n, n))
    if op not in (operator.lshift, operator.rshift):
        same(op(B, True), op(np.asarray(B), True))


def test_unary_operators():
    same(-X, -np.asarray(X))
    same(+X, np.asarray(X))
    same(abs(I), abs(np.asarray(I)))
    same(~I, ~np.asarray(I))
    same(~B, ~np.asarray(B))
    same(round(X / 3, 1), np.round(np.asarray(X) / 3, 1))
    assert round(X).dtype == jnp.int32 and round(I) is I


def test_matrix_product():
    n = np.asarray(X)
    same(X @ X.T, n @ n.T)
    same(n @ X.T, n @ n.T)
    same(X @ np.ones(3, np.float32), n.sum(1))


@pytest.mark.parametrize("op", [operator.add, operator.mul, operator.matmul, operator.and_])
@pytest.mark.parametrize("other", [[1, 2, 3], (1, 2, 3), "a", None, {}])
def test_operators_do_not_take_other_objects(op, other):
    for left, right in ((I, other), (other, I), (jnp.array(2), other)):
        with pytest.raises(TypeError, match="unsupported operand type|can only concatenate"):
            op(left, right)


def test_comparison_with_other_objects():
    assert (I == "a") is False and (I != None) is True  # noqa: E711
    with pytest.raises(TypeError, match="unsupported operand type.s. for ==: 'Array' and 'list'"):
        I == [1, 2, 3]  # noqa: B015
    with pytest.raises(TypeError, match="not supported between"):
        I < None  # noqa: B015


def test_arrays_do_not_change():
    x = jnp.arange(3)
    with pytest.raises(TypeError, match="adlib arrays are immutable"):
        x[0] = 1
    y = x
    y += 1
    assert x.tolist() == [0, 1, 2] and y.tolist() == [1, 2, 3]
    with pytest.raises(TypeError, match="unhashable type"):
        hash(x)


REDUCING = "sum prod max min mean std var any all argmax argmin ptp cumsum cumprod".split()


@pytest.mark.parametrize("name", REDUCING)
def test_reducing_methods(name):
    numpys = np.ptp if name == "ptp" else lambda n, *a: getattr(n, name)(*a)
    same(getattr(X, name)(), numpys(np.asarray(X)))
    same(getattr(X, name)(0), numpys(np.asarray(X), 0))


METHODS = {
    "reshape": [(3, 2), ((3, -1),), (-1,)], "transpose": [(), (1, 0), ((1, 0),)], "ravel": [()],
    "flatten": [()], "squeeze": [()], "swapaxes": [(0, 1)], "repeat": [(2,), (2, 1)],
    "dot": [(np.ones(3, np.float32),)], "clip": [(2, 4)], "round": [()], "trace": [()],
    "diagonal": [()], "sort": [(), (0,)], "argsort": [()], "take": [(np.array([0, 4]),)],
    "compress": [(np.array([True, False]), 0)], "nonzero": [()], "conj": [()], "conjugate": [()],
    "astype": [(int,)], "copy": [()], "tolist": [()], "item": [(0,)], "searchsorted": [],
}  # fmt: skip


@pytest.mark.parametrize(("name", "calls"), METHODS.items())
def test_methods(name, calls):
    for args in calls:
        if name == "sort":  # NumPy's sorts in place
            same(X.sort(*args), np.sort(np.asarray(X), *args))
        else:
            same(getattr(X, name)(*args), getattr(np.asarray(X), name)(*args))


def test_attributes():
    z = X + 2j * X
    same(X.T, np.asarray(X).T)
    same(jnp.ones((2, 3, 4)).mT, np.ones((2, 4, 3)))
    same((z.real, z.imag), (np.asarray(X), 2 * np.asarray(X)))
    assert (X.ndim, X.size, X.itemsize, X.nbytes, len(X)) == (2, 6, 4, 24, 2)
    assert X.__array_namespace__() is jnp
    assert repr(X.device) == "CpuDevice(id=0)" and X.devices() == {X.device}
    assert isinstance(X, jnp.ndarray) and isinstance(X, adlib.Array)
    with pytest.raises(NotImplementedError, match="consider arr.flatten"):
        _ = X.flat


def test_view_reads_bits_as_another_dtype():
    for old, new in [
        ("float32", "int32"), ("float32", "uint8"), ("int16", "float32"), ("complex64", "float32"),
        ("float32", "complex64"), ("int8", "uint8"),
    ]:  # fmt: skip
        n = np.arange(8).astype(old).reshape(2, 4)
        same(jnp.array(n).view(new), n.view(new))
    same(B.view("int8"), np.asarray(B).view("int8"))
    with pytest.raises(TypeError, match="does not make booleans"):
        B.astype("int8").view(bool)
    with pytest.raises(ValueError, match="must be a divisor"):
        jnp.zeros(3, "int8").view("int32")


def test_conversions():
    assert float(jnp.array(2.5)) == 2.5 and int(jnp.array(3)) == 3 and bool(jnp.array(1))
    assert [1, 2, 3][jnp.array(1)] == 2 and f"{jnp.array(0.5):.2f}" == "0.50"
    assert [int(i) for i in I] == I.tolist()
    with pytest.raises(ValueError, match="ambiguous"):
        bool(I == 2)
    with pytest.raises(TypeError, match="Only scalar arrays"):
        float(X)


def test_methods_work_on_traced_values():
    f = lambda x: (x.T @ x).sum() + x.mean() * x[0, 0] + x.at[0].set(0.0).max()  # noqa: E731
    same(adlib.jit(f)(X), f(X))
    gradient = adlib.grad(f)(X)
    assert gradient.shape == X.shape and jnp.isfinite(gradient).all()
    same(adlib.vmap(lambda r: r.reshape(3, 1) * r)(X)[0], np.outer(X[0], X[0]))
