"""custom_root and custom_linear_solve: derivatives without differentiating the solver."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import grad, hessian, jacfwd, jacrev, jit, jvp, lax, vmap
from tests.support import check_everywhere


@pytest.fixture
def double_precision():
    with adlib.enable_x64():
        yield


def newton(f, x):
    """Newton's method until it converges: a loop that has no reverse mode."""
    step = lambda x: x - f(x) / jvp(f, (x,), (jnp.ones_like(x),))[1]  # noqa: E731
    return lax.while_loop(lambda x: jnp.max(jnp.abs(f(x))) > 1e-10, step, x)


def divide(g, y):
    return y / g(jnp.ones_like(y))


def square_root(a):
    return lax.custom_root(lambda x: x**2 - a, a, newton, divide)


def closed_over_by_all(a, b):
    """Function, solver and tangent solver all close over what is differentiated."""

    def solve(f, x):
        return jnp.cbrt(a * b) + 0 * f(x)

    def tangent_solve(g, y):
        return y / (3 * jnp.cbrt(a * b) ** 2)

    return lax.custom_root(lambda x: x**3 - a * b, jnp.ones_like(a), solve, tangent_solve)


def of_trees(a):
    """A system of two unknowns in a dict."""

    def f(p):
        return {"x": p["x"] ** 2 - a, "y": p["y"] - p["x"] * a}

    def solve(f, guess):
        x = jnp.sqrt(a)
        return {"x": x, "y": x * a}

    def tangent_solve(g, y):
        flat, unravel = jnp.stack([y["x"], y["y"]]), lambda v: {"x": v[0], "y": v[1]}
        ravel = lambda p: jnp.stack([p["x"], p["y"]])  # noqa: E731
        m = jacfwd(lambda v: ravel(g(unravel(v))))(flat)
        return unravel(jnp.linalg.solve(m, flat))

    return lax.custom_root(f, {"x": 1.0 * a, "y": 1.0 * a}, solve, tangent_solve)


m3 = np.array([[3.0, 0.5, 0.2], [0.1, 2.0, 0.3], [0.4, 0.6, 4.0]])
b3 = np.array([1.0, 2.0, 3.0])


def general(a, b):
    return lax.custom_linear_solve(
        lambda x: a @ x, b,
        lambda matvec, b: jnp.linalg.solve(a, b),
        lambda vecmat, b: jnp.linalg.solve(a.T, b),
    )  # fmt: skip


def only_matvec(a, b):
    """Solvers that know the map as a function: its matrix is read off at the basis."""

    def solve(matvec, b):
        return jnp.linalg.solve(jacfwd(matvec)(b), b)

    return lax.custom_linear_solve(lambda x: a @ x + 2.0 * x, b, solve, solve)


def symmetric(a, b):
    s = a + a.T
    solve = lambda f, b: jnp.linalg.solve(s, b)  # noqa: E731
    return lax.custom_linear_solve(lambda x: s @ x, b, solve, symmetric=True)


def iterated(a, b):
    """Jacobi's iteration, which has no reverse mode."""

    def solve(matvec, b):
        d = jnp.diag(a)
        step = lambda s: (s[1], s[1] + (b - matvec(s[1])) / d)  # noqa: E731
        return lax.while_loop(lambda s: jnp.max(jnp.abs(s[0] - s[1])) > 1e-13, step, (b, b / d))[1]

    def back(vecmat, b):
        d = jnp.diag(a)
        step = lambda s: (s[1], s[1] + (b - vecmat(s[1])) / d)  # noqa: E731
        return lax.while_loop(lambda s: jnp.max(jnp.abs(s[0] - s[1])) > 1e-13, step, (b, b / d))[1]

    return lax.custom_linear_solve(lambda x: a @ x, b, solve, back)


def system_of_trees(a, b):
    rhs = (b[:1], {"rest": b[1:]})
    ravel = lambda p: jnp.concatenate([p[0], p[1]["rest"]])  # noqa: E731
    unravel = lambda v: (v[:1], {"rest": v[1:]})  # noqa: E731
    return ravel(
        lax.custom_linear_solve(
            lambda p: unravel(a @ ravel(p)), rhs,
            lambda f, r: unravel(jnp.linalg.solve(a, ravel(r))),
            lambda f, r: unravel(jnp.linalg.solve(a.T, ravel(r))),
        )
    )  # fmt: skip


