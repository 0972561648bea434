"""The checks of every primitive see mistakes: each is given a primitive with one wrong rule."""

import numpy as np
import pytest

from adlib.base.config import enable_x64
from adlib.core import Primitive, Sample, ShapedArray, Zero
from adlib.ops.arithmetic import cos, mul, sin, sub
from adlib.ops.operands import normal
from adlib.ops.reshaping import full_like
from tests.ops import harness

SAMPLE = Sample((normal(2, 3),), name="one")


def _sine() -> Primitive:
    """A sine with all rules right, outside of the registry."""
    p = Primitive("_sine")
    p.shape_rule = lambda x: x
    p.kernel_rule = lambda xp: xp.sin
    p.jvp = lambda primals, tangents: (p.bind(*primals), mul(tangents[0], cos(primals[0])))
    p.batch = lambda axis, args, dims: (p.bind(*args), dims[0])
    return p


def _case(p: Primitive, wide: bool = True) -> harness.Case:
    return harness.Case(p, SAMPLE, wide)


CHECKS = [
    harness.check_shape,
    harness.check_staged,
    harness.check_batch,
    harness.check_jvp,
    harness.check_transpose,
    harness.check_second_order,
    harness.check_derived,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_right_rules_pass(check):
    with enable_x64(True):
        check(_case(_sine()))


def _wrong_shape(p):
    p.shape_rule = lambda x: ShapedArray(x.shape, np.dtype(np.float32))


def _wrong_batch(p):
    p.batch = lambda axis, args, dims: (p.bind(*args), 0)


def _wrong_jvp(p):
    p.jvp = lambda primals, tangents: (p.bind(*primals), mul(tangents[0], sin(primals[0])))


def _lost_tangent(p):
    p.jvp = lambda primals, tangents: (p.bind(*primals), Zero.like(primals[0]))


def _wrong_second_derivative(p):
    """Right at first order: the cosine is made of a primitive whose own derivative is lost."""
    inner = Primitive("_cosine")
    inner.shape_rule = lambda x: x
    inner.kernel_rule = lambda xp: xp.cos
    _lost_tangent(inner)
    p.jvp = lambda primals, tangents: (
        p.bind(*primals), mul(tangents[0], inner.bind(primals[0]))
    )  # fmt: skip


def _wrong_transpose(p):
    """The tangent passes an operation of which the transpose has the wrong sign."""
    twice = Primitive("_twice")
    twice.shape_rule = lambda x: x
    twice.kernel_rule = lambda xp: lambda x: 2 * x
    twice.jvp = lambda primals, tangents: (twice.bind(*primals), twice.bind(*tangents))
    twice.transpose = lambda ct, x: (sub(full_like(ct, 0), twice.bind(ct)),)
    p.jvp = lambda primals, tangents: (
        p.bind(*primals),
        mul(twice.bind(tangents[0]), mul(full_like(primals[0], 0.5), cos(primals[0]))),
    )


def _writes_to_its_argument(p):
    def kernel(x):
        out = np.sin(x)
        if x.ndim:
            x[...] = 0
        return out

    p.kernel_rule = lambda xp: kernel


@pytest.mark.parametrize(
    "spoil, check",
    [
        (_wrong_shape, harness.check_shape),
        (_writes_to_its_argument, harness.check_shape),
        (_wrong_batch, harness.check_batch),
        (_wrong_jvp, harness.check_jvp),
        (_lost_tangent, harness.check_jvp),
        (_wrong_transpose, harness.check_transpose),
        (_wrong_second_derivative, harness.check_second_order),
    ],
)
def test_a_wrong_rule_is_seen(spoil, check):
    p = _sine()
    spoil(p)
    with enable_x64(True), pytest.raises(AssertionError):
        check(_case(p))


def test_precision_lost_in_float32_is_seen():
    p = _sine()
    p.kernel_rule = lambda xp: (
        lambda x: (
            np.sin(x.astype(np.float16)).astype(x.dtype) if x.dtype == np.float32 else np.sin(x)
        )
    )
    case = _case(p, wide=False)
    with enable_x64(True), pytest.raises(AssertionError, match="value"):
        harness.check_native_jvp(case, _case(p))
