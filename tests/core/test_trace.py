"""Who the current interpreter is, and tracers that outlive their trace."""

import copy
import pickle
import threading

import pytest

import adlib
import adlib.numpy as jnp
from adlib import errors, grad, jit, jvp, lax, linearize, vmap
from adlib.core.evaluate import evaluator
from adlib.core.trace import (
    Trace,
    Tracer,
    axis_size,
    check_leaks,
    fresh,
    named_axis,
    state,
    using,
)


def test_the_evaluator_is_at_the_bottom():
    assert state.trace is evaluator and evaluator.parent is None and evaluator.alive


def test_using_and_fresh_restore_the_trace_whatever_happens():
    mine = Trace(evaluator)
    with using(mine) as entered:
        assert entered is mine is state.trace
    assert state.trace is evaluator and mine.alive
    for context in (using, fresh):
        with pytest.raises(KeyboardInterrupt), context(Trace(evaluator)) as trace:
            with context(Trace(trace)) as inner:
                assert state.trace is inner
                raise KeyboardInterrupt
        assert state.trace is evaluator
    assert not trace.alive and not inner.alive


def test_a_trace_without_rules_has_no_process():
    with pytest.raises(NotImplementedError):
        Trace(None).process(None, (), {})


def test_every_thread_starts_at_the_evaluator():
    seen = []

    def f(x):
        thread = threading.Thread(target=lambda: seen.append((state.trace, state.axis_sizes)))
        thread.start()
        thread.join()
        return x

    vmap(f, axis_name="i")(jnp.ones(2))
    assert seen == [(evaluator, {})]


def test_named_axes():
    with named_axis("i", 3):
        with named_axis("j", 4):
            assert (axis_size("i"), axis_size("j")) == (3, 4)
        with named_axis("i", 5):
            assert axis_size("i") == 5
        with named_axis(None, 7):
            assert state.axis_sizes == {"i": 3}
        with pytest.raises(NameError) as caught:
            axis_size("k")
    message = str(caught.value)
    assert "unbound axis name: 'k'" in message and "bound here: 'i'" in message
    assert "vmap(..., axis_name='k')" in message
    with pytest.raises(NameError, match="bound here: none"):
        axis_size("i")


stored = []


def store(x):
    stored.append(x)
    return x * 2.0


# How a traced value gets out, and where it is used then.
WAYS_OUT = {
    "jit": lambda: jit(lambda x: store(x))(1.0),  # a new function: traces are kept
    "grad": lambda: grad(store)(1.0),
    "jvp": lambda: jvp(store, (1.0,), (1.0,)),
    "vjp": lambda: adlib.vjp(store, 1.0),
    "linearize": lambda: linearize(store, 1.0),
    "vmap": lambda: vmap(store)(jnp.ones(2)),
    "make_jaxpr": lambda: adlib.make_jaxpr(store)(1.0),
    "eval_shape": lambda: adlib.eval_shape(store, 1.0),
    "scan": lambda: lax.scan(lambda c, x: (store(c), x), 1.0, jnp.ones(2)),
    "cond": lambda: lax.cond(True, store, store, 1.0),
    "while": lambda: lax.while_loop(lambda c: c < 0, store, 1.0),
    "checkpoint": lambda: adlib.checkpoint(store)(1.0),
    "linear_transpose": lambda: adlib.linear_transpose(store, 1.0),
    "computed within jit": lambda: jit(lambda x: store(jnp.sin(x)))(1.0),
}
USES = {
    "eager": lambda x: x + 1.0,
    "numpy function": jnp.sin,
    "jit": lambda x: jit(lambda y: y * x)(2.0),
    "grad": lambda x: grad(lambda y: y * x)(2.0),
    "vmap": lambda x: vmap(lambda y: y * x)(jnp.ones(2)),
    "jvp": lambda x: jvp(lambda y: y * x, (1.0,), (1.0,)),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("way", WAYS_OUT)
def test_a_leaked_value_says_so(way, use):
    for _ in range(3):  # eager programs are derived at the second meeting
        stored.clear()
        WAYS_OUT[way]()
        with pytest.raises(errors.UnexpectedTracerError) as caught:
            USES[use](stored[0])
        assert "used outside of the transformation that made it" in str(caught.value)
        assert state.trace is evaluator


def test_a_value_of_an_outer_transformation_is_no_leak():
    f = jit(lambda x: grad(lambda y: y * x)(3.0) + vmap(lambda z: z * x)(jnp.ones(2)).sum())
    assert float(f(2.0)) == 6.0
    assert float(grad(lambda x: grad(lambda y: y * x * x)(3.0))(2.0)) == 4.0


def test_primitives_refuse_what_is_no_array():
    check_leaks((jnp.ones(2),))
    with pytest.raises(TypeError) as caught:
        check_leaks((1.0,))
    assert "a primitive was applied to <class 'float'>, which is no array" in str(caught.value)
    assert "jnp.asarray(...)" in str(caught.value)


def test_texts_and_types_of_tracers():
    seen = []
    jit(lambda x: seen.append((repr(x), f"{x}", x.aval, isinstance(x, Tracer))) or x)(1.0)
    vmap(lambda x: seen.append(repr(x)) or x)(jnp.ones((2, 3)))
    text, formatted, aval, is_tracer = seen[0]
    assert text == formatted == "StageTracer<f32[]>" and aval.weak_type and is_tracer
    assert seen[1] == "BatchTracer<f32[3]>"


def test_copies_of_tracers_are_themselves():
    def f(params):
        again = copy.deepcopy(params)
        assert again is not params and again["w"] is params["w"]
        return jnp.sum(copy.copy(again["w"]) ** 2)

    for transform in (grad(f), jit(grad(f)), lambda p: vmap(grad(f))({"w": p["w"][None]})):
        assert transform({"w": jnp.ones(2)})["w"].ravel().tolist() == [2, 2]


@pytest.mark.parametrize("transform", [jit, grad, lambda f: lambda x: vmap(f)(x[None])])
def test_tracers_are_not_pickled(transform):
    with pytest.raises(errors.ConcretizationTypeError, match=r"pickle.dumps\(...\) needs"):
        transform(lambda x: pickle.dumps(x) and x)(jnp.float32(1))


def test_iteration_and_readiness_of_tracers():
    def f(x):
        a, b = x.block_until_ready()
        return a * b

    assert float(jit(f)(jnp.array([2.0, 3.0]))) == 6.0
    assert grad(f)(jnp.array([2.0, 3.0])).tolist() == [3.0, 2.0]
