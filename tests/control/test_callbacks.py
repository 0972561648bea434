"""Python called back from programs: at every run, in order, under every transformation."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import grad, jit, lax, vmap


@pytest.fixture
def seen():
    return []


def noting(seen):
    def f(x):
        adlib.debug.callback(lambda v: seen.append(float(v)), x)
        return jnp.sin(x)

    return f


def test_it_runs_at_once_and_at_every_call_of_a_jitted_function(seen):
    f = jit(noting(seen))
    noting(seen)(1.0)
    f(2.0), f(3.0)
    assert seen == [1.0, 2.0, 3.0]


def test_it_sees_primals_once_under_differentiation(seen):
    f = noting(seen)
    grad(f)(1.0), jit(grad(f))(2.0), grad(jit(f))(3.0)
    adlib.jvp(f, (4.0,), (1.0,))
    grad(grad(f))(5.0)
    adlib.linearize(f, 6.0)[1](1.0)
    assert seen == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_it_runs_for_each_example_of_vmap_in_order(seen):
    vmap(noting(seen))(jnp.arange(3.0))
    vmap(jit(noting(seen)))(jnp.arange(3.0, 5.0))
    jit(vmap(grad(noting(seen))))(jnp.arange(5.0, 7.0))
    assert seen == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_it_runs_in_every_turn_of_loops_and_in_the_chosen_branch(seen):
    f = noting(seen)
    lax.scan(lambda c, x: (c + f(x), None), 0.0, jnp.arange(2.0))
    jit(lambda: lax.fori_loop(2, 4, lambda i, c: c + f(jnp.float32(i)), 0.0))()
    lax.while_loop(lambda c: c[0] < 6, lambda c: (c[0] + 1, f(c[0])), (4.0, 0.0))
    jit(lambda p: lax.cond(p, lambda: f(6.0), lambda: f(-1.0)))(True)
    assert seen == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_it_runs_where_nothing_else_is_computed(seen):
    def only(x):
        lax.scan(lambda c, x: (c, adlib.debug.callback(lambda v: seen.append(float(v)), x)), 0, x)

    only(jnp.arange(2.0))
    jit(only)(jnp.arange(2.0, 4.0))
    assert seen == [0.0, 1.0, 2.0, 3.0]


def test_it_runs_again_where_a_checkpoint_does(seen):
    grad(adlib.checkpoint(noting(seen)))(1.0)
    assert seen == [1.0, 1.0]


def test_arguments_are_trees_of_arrays_and_other_things(seen):
    def note(tag, tree, *, unit):
        seen.append((tag, type(tree["a"]).__name__, tree["a"].shape, unit))

    jit(lambda x: adlib.debug.callback(note, "t", {"a": x}, unit="m"))(jnp.ones(3))
    assert seen == [("t", "ArrayImpl", (3,), "m")]
    with pytest.raises(TypeError, match="debug.callback wants a function; it was given 3"):
        adlib.debug.callback(3)


def test_an_error_of_the_callback_comes_through():
    def fail(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        jit(lambda x: adlib.debug.callback(fail, x))(1.0)


# ------------------------------------------------------------------------ print


def test_print(capsys):
    adlib.debug.print("x={x} {}", 3, x=jnp.ones(2))
    vmap(lambda x: adlib.debug.print("v {}", x))(jnp.arange(2))
    jit(grad(lambda x: (adlib.debug.print("g {x:.2f} {{}}", x=x), jnp.sin(x))[1]))(1.0)
    jit(lambda x: adlib.debug.print("j {x[a]}", x={"a": x}))(2.0)
    assert capsys.readouterr().out == "x=[1. 1.] 3\nv 0\nv 1\ng 1.00 {}\nj 2.0\n"


def test_print_checks_its_text_where_it_is_written():
    with pytest.raises(ValueError, match=r"Unused positional arguments to `debug.print`: \[2\]"):
        adlib.debug.print("{}", 1, 2)
    with pytest.raises(ValueError, match="Unused keyword arguments"):
        adlib.debug.print("{}", 1, y=2)
    with pytest.raises(KeyError, match="y"):
        adlib.debug.print("{x} {y}", x=1)
    with pytest.raises(TypeError, match="wants a text first"):
        adlib.debug.print(jnp.ones(2))


def test_breakpoint_shows_the_values_of_the_run(monkeypatch, capsys):
    stops = []

    class Debugger:
        def set_trace(self, frame):
            stops.append({k: float(v) for k, v in frame.f_locals["frame_locals"].items()})

    monkeypatch.setattr("adlib.debug._debugger", Debugger)

    @jit
    def f(x):
        y = 2 * x
        adlib.debug.breakpoint()
        return y

    f(1.5)
    assert stops == [{"x": 1.5, "y": 3.0}]
    assert "stopped in f, line" in capsys.readouterr().out


# ------------------------------------------------------------------------- pure


def host(x, **settings):
    shape = adlib.ShapeDtypeStruct(x.shape, x.dtype)
    return adlib.pure_callback(lambda v: np.sort(np.asarray(v)), shape, x, **settings)


X = jnp.array([[3.0, 1.0], [2.0, 5.0], [9.0, 4.0]])


def test_a_pure_callback_gives_its_result():
    np.testing.assert_array_equal(host(X[0]), [1.0, 3.0])
    np.testing.assert_array_equal(jit(host)(X[0]) * 2, [2.0, 6.0])
    out = jit(
        lambda x: adlib.pure_callback(
            lambda x, *, k: {"s": np.float32(np.sum(x) * k)},
            {"s": adlib.ShapeDtypeStruct((), jnp.float32)},
            x,
            k=3,
        )
    )(jnp.ones(2))
    assert out["s"] == 6.0


@pytest.mark.parametrize(
    "method", ["sequential", "sequential_unrolled", "expand_dims", "broadcast_all"]
)
def test_a_pure_callback_under_vmap(method):
    found = vmap(lambda x: host(x, vmap_method=method))(X)
    np.testing.assert_array_equal(found, np.sort(np.asarray(X), -1))
    found = jit(vmap(lambda x: host(x, vmap_method=method)))(X)
    np.testing.assert_array_equal(found, np.sort(np.asarray(X), -1))


def test_vmap_methods_say_what_the_callback_gets():
    shapes = []

    def add(x, y):
        shapes.append((x.shape, y.shape))
        return np.asarray(x) + np.asarray(y)

    def call(x, y, method):
        return adlib.pure_callback(add, x, x, y, vmap_method=method)

    for method in ("expand_dims", "broadcast_all", "sequential"):
        vmap(lambda x, method=method: call(x, jnp.ones(2), method))(X)
    assert shapes == [((3, 2), (1, 2)), ((3, 2), (3, 2)), *[((2,), (2,))] * 3]


def test_the_mistakes_of_a_pure_callback():
    with pytest.raises(ValueError, match="Pure callbacks do not support JVP"):
        grad(lambda x: jnp.sum(host(x)))(X[0])
    with pytest.raises(NotImplementedError, match="vmap_method='sequential' calls it once"):
        vmap(host)(X)
    with pytest.raises(ValueError, match="it was given 'loop'"):
        host(X[0], vmap_method="loop")
    wrong = adlib.ShapeDtypeStruct((3,), jnp.float32)
    with pytest.raises(ValueError, match=r"returned an array of shape \(2,\).*promises f32\[3\]"):
        adlib.pure_callback(lambda x: np.asarray(x), wrong, X[0])
    with pytest.raises(ValueError, match="returned 2 arrays; result_shape_dtypes promises 1"):
        adlib.pure_callback(lambda x: (x, x), wrong, X[0])


def test_a_pure_callback_with_a_derivative_of_its_own():
    @adlib.custom_jvp
    def f(x):
        return adlib.pure_callback(lambda v: np.sin(np.asarray(v)), x, x)

    f.defjvps(lambda t, ans, x: t * jnp.cos(x))
    np.testing.assert_allclose(grad(f)(1.0), np.cos(1.0), rtol=1e-6)
    np.testing.assert_allclose(jit(grad(f))(1.0), np.cos(1.0), rtol=1e-6)
