"""grad, value_and_grad, vjp, jvp, linearize and linear_transpose as users call them."""

import collections
import functools

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import grad, jit, jvp, linear_transpose, linearize, value_and_grad, vjp, vmap
from adlib.core.array import ArrayImpl

Point = collections.namedtuple("Point", "x y")
x3 = jnp.array([0.5, 1.0, 2.0])


def plain(tree):
    """Whether all leaves are concrete arrays (or NumPy's, for float0): no tracer got out."""
    leaves = adlib.tree_util.tree_leaves(tree)
    return all(type(v) is ArrayImpl or isinstance(v, np.ndarray) for v in leaves)


# ------------------------------------------------------------------ arguments


def product(a, b, c=2.0, *, d=1.0):
    return a * b * c * d


ARGNUMS = {
    "first": (0, 6.0),
    "second": (1, 4.0),
    "last": (-1, 12.0),
    "tuple": ((0, 2), (6.0, 12.0)),
    "list": ([1], (4.0,)),
    "tuple of one": ((0,), (6.0,)),
    "repeated order": ((2, 0), (12.0, 6.0)),
    "numpy integer": (np.array([0, 1])[1], (4.0,)),
}


@pytest.mark.parametrize("name", ARGNUMS)
def test_argnums(name):
    argnums, wanted = ARGNUMS[name]
    got = grad(lambda a, b, c: a * b * c * 2.0, argnums)(2.0, 3.0, 1.0)
    assert adlib.tree_util.tree_map(float, got) == wanted


def test_keywords_and_defaults_are_not_differentiated():
    assert float(grad(product)(2.0, 3.0, d=5.0)) == 30.0
    assert float(grad(product)(2.0, b=3.0, c=1.0)) == 3.0
    value, g = value_and_grad(product, 1)(2.0, 3.0, c=4.0)
    assert (float(value), float(g)) == (24.0, 8.0)


def test_structures_of_arguments_come_back():
    p = {"w": Point(x3, [2.0]), "none": None, "b": (1.0,)}

    def f(p):
        return jnp.sum(p["w"].x * p["w"].y[0]) + p["b"][0] ** 2

    for transform in (grad(f), jit(grad(f)), lambda p: vjp(f, p)[1](1.0)[0]):
        g = transform(p)
        assert isinstance(g["w"], Point) and g["none"] is None
        assert g["w"].x.tolist() == [2, 2, 2] and float(g["w"].y[0]) == 3.5
        assert float(g["b"][0]) == 2.0


def test_names_and_documentation_of_the_function_stay():
    def loss(x):
        """My loss."""
        return x

    for transform in (grad, value_and_grad, adlib.jacfwd, adlib.jacrev, adlib.hessian):
        assert transform(loss).__name__ == "loss" and transform(loss).__doc__ == "My loss."
    assert float(grad(functools.partial(product, b=3.0))(2.0)) == 6.0


def test_numpy_arrays_and_numbers_are_arguments():
    for value in (2.0, np.float32(2), np.array(2.0), jnp.float32(2)):
        assert float(grad(lambda x: x**2)(value)) == 4.0
    a = np.ones(3, np.float32)
    assert isinstance(grad(jnp.sum)(a), adlib.Array)


# ------------------------------------------------------------ auxiliary data


def with_aux(x):
    return jnp.sum(x**2), {"twice": 2 * x, "n": 3, "name": "text", "none": None}


AUX = {
    "grad": lambda f, x: grad(f, has_aux=True)(x)[1],
    "value_and_grad": lambda f, x: value_and_grad(f, has_aux=True)(x)[0][1],
    "vjp": lambda f, x: vjp(f, x, has_aux=True)[2],
    "jvp": lambda f, x: jvp(f, (x,), (x,), has_aux=True)[2],
    "linearize": lambda f, x: linearize(f, x, has_aux=True)[2],
    "jacfwd": lambda f, x: adlib.jacfwd(f, has_aux=True)(x)[1],
    "jacrev": lambda f, x: adlib.jacrev(f, has_aux=True)(x)[1],
    "hessian": lambda f, x: adlib.hessian(f, has_aux=True)(x)[1],
    "grad of grad": lambda f, x: grad(
        lambda x: (lambda g, aux: (jnp.sum(g), aux))(*grad(f, has_aux=True)(x)), has_aux=True
    )(x)[1],
}


