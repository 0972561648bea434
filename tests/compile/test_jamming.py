"""Reductions of several rows side by side: when, how the loops look, and the numbers."""

from __future__ import annotations

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.compile import jamming
from adlib.compile.loop_text import show
from adlib.compile.loopir import LoopBuilder
from adlib.compile.program import Compiled
from tests.compile.test_every_primitive import compile_and_compare

F32 = np.dtype(np.float32)


@pytest.fixture(autouse=True)
def native():
    with adlib.config.override(jit_backend="native"):
        yield


def normal(*shape):
    rng = np.random.default_rng(sum(shape))
    return jnp.asarray(rng.standard_normal(shape).astype(np.float32))


def kernel_of(f, *args):
    run = Compiled(adlib.make_jaxpr(f)(*args))
    (segment,) = run.segments.values()
    ((part, _, _),) = segment.parts
    return part.writer.kernel


def test_four_rows_load_what_they_share_once():
    text = show(kernel_of(lambda w, x: w @ x, normal(40, 50), normal(50)))
    assert "for i < 10:" in text and "for j < 50:" in text
    assert text.count("sum of") == 4 and text.count("load") == 5
    assert text.count("200*i") == 4 and "b2[4*i + 3] = " in text


@pytest.mark.parametrize("rows", [8, 9, 10, 11, 12, 4, 1])
def test_any_number_of_rows(rows):
    def f(w, x):
        return w @ x, w.max(1), (w * 2 > x).any(1), jnp.sum(w * x, 1) + 1, jnp.argmin(w, 1)

    args = normal(rows, 50), normal(50)
    compile_and_compare(adlib.make_jaxpr(f)(*args), [a._value for a in args], factor=8)


def test_batches_of_rows():
    def f(w, x):
        return jnp.einsum("bij,bj->bi", w, x), w.sum(2), w.max((1, 2)), w.sum(0)

    args = normal(3, 8, 40), normal(3, 40)
    compile_and_compare(adlib.make_jaxpr(f)(*args), [a._value for a in args], factor=8)


def body(count):
    b = LoopBuilder()
    value = b.load(0, (50, 1, 0), F32)
    for _ in range(count - 1):
        value = b.binary("mul", value, value)
    return b


@pytest.mark.parametrize(
    ("extents", "instructions", "wanted"),
    [
        ((8, 50), 3, True),
        ((4, 50), 3, True),
        ((9, 50), 3, False),
        ((8, 15), 3, False),  # the whole row is no longer than a vector
        ((8, 5000), 3, False),
        ((8, 50), 17, False),
    ],
)
def test_where_it_pays(extents, instructions, wanted):
    assert jamming.fits(body(instructions).items, extents, 0) is wanted


def test_rare_cases_and_stores_stay_as_they_are():
    b = body(2)
    x = b.items[0]
    b.rare(b.compare("gt", x, x), lambda: x, x)
    assert not jamming.fits(b.items, (8, 50), 0)


def test_copies_differ_in_their_rows_alone():
    b = LoopBuilder()
    x, y = b.load(0, (50, 1, 7), F32), b.load(1, (0, 1, 0), F32)
    product = b.binary("mul", x, y)
    found, copies = jamming.jammed(b.items, 0)
    rows = [copies[k][id(x)].attr[1] for k in range(4)]
    assert rows == [(200, 1, 7), (200, 1, 57), (200, 1, 107), (200, 1, 157)]
    assert len({id(c[id(y)]) for c in copies}) == 1
    assert len({id(c[id(product)]) for c in copies}) == 4
    assert len(found) == 9