FUNCTIONS = {
    "square root": (square_root, (np.array([4.0, 9.0, 2.0]),)),
    "closed over by all": (closed_over_by_all, (np.array(2.0), np.array(3.0))),
    "root of trees": (of_trees, (np.array(3.0),)),
    "root within a function": (lambda a: jnp.sin(square_root(a * a + 1)) * a, (np.array(2.0),)),
    "general system": (general, (m3, b3)),
    "matvec only": (only_matvec, (m3, b3)),
    "symmetric system": (symmetric, (m3, b3)),
    "iterated": (iterated, (m3, b3)),
    "system of trees": (system_of_trees, (m3, b3)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_under_every_transformation(name, double_precision):
    f, args = FUNCTIONS[name]
    check_everywhere(f, args)


def test_values_and_derivatives_are_those_of_the_solution():
    np.testing.assert_allclose(square_root(jnp.float32(4.0)), 2.0, rtol=1e-6)
    np.testing.assert_allclose(grad(square_root)(4.0), 0.25, rtol=1e-6)
    np.testing.assert_allclose(grad(grad(square_root))(4.0), -1 / 32, rtol=1e-5)
    a, b = jnp.asarray(m3, jnp.float32), jnp.asarray(b3, jnp.float32)
    np.testing.assert_allclose(general(a, b), np.linalg.solve(m3, b3), rtol=1e-5)
    for got in (jacfwd(general, 1)(a, b), jacrev(general, 1)(a, b)):
        np.testing.assert_allclose(got, np.linalg.inv(m3), rtol=1e-4, atol=1e-5)


def test_derivatives_of_a_batch_do_not_go_through_the_solver():
    batch = jnp.array([4.0, 9.0])
    total = lambda a: vmap(square_root)(a).sum()  # noqa: E731
    for _ in range(3):
        np.testing.assert_allclose(grad(total)(batch), [1 / 4, 1 / 6], rtol=1e-5)
        np.testing.assert_allclose(jit(grad(total))(batch), [1 / 4, 1 / 6], rtol=1e-5)
        np.testing.assert_allclose(vmap(grad(square_root))(batch), [1 / 4, 1 / 6], rtol=1e-5)
        np.testing.assert_allclose(
            hessian(total)(batch), np.diag([-1 / 32, -1 / 108]), rtol=1e-4, atol=1e-7
        )


def test_the_equation_may_depend_on_nothing():
    root = lax.custom_root(lambda x: x**2 - 4.0, 1.0, newton, divide)
    np.testing.assert_allclose(root, 2.0, rtol=1e-6)
    f = lambda a: a * lax.custom_root(lambda x: x**2 - 4.0, 1.0, newton, divide)  # noqa: E731
    np.testing.assert_allclose(grad(f)(3.0), 2.0, rtol=1e-6)


def test_auxiliary_data_of_solvers():
    def root(a):
        return lax.custom_root(
            lambda x: x**2 - a, a, lambda f, x: (jnp.sqrt(a), {"steps": 7}), divide, has_aux=True
        )

    def solution(a):
        return lax.custom_linear_solve(
            lambda x: a * x, 6.0, lambda f, b: (b / a, {"steps": 7}), symmetric=True, has_aux=True
        )

    for f, value, slope in ((root, 2.0, 0.25), (solution, 1.5, -6 / 16)):
        for run in (f, jit(f)):
            x, aux = run(4.0)
            np.testing.assert_allclose(x, value, rtol=1e-6)
            assert int(aux["steps"]) == 7
        for g in (grad(f, has_aux=True), jit(grad(f, has_aux=True))):
            dx, aux = g(4.0)
            np.testing.assert_allclose(dx, slope, rtol=1e-6)
            assert int(aux["steps"]) == 7
        x, aux = vmap(f)(jnp.array([4.0, 9.0]))
        assert aux["steps"].tolist() == [7, 7] and x.shape == (2,)


def test_one_equation_in_jaxprs():
    names = lambda f, *a: [e.primitive.name for e in adlib.make_jaxpr(f)(*a).eqns]  # noqa: E731
    assert names(square_root, 4.0) == ["custom_root"]
    a, b = jnp.asarray(m3), jnp.asarray(b3)
    assert names(general, a, b) == ["custom_linear_solve"]
    assert names(vmap(general), a[None], b[None]).count("custom_linear_solve") == 1
    assert (
        names(lambda b: jvp(lambda b: general(a, b), (b,), (b,)), b).count("custom_linear_solve")
        == 2
    )
    assert "while" not in names(grad(lambda a: vmap(square_root)(a).sum()), jnp.ones(2))


def identity(f, x):
    return x


MISTAKES = {
    "structure of f": (
        lambda: lax.custom_root(lambda x: (x, x), 1.0, identity, divide),
        ["custom_root: f's output and input must have the same pytree structure",
         "x gives PyTreeDef(*), <lambda> gives PyTreeDef((*, *))"]),
    "structure of solve": (
        lambda: lax.custom_root(lambda x: x, 1.0, lambda f, x: [x], divide),
        ["custom_root: solve's output and initial_guess", "PyTreeDef([*])"]),
    "structure of tangent_solve": (
        lambda: lax.custom_root(lambda x: x, 1.0, identity, lambda g, y: (y,)),
        ["custom_root: tangent_solve's output and input", "PyTreeDef((*,))"]),
    "no auxiliary data": (
        lambda: lax.custom_root(lambda x: x, 1.0, identity, divide, has_aux=True),
        ["custom_root with has_aux=True expects solve to return a pair", "PyTreeDef(*)"]),
    "structure of matvec": (
        lambda: lax.custom_linear_solve(lambda x: [x], 1.0, identity),
        ["custom_linear_solve: matvec's output and b", "PyTreeDef([*])"]),
    "structure of the solution": (
        lambda: lax.custom_linear_solve(lambda x: x, 1.0, lambda f, b: [b]),
        ["custom_linear_solve: solve's output and b", "PyTreeDef([*])"]),
    "structure of the transposed solution": (
        lambda: lax.custom_linear_solve(lambda x: x, 1.0, identity, lambda f, b: [b]),
        ["custom_linear_solve: transpose_solve's output and b", "PyTreeDef([*])"]),
    "reverse mode without transpose_solve": (
        lambda: grad(lambda b: lax.custom_linear_solve(lambda x: 2 * x, b, divide))(1.0),
        ["transpose_solve required for backwards mode"]),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name):
    act, pieces = MISTAKES[name]
    with pytest.raises(TypeError) as caught:
        act()
    for piece in [*pieces, "test_roots.py"]:
        assert piece in str(caught.value)
