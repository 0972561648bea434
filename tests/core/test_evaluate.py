"""Eager evaluation: prepared once for the types of arguments, then a look-up."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import core
from adlib.core import evaluate


def counting():
    """A primitive that counts how often its shape rule, kernel rule and kernel run."""
    count = {"shape": 0, "prepare": 0, "run": 0}

    def shape(x, **params):
        count["shape"] += 1
        return x

    def prepare(xp, **params):
        count["prepare"] += 1

        def run(x):
            count["run"] += 1
            return x

        return run

    p = core.Primitive("counting")
    p.shape_rule, p.kernel_rule = shape, prepare
    return p, count


def test_types_are_checked_and_kernels_prepared_once():
    p, count = counting()
    for i in range(1, 4):
        p.bind(jnp.ones(2), n=1)
        assert count == {"shape": 1, "prepare": 1, "run": i}
    p.bind(jnp.ones(2), n=2)
    p.bind(jnp.ones(3), n=1)
    p.bind(jnp.ones(2, jnp.int32), n=1)
    assert count == {"shape": 4, "prepare": 4, "run": 6}
    assert len(p.eager_cache) == 4


def test_weak_types_are_types_of_their_own():
    p, count = counting()
    assert p.bind(jnp.asarray(1.0)).weak_type and not p.bind(jnp.float32(1)).weak_type
    assert count["shape"] == 2


def test_the_table_is_bounded(monkeypatch):
    monkeypatch.setattr(evaluate, "_CACHE_LIMIT", 5)
    p, _ = counting()
    for n in range(50):
        p.bind(jnp.ones(1), n=n)
        assert len(p.eager_cache) <= 6


def test_programs_are_not_kept_by_the_table():
    for n in range(3):
        adlib.jit(lambda x, n=n: x * n)(1.0)
        adlib.lax.cond(True, lambda x, n=n: x * n, lambda x: x, 1.0)
    for name in ("jit", "cond", "scan", "while"):
        assert core.registry[name].eager_cache == {}


def test_an_error_leaves_no_entry():
    with pytest.raises(TypeError, match="incompatible shapes"):
        jnp.ones(2) + jnp.ones(3)
    p = core.Primitive("failing")
    p.def_abstract_eval(lambda x: x)
    p.def_impl(lambda x: 1 / 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            p.bind(jnp.ones(2))
    assert core.trace.state.trace is evaluate.evaluator


@pytest.mark.parametrize("error", [KeyError, TypeError, AttributeError])
def test_errors_of_a_kernel_are_not_mistaken_for_a_missing_entry(error):
    runs = []

    def impl(x):
        runs.append(1)
        raise error("mine")

    p = core.Primitive("failing")
    p.def_abstract_eval(lambda x: x)
    p.def_impl(impl)
    for i in range(3):
        with pytest.raises(error, match="mine"):
            p.bind(jnp.ones(2))
        assert len(runs) == i + 1


def test_results_are_ndarrays_of_the_declared_types():
    for y in (jnp.sum(jnp.ones(3)), jnp.ones(3)[0], jnp.float32(1) + 1, jnp.argmax(jnp.ones(3))):
        assert isinstance(y._value, np.ndarray) and y._value.dtype == y.dtype


def test_results_never_share_memory_that_can_be_written_to():
    a = np.ones(3, np.float32)
    x = jnp.asarray(a)
    y = x.reshape(3, 1)
    a[:] = 7
    assert y.tolist() == [[1], [1], [1]]