@pytest.mark.parametrize("name", AUX)
def test_auxiliary_data_are_plain_values(name):
    for _ in range(3):
        aux = AUX[name](with_aux, x3)
        assert aux["name"] == "text" and aux["n"] == 3 and aux["none"] is None
        assert type(aux["twice"]) is ArrayImpl and aux["twice"].tolist() == [1, 2, 4]


def numeric_aux(x):
    return jnp.sum(x**2), {"twice": 2 * x, "n": 3}


@pytest.mark.parametrize("name", AUX)
def test_auxiliary_data_under_jit_vmap_and_grad(name):
    run = functools.partial(AUX[name], numeric_aux)
    for _ in range(3):
        aux = jit(run)(x3)
        assert plain(aux) and aux["twice"].tolist() == [1, 2, 4]
        aux = vmap(run)(jnp.stack([x3, 2 * x3]))
        assert plain(aux) and aux["twice"].tolist() == [[1, 2, 4], [2, 4, 8]]
        assert np.asarray(aux["n"]).tolist() in ([3, 3], 3)
        aux = jit(vmap(run))(x3[None])
        assert plain(aux) and aux["twice"].tolist() == [[1, 2, 4]]
        # derivatives of an outer transformation pass through
        assert grad(lambda x: jnp.sum(run(x)["twice"]))(x3).tolist() == [2, 2, 2]


# ------------------------------------------------------------- value and vjp


def test_value_and_gradient_come_from_one_evaluation():
    calls = []

    def f(x):
        calls.append(1)
        return jnp.sum(x**3)

    value, g = value_and_grad(f)(x3)
    assert len(calls) == 1
    np.testing.assert_allclose(g, 3 * x3**2)
    assert float(value) == float(f(x3))


def test_a_pullback_may_be_called_again_and_within_transformations():
    y, pullback = vjp(lambda a, b: (a * b, jnp.sin(a)), x3, 2 * x3)
    one = (jnp.ones(3), jnp.zeros(3))
    for _ in range(3):
        a, b = pullback(one)
        np.testing.assert_allclose(a, 2 * x3)
        np.testing.assert_allclose(b, x3)
    basis = jnp.eye(3)
    rows = vmap(lambda e: pullback((e, jnp.zeros(3)))[0])(basis)
    np.testing.assert_allclose(rows, np.diag(2 * x3))
    np.testing.assert_allclose(jit(pullback)(one)[0], 2 * x3)
    assert grad(lambda c: jnp.sum(pullback((c, c))[1]))(jnp.ones(3)).tolist() == x3.tolist()
    assert repr(pullback) == "<vjp of <lambda>>"


def test_cotangents_of_python_numbers_take_the_wanted_type():
    pullback = vjp(lambda x: x * jnp.float32(2), jnp.float32(1))[1]
    assert pullback(1.0)[0].dtype == np.float32 and float(pullback(1)[0]) == 2.0
    half = vjp(lambda x: x * 2, jnp.float16(1))[1]
    assert half(1.0)[0].dtype == np.float16


def test_integers_have_float0_derivatives():
    zero = np.zeros((), adlib.float0)
    y, pullback = vjp(lambda x, i: (x * i, i + 1), 2.0, 3)
    for ct in ((1.0, zero), (1.0, 0)):
        a, b = pullback(ct)
        assert float(a) == 3.0 and b.dtype == adlib.float0 and b.shape == ()
    g = grad(lambda i, x: x * i.sum(), allow_int=True)(jnp.arange(3), 2.0)
    assert g.dtype == adlib.float0 and g.shape == (3,)
    g = grad(lambda p: p["x"] * p["i"], allow_int=True)({"x": 2.0, "i": 3})
    assert float(g["x"]) == 3.0 and g["i"].dtype == adlib.float0
    t = linearize(lambda x: (x, 3), 1.0)[1](1.0)
    assert float(t[0]) == 1.0 and t[1].dtype == adlib.float0 and isinstance(t[1], np.ndarray)


