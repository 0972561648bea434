"""Every primitive's samples on the GPU's array module, against the CPU: by itself, in both modes,
vectorized and as a program."""

import numpy as np
import pytest

import adlib
from adlib.backends.cupy_implementations import CPU_ONLY, IMPLEMENTATIONS
from adlib.core import Absent, Zero
from adlib.core.array import ArrayImpl
from adlib.core.program import run
from adlib.interpreters.batch import AxisData, at_front, batch_flat
from adlib.interpreters.jvp import jvp_flat
from adlib.interpreters.linearize import linearize_flat
from adlib.interpreters.stage import stage
from adlib.interpreters.transpose import pull_back
from tests.ops.harness import Case
from tests.ops.test_registry import (
    NO_FORWARD,
    NO_REVERSE,
    NOT_DIFFERENTIABLE,
    PRIMITIVES,
    SAMPLES,
    samples_of,
)

COMPUTED = [s for s in SAMPLES if s.values[0].name not in CPU_ONLY]
# device_put itself is where devices meet: test_placement.py
PLACED = [s for s in COMPUTED if s.values[0].name != "device_put"]
SMOOTH = [s for s in PLACED if not isinstance(s.values[0].jvp, Absent)]
every_sample = pytest.mark.parametrize("primitive, sample", PLACED)


def _parametrize(*leave_out):
    left = [s for s in SMOOTH if not any(s.values[0].name in table for table in leave_out)]
    return pytest.mark.parametrize("primitive, sample", left)


def moved(args):
    return [adlib.device_put(x, "gpu") for x in args]


def case_of(primitive, sample):
    """A sample, with tangents where the primitive has derivatives."""
    case = Case(primitive, samples_of(primitive)[sample])
    refused = NOT_DIFFERENTIABLE.get(primitive.name, (set(),))[0]
    case.places = [i for i in case.places if i not in refused]
    return case


def check(given, wanted):
    """The same numbers, in arrays on the GPU."""
    assert len(given) == len(wanted)
    for g, w in zip(given, wanted, strict=True):
        if type(w) is Zero or w is None:
            assert type(g) is type(w)
            continue
        assert type(g) is ArrayImpl and g.aval is w.aval
        if not g.free:  # what no data went into may be anywhere
            assert type(g._value) is not np.ndarray
        g, w = adlib.core.array.to_numpy(g), np.asarray(w._value)
        assert (g.shape, g.dtype) == (w.shape, w.dtype)
        if w.dtype.kind in "fc":
            np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-5)
        else:
            np.testing.assert_array_equal(g, w)


@every_sample
def test_by_itself(primitive, sample, gpu):
    case = Case(primitive, samples_of(primitive)[sample])
    check(case(*moved(case.args)), case(*case.args))


@every_sample
def test_as_a_program(primitive, sample, gpu):
    case = Case(primitive, samples_of(primitive)[sample])
    closed = stage(case, [a.aval for a in case.args])
    check(run(closed, moved(case.args)), run(closed, case.args))


@_parametrize(NO_FORWARD)
def test_forward_mode(primitive, sample, gpu):
    case = case_of(primitive, sample)
    f, args = case.function(case.places), case.moving(case.places)
    vs = case.directions(args)
    wanted = jvp_flat(f, args, vs)[1]
    case.args = moved(case.args)
    check(jvp_flat(f, moved(args), moved(vs))[1], wanted)


@_parametrize(NO_REVERSE, NO_FORWARD)
def test_reverse_mode(primitive, sample, gpu):
    case = case_of(primitive, sample)
    f, args = case.function(case.places), case.moving(case.places)
    outs, linear = linearize_flat(f, args)
    ws = case.directions(outs)
    wanted = pull_back(linear, ws)
    case.args = moved(case.args)
    check(pull_back(linearize_flat(f, moved(args))[1], moved(ws)), wanted)


@every_sample
def test_vectorized(primitive, sample, gpu):
    case = Case(primitive, samples_of(primitive)[sample])
    if not case.args or isinstance(primitive.batch, Absent):
        return
    axis = AxisData(None, 2)
    args = [adlib.numpy.stack([x, x]) for x in case.args]

    def mapped(given):
        return [at_front(axis, v, d) for v, d in batch_flat(case, axis, given, [0] * len(args))]

    check(mapped(moved(args)), mapped(args))


def test_what_is_implemented_otherwise_exists():
    assert set(IMPLEMENTATIONS) <= set(PRIMITIVES) and set(IMPLEMENTATIONS) >= CPU_ONLY


@pytest.mark.parametrize("name", sorted(CPU_ONLY))
def test_what_only_the_cpu_computes_says_so(name, gpu):
    case = Case(PRIMITIVES[name], samples_of(PRIMITIVES[name])[0])
    with pytest.raises(NotImplementedError, match=f"{name} is not computed on a GPU"):
        case(*moved(case.args))
