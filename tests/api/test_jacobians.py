"""jacfwd, jacrev and hessian: assembly, blocks, structures."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import grad, hessian, jacfwd, jacrev, jit, vmap
from adlib.api import jacobians

a, b = jnp.arange(1.0, 4.0), jnp.arange(1.0, 5.0).reshape(2, 2) / 4


def dense(a, b):
    """Two results of two arguments, each of another rank."""
    m = jnp.outer(jnp.sin(a), jnp.ones(2)) @ b
    return {"m": m, "s": jnp.sum(a) * jnp.sum(b**2)}


def numerical(f, args, which, leaf):
    """The Jacobian by central differences in float64, of one result to one argument."""
    with adlib.enable_x64():
        args = [np.asarray(v, np.float64) for v in args]
        columns = []
        for e in np.eye(args[which].size).reshape(-1, *args[which].shape):
            shifted = [
                [v + s * 1e-6 * e if i == which else v for i, v in enumerate(args)] for s in (1, -1)
            ]
            plus, minus = (
                adlib.tree_util.tree_leaves(f(*map(jnp.asarray, s)))[leaf] for s in shifted
            )
            columns.append((np.asarray(plus) - np.asarray(minus)) / 2e-6)
        out_shape = columns[0].shape
        return np.stack(columns, -1).reshape(*out_shape, *args[which].shape)


MODES = {
    "jacfwd": jacfwd,
    "jacrev": jacrev,
    "jit jacfwd": lambda f, argnums=0: jit(jacfwd(f, argnums)),
    "jit jacrev": lambda f, argnums=0: jit(jacrev(f, argnums)),
}


@pytest.mark.parametrize("block", [None, 64, 1])
@pytest.mark.parametrize("mode", MODES)
def test_every_block_of_the_jacobian(mode, block, monkeypatch):
    if block is not None:
        monkeypatch.setattr(jacobians, "_BLOCK_BYTES", block)
    for _ in range(2):
        jac = MODES[mode](dense, (0, 1))(a, b)
        assert set(jac) == {"m", "s"} and all(type(j) is tuple for j in jac.values())
        for leaf, key in enumerate(("m", "s")):
            for which, arg in enumerate((a, b)):
                got = jac[key][which]
                wanted = numerical(dense, (a, b), which, leaf)
                assert got.shape == (*dense(a, b)[key].shape, *arg.shape)
                assert got.dtype == np.float32
                np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("transform", [jacfwd, jacrev])
def test_blocks_give_what_the_whole_gives(transform, monkeypatch):
    f = lambda x: (jnp.sin(x) * x[0], jnp.sum(x**2), x[:5].reshape(5, 1))  # noqa: E731
    x = jnp.linspace(0.0, 1.0, 37)
    whole = transform(f)(x)
    steps = []
    basis = jacobians._basis
    monkeypatch.setattr(jacobians, "_BLOCK_BYTES", 600)
    monkeypatch.setattr(jacobians, "_basis", lambda v, i, j: steps.append(j - i) or basis(v, i, j))
    for _ in range(2):
        blocked = transform(f)(x)
        for one, other in zip(whole, blocked, strict=True):
            assert one.aval is other.aval
            np.testing.assert_array_equal(one, other)
    assert len(steps) > 8 and max(steps) < 37


def test_the_function_runs_once_for_all_blocks(monkeypatch):
    monkeypatch.setattr(jacobians, "_BLOCK_BYTES", 64)
    calls = []

    def f(x):
        calls.append(1)
        return jnp.sin(x) * x

    x = jnp.arange(20.0)
    for transform in (jacfwd, jacrev):
        calls.clear()
        np.testing.assert_allclose(
            transform(f)(x), np.diag(np.sin(x) + x * np.cos(x)), rtol=1e-5, atol=1e-5
        )
        assert calls == [1]


def test_memory_is_that_of_the_jacobian(monkeypatch):
    import tracemalloc

    monkeypatch.setattr(jacobians, "_BLOCK_BYTES", 1 << 18)
    x = jnp.ones(1024)  # a Jacobian of 4 MiB
    f = lambda x: jnp.tanh(x) * jnp.sin(x)  # noqa: E731
    for transform in (jacfwd, jacrev):
        for _ in range(3):
            transform(f)(x)
        tracemalloc.start()
        try:
            transform(f)(x)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 3 * (4 << 20)


def test_nested_jacobians_and_blocks(monkeypatch):
    f = lambda x: jnp.sum(jnp.sin(x) * x**2)  # noqa: E731
    x = jnp.linspace(0.1, 1.0, 6)
    wanted = hessian(f)(x)
    monkeypatch.setattr(jacobians, "_BLOCK_BYTES", 32)
    for transform in (
        hessian(f), jacfwd(jacfwd(f)), jacrev(jacrev(f)), jacrev(jacfwd(f)), jacfwd(grad(f)),
        jit(hessian(f)),
    ):  # fmt: skip
        np.testing.assert_allclose(transform(x), wanted, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(wanted, wanted.T, atol=1e-6)
    batched = vmap(hessian(f))(jnp.stack([x, 2 * x]))
    np.testing.assert_allclose(batched[0], wanted, rtol=1e-5, atol=1e-5)


def test_hessian_of_several_arguments_is_a_block_matrix():
    h = hessian(lambda a, b: jnp.sum(a**2) * b, (0, 1))(a, 2.0)
    np.testing.assert_allclose(h[0][0], 4 * np.eye(3))
    np.testing.assert_allclose(h[0][1], 2 * a)
    np.testing.assert_allclose(h[1][0], 2 * a)
    assert float(h[1][1]) == 0.0


def test_trees_of_arguments_and_results():
    f = lambda p: [p["w"] * p["b"], p["b"]]  # noqa: E731
    for transform in (jacfwd, jacrev):
        first, second = transform(f)({"w": a, "b": 2.0})
        np.testing.assert_allclose(first["w"], 2 * np.eye(3))
        np.testing.assert_allclose(first["b"], a)
        assert second["w"].tolist() == [0, 0, 0] and float(second["b"]) == 1.0


def test_scalars_empty_arguments_and_constants():
    for transform in (jacfwd, jacrev):
        assert float(transform(jnp.sin)(0.0)) == 1.0
        assert transform(lambda x: jnp.ones(2))(a).tolist() == [[0] * 3] * 2
        assert transform(lambda x: jnp.sum(x))(jnp.ones(0)).shape == (0,)
        assert transform(lambda x: x)(jnp.ones((2, 0))).shape == (2, 0, 2, 0)


def test_complex_jacobians():
    z = jnp.array([1 + 1j, 2.0])
    for transform in (jacfwd, jacrev):
        np.testing.assert_allclose(
            transform(lambda z: z**2, holomorphic=True)(z), np.diag([2 + 2j, 4])
        )
    np.testing.assert_allclose(jacrev(lambda z: jnp.abs(z) ** 2)(z[0]), 2 - 2j)
    np.testing.assert_allclose(jacfwd(lambda x: jnp.exp(1j * x))(1.0), 1j * np.exp(1j), rtol=1e-6)


def test_integers_on_request():
    j = jacrev(lambda p: p["x"] * p["i"], allow_int=True)({"x": 2.0, "i": 3})
    assert float(j["x"]) == 3.0 and j["i"].dtype == adlib.float0


def test_jacobian_is_jacrev():
    assert adlib.jacobian is jacrev


MISTAKES = {
    "jacfwd of integers": (lambda: jacfwd(lambda x: x)(3),
                           ["jacfwd requires real-valued inputs", "int32", "3.0 instead of 3"]),
    "jacrev of integers": (lambda: jacrev(lambda x: x)(3), ["jacrev requires", "int32"]),
    "jacfwd of complex": (lambda: jacfwd(jnp.abs)(1j),
                          ["jacfwd requires real-valued inputs", "complex64", "adlib.jvp"]),
    "jacrev to complex": (lambda: jacrev(lambda x: x * 1j)(1.0),
                          ["jacrev requires real-valued outputs", "complex64", "holomorphic=True"]),
    "jacrev to integers": (lambda: jacrev(lambda x: x.astype(jnp.int32))(a),
                           ["jacrev requires real-valued outputs", "int32",
                            "functions with integer outputs"]),
    "holomorphic of real": (lambda: jacfwd(lambda x: x, holomorphic=True)(1.0),
                            ["holomorphic=True requires inputs with complex dtype", "float32"]),
    "holomorphic to real": (lambda: jacrev(jnp.abs, holomorphic=True)(1j),
                            ["holomorphic=True requires outputs with complex dtype", "float32[]"]),
    "holomorphic to real in jit": (lambda: jit(jacfwd(jnp.abs, holomorphic=True))(1j),
                                   ["requires outputs with complex dtype"]),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name):
    act, pieces = MISTAKES[name]
    with pytest.raises(TypeError) as caught:
        act()
    for piece in [*pieces, "test_jacobians.py"]:
        assert piece in str(caught.value)