def test_unused_arguments_have_zero_gradients():
    g = grad(lambda a, b: a * 2.0, (0, 1))(1.0, x3)
    assert float(g[0]) == 2.0 and g[1].tolist() == [0, 0, 0] and g[1].aval is x3.aval
    assert float(grad(lambda x: 3.0)(1.0)) == 0.0
    assert float(jvp(lambda x: 3.0, (1.0,), (1.0,))[1]) == 0.0


# ------------------------------------------------------------------- complex

z = jnp.complex64(1 + 2j)

# Pullbacks (of 1+1j, or 1 where the result is real) and pushforwards (of 1j) as JAX 0.10.2
# gives them: the pushforward is the derivative as a real-linear map, the pullback its transpose.
COMPLEX = {
    "square": (lambda z: z * z, -2 + 6j, -4 + 2j),
    "conj": (jnp.conj, 1 - 1j, -1j),
    "exp": (jnp.exp, -3.602931 + 1.3405223j, -2.4717267 - 1.1312044j),
    "real squared": (lambda z: jnp.real(z) ** 2, 2, 0),
    "modulus squared": (lambda z: jnp.abs(z) ** 2, 2 - 4j, 4),
}


@pytest.mark.parametrize("name", COMPLEX)
def test_conventions_for_complex_numbers(name):
    f, back, forward = COMPLEX[name]
    ct = (1 + 1j) * jnp.ones_like(f(z)) if jnp.iscomplexobj(f(z)) else jnp.ones_like(f(z))
    for _ in range(3):
        (got,) = vjp(f, z)[1](ct)
        assert got.dtype == np.complex64
        np.testing.assert_allclose(complex(got), back, rtol=1e-6)
        pushed = jvp(f, (z,), (jnp.complex64(1j),))[1]
        assert pushed.dtype == f(z).dtype
        np.testing.assert_allclose(complex(pushed), forward, rtol=1e-6, atol=1e-6)


def test_gradients_of_real_functions_of_complex_numbers():
    # df/dx - i df/dy
    f = lambda z: jnp.real(z) ** 2 + 3 * jnp.imag(z)  # noqa: E731
    assert complex(grad(f)(z)) == 2 - 3j
    np.testing.assert_allclose(complex(grad(jnp.abs)(z)), (1 - 2j) / np.sqrt(5), rtol=1e-6)
    np.testing.assert_allclose(
        grad(lambda x: jnp.real(jnp.exp(1j * x)))(1.0), -np.sin(1), rtol=1e-6
    )
    (back,) = vjp(lambda x: jnp.exp(1j * x), 1.0)[1](jnp.complex64(1j))
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, -np.cos(1), rtol=1e-6)


def test_holomorphic_gradients():
    for f, wanted in ((lambda z: z**3, 3 * (1 + 2j) ** 2), (jnp.sin, np.cos(1 + 2j))):
        np.testing.assert_allclose(complex(grad(f, holomorphic=True)(z)), wanted, rtol=1e-5)


# ------------------------------------------------------- linearize, transpose


def test_linearize_checks_its_tangents():
    y, f_jvp = linearize(lambda a, b: a * b, x3, 2.0)
    np.testing.assert_allclose(f_jvp(x3, 1.0), 3 * x3)
    np.testing.assert_allclose(vmap(f_jvp)(jnp.eye(3), jnp.zeros(3)), 2 * np.eye(3))


def test_linear_transpose_needs_types_only():
    shape = adlib.ShapeDtypeStruct((3,), jnp.float32)
    f = lambda d: {"y": 2.0 * d["a"] - d["b"]}  # noqa: E731
    (g,) = linear_transpose(f, {"a": shape, "b": x3})({"y": x3})
    np.testing.assert_allclose(g["a"], 2 * x3)
    np.testing.assert_allclose(g["b"], -x3)


class Plain:
    def __repr__(self):
        return "Plain()"


