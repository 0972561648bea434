"""Groups that take turns on blocks of rows: what is joined, what is not and why, the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adlib
import adlib.numpy as jnp
from adlib import nn
from adlib.compile import regions
from adlib.compile.loopir import For, loops
from adlib.compile.program import Compiled
from adlib.compile.regions import lead, stays
from adlib.compile.schedule import Schedule, short_rows
from adlib.compile.simplify import simplify
from adlib.compile.steps import Group, Region
from tests.compile.test_every_primitive import compile_and_compare


@pytest.fixture(autouse=True)
def native():
    with adlib.config.override(jit_backend="native"):
        yield


@pytest.fixture
def tiny(monkeypatch):
    """Regions also where everything fits in the cache, of blocks of a few rows."""
    monkeypatch.setattr(regions, "LEAST_SHARED", 0)
    monkeypatch.setattr(regions, "BLOCK", 256)


def normal(*shape):
    rng = np.random.default_rng(sum(shape))
    return jnp.asarray(rng.standard_normal(shape).astype(np.float32))


def steps_of(f, *args):
    return Schedule(simplify(adlib.make_jaxpr(f)(*args))).steps


def layer_norm(x, scale, bias):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / jnp.sqrt(variance + 1e-5) * scale + bias


def entropy(x, y):
    return -jnp.mean(jnp.sum(nn.log_softmax(x) * y, -1))


def backwards(x):
    return x[:, ::-1] * nn.softmax(x)[:, ::-1]


ROWS = {
    "softmax": (nn.softmax, [(150, 100)]),
    "softmax of 3 axes": (nn.softmax, [(7, 11, 3, 91)]),
    "log_softmax": (nn.log_softmax, [(149, 100)]),
    "layer norm": (layer_norm, [(211, 64), (64,), (64,)]),
    "its gradients": (
        lambda x, s, b, w: adlib.vjp(layer_norm, x, s, b)[1](w),
        [(211, 64), (64,), (64,), (211, 64)],
    ),
    "cross entropy": (adlib.value_and_grad(entropy), [(200, 70), (200, 70)]),
    "attention rows": (lambda x, m: nn.softmax(x * 0.3 + m[None, :, None]), [(5, 31, 67), (31,)]),
    "argmax": (lambda x: (jnp.argmax(x, -1), x - x.max(-1, keepdims=True)), [(300, 50)]),
    "reversed rows": (backwards, [(200, 80)]),
    "short rows": (nn.softmax, [(3000, 10)]),
    "norms": (lambda x: x / jnp.linalg.norm(x, axis=1, keepdims=True), [(300, 60)]),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_are_one_step(name):
    f, shapes = ROWS[name]
    args = [normal(*s) for s in shapes]
    steps = steps_of(f, *args)
    regions_ = [s for s in steps if type(s) is Region]
    assert len(regions_) == 1 and len(regions_[0].groups) > 1
    wide = [s for s in steps if type(s) is Group and np.prod(s.space) > 1000]
    assert not wide, "a pass over everything beside the region"
    compile_and_compare(adlib.make_jaxpr(f)(*args), [a._value for a in args], factor=8)


def test_what_only_the_region_reads_is_one_block_large():
    x = normal(150, 100)
    run = Compiled(adlib.make_jaxpr(nn.softmax)(x))
    (region,) = run.schedule.steps
    assert {v.aval.shape for v in region.local} >= {(150, 100), (150,)}
    (segment,) = run.segments.values()
    assert segment.arena == 0
    ((part, _, _),) = segment.parts
    assert [v.aval.shape for v in part.variables] == [(150, 100)] * 2
    sizes = [b.size for b in part.writer.kernel.buffers if b.local]
    assert max(sizes) <= regions.BLOCK // 4 and min(sizes) < 150


def test_a_chain_too_long_for_one_group_passes_over_memory_once(monkeypatch):
    def chain(x):
        for i in range(450):
            x = x * 1.0001 + i * 1e-3
        return x

    monkeypatch.setattr(regions, "_MOST_PER_BYTE", 1000)
    x = normal(97 * 401)  # no block divides it
    steps = steps_of(chain, x)
    assert [type(s) for s in steps] == [Region]
    compile_and_compare(adlib.make_jaxpr(chain)(x), [x._value], factor=20)


def test_groups_that_compute_more_than_they_read_stay_apart():
    def chain(x):
        for _ in range(30):
            x = jnp.sin(x) * 1.01
        return x

    schedule = Schedule(simplify(adlib.make_jaxpr(chain)(normal(97 * 401))))
    assert [type(s) for s in schedule.steps] == [Group, Group]
    assert any("arithmetic takes longer" in text for _, text in schedule.reasons)


def test_complete_sums_go_on_through_the_blocks():
    def f(x):
        p = nn.softmax(x)
        return p, (p * x).sum(), p.max(), p.sum(0), (x > 0).any()

    for rows in (150, 151):  # 151 is prime: a last block of another size adds to the results
        x = normal(rows, 100)
        steps = steps_of(f, x)
        assert [type(s) for s in steps if type(s) is Region] == [Region]
        compile_and_compare(adlib.make_jaxpr(f)(x), [x._value], factor=8)


def test_sums_over_many_rows_are_accurate():
    x = jnp.full((40_000, 24), np.float32(0.1)) + normal(40_000, 1) * 0
    total = adlib.jit(lambda x: (x - x.max(-1, keepdims=True) + 0.1).sum())(x)
    np.testing.assert_allclose(total, 40_000 * 24 * np.float64(np.float32(0.1)), rtol=1e-6)


# ------------------------------------------------------------------ what is not joined


def test_other_rows_are_not_read_in_the_same_loop(tiny):
    def transposed(x):
        s = nn.softmax(x)
        return s + s.T

    x = normal(40, 40)
    schedule = Schedule(simplify(adlib.make_jaxpr(transposed)(x)))
    assert any("reads other rows" in text for _, text in schedule.reasons)
    kinds = [type(s) for s in schedule.steps]
    assert kinds[-1] is Group and Region in kinds
    compile_and_compare(adlib.make_jaxpr(transposed)(x), [x._value], factor=8)


def test_sums_over_rows_are_read_after_the_last_one(tiny):
    def columns(x):
        return x / x.sum(0)

    x = normal(40, 40)  # rows and columns are of one length, and still not the same
    assert [type(s) for s in steps_of(columns, x)] == [Group, Group]
    compile_and_compare(adlib.make_jaxpr(columns)(x), [x._value], factor=8)


def test_rows_that_no_cache_keeps_stay_apart():
    x = jnp.zeros((3, 200_000))
    schedule = Schedule(simplify(adlib.make_jaxpr(nn.softmax)(x)))
    assert all(type(s) is Group for s in schedule.steps)
    assert any("more than a cache keeps" in text for _, text in schedule.reasons)


def test_what_the_cache_holds_anyway_stays_apart():
    assert all(type(s) is Group for s in steps_of(nn.softmax, normal(8, 16)))


def test_a_call_between_groups_is_not_crossed(tiny):
    def f(x):
        y = x.sum(1)
        return jnp.sort(y)[:, None] * x + y[:, None]

    x = normal(30, 20)
    compile_and_compare(adlib.make_jaxpr(f)(x), [x._value], factor=8)


# ----------------------------------------------------------------------------- parts


def test_leading_axes_skip_those_of_size_1():
    assert lead((1, 4, 1, 5), 1) == [-1, 0]
    assert lead((1, 4, 1, 5), 2) == [-1, 0, -1, 1]
    assert lead((4,), 2) == [0]


@pytest.mark.parametrize(
    ("position", "wanted"),
    [
        ((10, 1, 0), True),
        ((10, -1, 9), True),
        ((10, 0, 3), True),
        ((10, 1, 1), False),  # one element further: the last is of the next row
        ((10, 1, -1), False),
        ((1, 6, 0), False),
        ((0, 1, 0), False),
        ((-10, 1, 50), False),
        (None, False),
    ],
)
def test_reads_within_a_row(position, wanted):
    assert stays(position, (6, 10), (6,), 10) is wanted


def test_long_formulas_over_short_rows_have_a_loop_of_their_own():
    x, m = normal(3000, 10), normal(3000)
    run = Compiled(adlib.make_jaxpr(lambda x, m: jnp.exp(x - m[:, None]))(x, m))
    assert short_rows((3000, 10)) and not short_rows((3000, 64)) and not short_rows((10,))
    (region,) = run.schedule.steps
    assert [g.heavy for g in region.groups] == [False, True]
    ((part, _, _),) = next(iter(run.segments.values())).parts
    nest = part.writer.kernel.nests[0]
    (outer,) = loops(nest.items)
    inner = [item for item in outer.body if type(item) is For]
    assert [len(loops(i.body)) for i in inner] == [1, 0]
    compile_and_compare(run.simplified, [x._value, m._value])


# ------------------------------------------------------------------- random programs

MOST = 12


def grown(draw, x, values):
    """One more value from those there are: rows of the same matrix in most of them."""
    rows, columns = x.shape
    kind = draw(st.sampled_from("unary binary row column total flip turn shift flat pick".split()))
    v = values[draw(st.integers(0, len(values) - 1))]
    w = values[draw(st.integers(0, len(values) - 1))]
    reduce = draw(st.sampled_from([jnp.sum, jnp.max, jnp.min]))
    if kind == "unary":
        return draw(st.sampled_from([jnp.sin, jnp.tanh, jnp.abs, lambda a: a * 0.5 + 1]))(v)
    if kind == "binary":
        return draw(st.sampled_from([jnp.add, jnp.multiply, jnp.maximum]))(v, w) * 0.7
    if kind == "row":
        return v - reduce(w, 1, keepdims=True) * 0.1
    if kind == "column":
        return v + reduce(w, 0) * 0.1
    if kind == "total":
        return v * 0.5 + reduce(w) * 0.01
    if kind == "flip":
        return v[:, ::-1] if draw(st.booleans()) else v[::-1]
    if kind == "turn":
        return v.T.reshape(rows, columns) if draw(st.booleans()) else (v.T + 1).T
    if kind == "shift":
        return jnp.concatenate([v[:, 1:], w[:, :1]], 1)
    if kind == "flat":
        return v.reshape(-1)[::-1].reshape(rows, columns)
    return jnp.where(v > w[:, :1], v, w[0])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_random_programs_of_rows(data):
    rows = data.draw(st.integers(2, 40), "rows")
    columns = data.draw(st.integers(1, 40), "columns")
    block = data.draw(st.sampled_from([64, 256, 1024]), "bytes of a block")
    steps = data.draw(st.integers(2, MOST), "steps")
    x = normal(rows, columns)

    def f(x):
        values = [x]
        for _ in range(steps):
            values.append(grown(data.draw, x, values))
        last = values[-1]
        return last, last.sum(1), last.sum(0), last.max(), values[len(values) // 2]

    before = regions.LEAST_SHARED, regions.BLOCK
    regions.LEAST_SHARED, regions.BLOCK = 0, block
    try:
        compile_and_compare(adlib.make_jaxpr(f)(x), [x._value], factor=200)
    finally:
        regions.LEAST_SHARED, regions.BLOCK = before
