"""Random programs: compiled as reference, whole and in memory of their own; passes one by one.

``ADLIB_FUZZ=5000 pytest tests/compile/test_random_programs.py -k seed`` tries as many programs;
``ADLIB_FUZZ=5000:9000`` those of these seeds.
"""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile.program import Compiled
from adlib.compile.simplify import PASSES, Log
from adlib.core import check_jaxpr
from adlib.core.jaxpr import jaxpr_as_fun
from tests.compile.noise import Noise, differences
from tests.compile.random_programs import random_case
from tests.compile.reducing import reduced

_ASKED = os.environ.get("ADLIB_FUZZ", "80").rpartition(":")
SEEDS = range(int(_ASKED[0] or 0), int(_ASKED[2]))


@pytest.fixture(autouse=True)
def reference_executor():
    """What a kernel calls runs on the reference executor, so that it stays a reference."""
    with adlib.config.override(jit_backend="python"):
        yield


def compiled_results(closed: Any, values: Any) -> list[Any]:
    with np.errstate(all="ignore"):
        return list(Compiled(closed).function(*values))


def wrong(closed: Any, values: Any) -> list[str]:
    """What is wrong with the compiled program's results; what looks wrong is looked at twice."""
    found = compiled_results(closed, values)
    return differences(found, closed, values) and differences(found, closed, values, 40)


def check(case: Any) -> None:
    with adlib.enable_x64(case.x64):
        if wrong(case.closed, case.values):
            closed, values = reduced(case.closed, case.values, lambda c, v: bool(wrong(c, v)))
            raise AssertionError(
                f"{wrong(closed, values)[0]}\n{closed}\non {values}\nconstants {closed.consts}"
            )


@pytest.mark.parametrize("seed", SEEDS)
def test_program_of_a_seed(seed):
    check(random_case(random.Random(seed)))


@settings(max_examples=15)
@given(st.randoms(use_true_random=False))
def test_program_that_shrinks(rng):
    check(random_case(rng, rng.randint(1, 5)))


@pytest.mark.filterwarnings("ignore:Some donated buffers were not usable")
@pytest.mark.parametrize("seed", range(2000, 2025))
def test_program_through_jit(seed):
    """As users call it: the second call is a look-up in native code; with and without donation."""
    case = random_case(random.Random(seed))
    closed, values = case.closed, case.values
    everything = tuple(range(len(values)))
    with adlib.enable_x64(case.x64):
        for donated in ((), everything):
            jitted = adlib.jit(jaxpr_as_fun(closed), donate_argnums=donated)
            results = []
            with adlib.config.override(jit_backend="native"):
                for _ in range(3):
                    found = jitted(*[jnp.array(v) for v in values])
                    results.append([np.asarray(r) for r in found])
            for found in results:
                wrong = differences(found, closed, values)
                wrong = wrong and differences(found, closed, values, 40)
                assert not wrong, f"donated {donated}: {wrong[0]}\n{closed}\non {values}"


@pytest.mark.parametrize("seed", range(1000, 1025))
def test_each_pass_alone(seed):
    case = random_case(random.Random(seed))
    with adlib.enable_x64(case.x64):
        for name, change in PASSES.items():
            closed = change(case.closed, Log())
            check_jaxpr(closed.jaxpr)
            with np.errstate(all="ignore"):
                results = Noise(None).run(closed, case.values)
            found = differences(results, case.closed, case.values)
            found = found and differences(results, case.closed, case.values, 40)
            assert not found, f"{name}: {found[0]}\n{case.closed}\nbecomes\n{closed}"


# ---------------------------------------------------------- whether this finds anything


def program(x: Any, y: Any) -> Any:
    z = jnp.sin(x) * y
    total = jnp.sum(z, 1)
    return z.T, total, jnp.floor(total), x[::-1], jnp.argmax(z, 1)


X = np.random.default_rng(0).standard_normal((4, 50)).astype(np.float32)


def test_noise_is_no_difference():
    closed = adlib.make_jaxpr(program)(X, X)
    results = Noise(None).run(closed, [X, X])
    assert not differences(results, closed, [X, X])
    for i in (0, 1):
        moved = list(results)
        moved[i] = moved[i] * np.float32(1 + 3e-7)
        assert not differences(moved, closed, [X, X])


@pytest.mark.parametrize("result", range(5))
def test_a_wrong_element_is_found(result):
    closed = adlib.make_jaxpr(program)(X, X)
    results = [np.array(r) for r in Noise(None).run(closed, [X, X])]
    at = (1,) * results[result].ndim
    results[result][at] = results[result][at] * np.float32(1.00005) + (result >= 2)
    (text,) = differences(results, closed, [X, X])
    assert text.startswith(f"result {result}[{', '.join('1' * len(at))}]: ")


def test_what_only_moves_has_to_agree_to_the_bit():
    closed = adlib.make_jaxpr(lambda x: lax.rev(x, (0,)))(X)
    moved = X[::-1].copy()
    moved[2, 3] = np.nextafter(moved[2, 3], np.float32(9))
    assert differences([moved], closed, [X])


def test_other_nans_and_infinities_are_found():
    closed = adlib.make_jaxpr(lambda x: jnp.log(x) + 1)(X[0])
    results = Noise(None).run(closed, [X[0]])
    assert np.isnan(results[0]).any() and not differences(results, closed, [X[0]])
    assert differences([np.nan_to_num(results[0])], closed, [X[0]])
    assert differences([np.where(np.isnan(results[0]), np.inf, results[0])], closed, [X[0]])


def test_a_program_that_fails_is_reduced_to_what_it_takes():
    closed = adlib.make_jaxpr(lambda x: (jnp.cos(x) + 1, jnp.tanh(jnp.sin(x) * 2) - 3))(X)

    def fails(c: Any, values: Any) -> bool:
        return any(e.primitive.name == "tanh" for e in c.eqns)

    smaller, values = reduced(closed, [X], fails)
    assert [e.primitive.name for e in smaller.eqns] == ["tanh"]
    np.testing.assert_allclose(values[0], np.sin(X) * 2, rtol=1e-6)