# name: (what is done, error, pieces of the message)
MISTAKES = {
    "structure of tangents of linearize": (
        lambda: linearize(jnp.sin, 1.0)[1](1.0, 2.0), TypeError,
        ["linearized function called with arguments of structure PyTreeDef((*, *))",
         "PyTreeDef((*,))"]),
    "type of tangents of linearize": (
        lambda: linearize(jnp.sin, x3)[1](jnp.ones(2)), ValueError,
        ["inconsistent with the original primal", "tangent float32[2] for primal float32[3]"]),
    "structure of cotangents": (
        lambda: vjp(lambda x: (x, {"a": x}), 1.0)[1](1.0), ValueError,
        ["got PyTreeDef(*)", "structure of <lambda>'s output, PyTreeDef((*, {'a': *}))"]),
    "structure of a cotangent": (
        lambda: vjp(jnp.sin, 1.0)[1]((1.0,)), ValueError, ["got PyTreeDef((*,))", "one array"]),
    "type of cotangents": (
        lambda: vjp(jnp.sin, x3)[1](jnp.ones(3, jnp.int32)), ValueError,
        ["got int32[3], but expected float32[3]", "output of sin had JAX type float32[3]"]),
    "complex number as a real cotangent": (
        lambda: vjp(jnp.sin, 1.0)[1](1j), ValueError, ["got complex64[]", "float32[]"]),
    "tangent of an integer": (
        lambda: jvp(lambda i: i, (1,), (1,)), TypeError,
        ["primal dtype int32 and so expected tangent dtype float0"]),
    "tangent that is float0": (
        lambda: jvp(lambda i: i, (1.0,), (np.zeros((), adlib.float0),)), (TypeError, ValueError),
        ["float0"]),
    "trees of tangents": (
        lambda: jvp(lambda a: a[0], ([1.0],), ((1.0,),)), TypeError,
        ["same tree structure: got PyTreeDef(([*],)) and PyTreeDef(((*,),))"]),
    "transposing for integers": (
        lambda: linear_transpose(lambda x: x, 1), TypeError,
        ["linear_transpose only supports float and complex inputs, but got int32[]"]),
    "holomorphic result that is real": (
        lambda: grad(lambda z: jnp.abs(z), holomorphic=True)(z), TypeError,
        ["holomorphic=True requires outputs with complex dtype, but got float32"]),
    "keys": (
        lambda: grad(lambda k: 1.0)(adlib.random.key(0)), TypeError,
        ["cannot differentiate with respect to PRNG keys"]),
    "object": (
        lambda: grad(lambda p: 1.0)(Plain()), TypeError,
        ["Argument 0 of <lambda>, given to grad, holds Plain()", "not a valid JAX type",
         "leave the argument out of argnums"]),
    "object within a tree": (
        lambda: vjp(lambda a, p: 1.0, 1.0, [1.0, Plain()]), TypeError,
        ["Argument 1 of <lambda>, given to vjp, holds Plain()"]),
    "result that is no number": (
        lambda: jvp(lambda x: Plain(), (1.0,), (1.0,)), TypeError,
        ["<lambda>, given to jvp, returned Plain()", "results must be numbers or arrays"]),
    "auxiliary data without a pair": (
        lambda: jvp(lambda x: (x, x, x), (1.0,), (1.0,), has_aux=True), TypeError,
        ["jvp with has_aux=True expects <lambda> to return a pair", "a tuple of length 3"]),
    "negative argnums": (
        lambda: grad(lambda x: x, -2)(1.0), TypeError, ["asked for argument -2", "1 positional"]),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name):
    act, error, pieces = MISTAKES[name]
    with pytest.raises(error) as caught:
        act()
    for piece in pieces:
        assert piece in str(caught.value)
    assert "test_derivatives.py" in str(caught.value)


def test_what_is_no_function():
    for transform in (grad, value_and_grad, adlib.jacfwd, adlib.jacrev, adlib.hessian, jit, vmap):
        with pytest.raises(TypeError, match="Expected a callable value, got 3"):
            transform(3)
    for transform in (vjp, linearize, linear_transpose):
        with pytest.raises(TypeError, match="Expected a callable value"):
            transform(3, 1.0)
