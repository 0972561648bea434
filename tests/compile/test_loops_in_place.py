"""Loops that update what they carry where it lies: when they may, and that the others do not."""

from __future__ import annotations

import ctypes
import threading
import time

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile.control_flow import ControlPart
from adlib.compile.in_place import merge
from adlib.compile.loopir import Buffer, Kernel, LoopBuilder, Nest, Store
from adlib.compile.nests import loop_nest
from adlib.compile.program import Compiled
from tests.compile.test_every_primitive import compile_and_compare

X = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)


def loops_of(run):
    """All loops of a compiled program, outer ones first."""
    found = []

    def look(body):
        for part, _, _ in body.parts:
            if isinstance(part, ControlPart):
                found.append(part)
                for inner in part.bodies:
                    look(inner)

    for body in run.segments.values():
        look(body)
    return found


def check(f, *args, in_place):
    """Compiled as reference; the numbers of the carried values that its loop overwrites."""
    args = [jnp.asarray(a) for a in args]
    run = compile_and_compare(adlib.make_jaxpr(f)(*args), [a._value for a in args], factor=5.0)
    loop = loops_of(run)[0]
    count = len(loop.carried())
    assert [i in loop.in_place for i in range(count)] == in_place
    return run


def carried(body, *initial, rounds=6):
    """A loop over a body of the carried values alone, which cannot be unrolled."""
    return lax.scan(lambda c, _: (body(*c), None), initial, None, length=rounds)[0]


def test_what_is_read_at_its_own_place():
    check(lambda x, y: carried(lambda x, y: (x * 0.5 + y, y + 1), x, y), X, X, in_place=[1, 1])


def test_sums_are_complete_before_anything_is_overwritten():
    check(lambda x: carried(lambda x: (x * 0.5 + x.sum(),), x), X, in_place=[1])
    check(lambda x: carried(lambda x: (x * 0.5 + x.sum(0),), x), X, in_place=[1])


def test_shifted_reads_keep_two_copies():
    check(lambda x: carried(lambda x: (x[::-1] + 1,), x), X, in_place=[0])
    check(lambda x: carried(lambda x: (x[:, ::-1] + x,), x), X, in_place=[0])
    check(lambda x: carried(lambda x: (jnp.roll(x, 1, 0),), x), X, in_place=[0])
    check(lambda x: carried(lambda x: (x.T + x,), x), X[:5], in_place=[0])


def test_values_that_change_places():
    check(lambda x, y: carried(lambda a, b: (b, a + b), x, y), X, X + 1, in_place=[1, 1])
    check(lambda x, y: carried(lambda a, b: (b, a), x, y), X, X + 1, in_place=[1, 1])
    # one pass reads both at a point, before it writes there: a may go, b is read elsewhere too
    check(lambda x, y: carried(lambda a, b: (b[::-1], a * 1.5), x, y), X, X + 1, in_place=[1, 0])


def test_what_is_passed_on_is_not_touched():
    run = check(lambda x, y: carried(lambda a, b: (a, b + a), x, y), X, X, in_place=[1])
    assert len(run.schedule.steps) == 1


def test_values_that_are_read_after_they_are_replaced():
    def body(a, s):
        return (a + 1) * 2, s + jnp.cumsum(a).sum() + a[0, 0]

    check(lambda x: carried(body, x, jnp.float32(0)), X, in_place=[0, 1])


@pytest.mark.parametrize("rounds", [0, 1, 2, 3])
def test_few_rounds(rounds):
    check(
        lambda x, y: carried(lambda a, b: (a + b, b[::-1] * 0.5), x, y, rounds=rounds),
        *(X, X),
        in_place=[1, 0],
    )


def test_one_array_as_two_initial_values_and_an_input():
    def f(x):
        return lax.scan(lambda c, r: ((c[0] + r, c[1] * 2, c[2]), c[0]), (x, x, x), x[None] + x)

    check(lambda x: f(x), X[0], in_place=[1, 1])

    def g(x):
        return lax.scan(lambda c, r: ((c[0] + r.sum(), c[1] * x), c[0]), (x, x), X)

    check(g, X[0], in_place=[1, 1])


@pytest.mark.parametrize("write", ["index", "slice", "at_set", "at_add"])
def test_updates_of_a_part_touch_that_part(write):
    def body(i, x):
        row = lax.dynamic_index_in_dim(x, (i * 3) % 7, 0, keepdims=False) * 0.5 + i
        if write == "index":
            return lax.dynamic_update_index_in_dim(x, row, i % 7, 0)
        if write == "slice":
            return lax.dynamic_update_slice(x, row[None, :2], (i % 7, 1))
        return x.at[i % 7].set(row) if write == "at_set" else x.at[i % 7].add(row)

    def f(x, n):
        return lax.while_loop(lambda c: c[0] < n, lambda c: (c[0] + 1, body(*c)), (0, x))

    for n in (0, 1, 2, 9):
        run = check(f, X, np.int32(n), in_place=[1, 1])
    loop = loops_of(run)[0]
    nests = [nest for part, _, _ in loop.bodies[1].parts for nest in part.writer.kernel.nests]
    assert max(np.prod(nest.extents, dtype=int) for nest in nests) < X.size


def test_an_update_made_of_the_array_itself_is_made_first():
    def body(x):
        return (lax.dynamic_update_slice(x, x[1:4] + x[0], (2, 0)),)

    check(lambda x: carried(body, x), X, in_place=[1])


def test_an_update_read_through_a_view_keeps_two_copies():
    def body(x):
        return (lax.dynamic_update_slice(x, x[1:4], (2, 0)),)

    check(lambda x: carried(body, x), X, in_place=[0])


def test_loops_within_loops_share_one_memory():
    def f(x):
        def outer(i, x):
            return lax.fori_loop(0, 3, lambda j, x: x.at[i, j].add(i + j * 10.0), x)

        return lax.fori_loop(0, 5, outer, x)

    run = check(f, X, in_place=[0, 1])  # the outer counter is read by the inner loop at its end
    outer, inner = loops_of(run)
    assert len(inner.in_place) == len(inner.carried())


def test_branches_keep_two_copies():
    def body(x):
        return (lax.cond(x.sum() > 1, lambda v: v[::-1] - 1, lambda v: v + 0.5, x),)

    check(lambda x: carried(body, x), X, in_place=[0])


def test_gradients_of_updates():
    def f(x):
        body = lambda i, x: x.at[i].multiply(x[i + 1].sum())  # noqa: E731
        return lax.fori_loop(0, 6, body, x).sum()

    x = jnp.asarray(X)
    compile_and_compare(adlib.make_jaxpr(adlib.grad(f))(x), [x._value], factor=50.0)


def test_numbers_are_kept_in_registers():
    """A loop over numbers reads no memory once it runs."""

    def f(x):
        return lax.fori_loop(0, 100_000, lambda i, x: x * 0.999 + i, x)

    lowered = adlib.jit(f).lower(jnp.float32(1))
    text = lowered.as_text("optimised llvm")
    inner = max(_blocks_in_loops(text), key=lambda b: b.count("fmul"))
    assert "fmul" in inner and "load float" not in inner and "store float" not in inner, inner


def _blocks_in_loops(text):
    """Basic blocks that jump to themselves."""
    for function in text.split("define ")[1:]:
        for block in function.split("\n\n"):
            name = block.split(":")[0].strip()
            if f"label %{name}" in block.rpartition("br ")[2]:
                yield block


# -------------------------------------------------------------------- kernels


def kernel(space, read_at, write_at, rare=False, twice=False):
    """b1[write_at] = b0[read_at] * 2, for the points of a space."""
    buffers = [Buffer(f"b{i}", np.dtype(np.float32), 24, i == 1) for i in range(2)]
    builder = LoopBuilder()
    value = builder.load(0, read_at, np.dtype(np.float32))
    doubled = builder.binary("add", value, value)
    if rare:
        negative = builder.compare("lt", value, builder.constant(0, np.dtype(np.float32)))
        doubled = builder.rare(negative, lambda: value, doubled)
    items = [*builder.items, Store(1, write_at, doubled)]
    if twice:
        items += [again := LoopBuilder().load(0, read_at, np.dtype(np.float32))]
        items.append(Store(1, write_at, again))
    return Kernel("k", buffers, [loop_nest(space, items, "", ordered=True)])


def test_a_kernel_may_overwrite_what_each_point_reads():
    assert merge(kernel((4, 6), (6, 1, 0), (6, 1, 0)), 0, 1)
    assert merge(kernel((6, 4), (1, 6, 0), (1, 6, 0)), 0, 1)
    assert not merge(kernel((4, 6), (6, 1, 0), (6, 1, 1)), 0, 1)
    assert not merge(kernel((4, 6), (6, 1, 0), (1, 4, 0)), 0, 1)
    assert not merge(kernel((4, 6), (0, 1, 0), (0, 1, 0)), 0, 1), "four points, one element"
    assert not merge(kernel((4, 6), (4, 1, 0), (4, 1, 0)), 0, 1), "rows overlap"
    assert not merge(kernel((4, 6), (6, 1, 0), (6, 1, 0), rare=True), 0, 1), "it runs again"
    assert not merge(kernel((4, 6), (6, 1, 0), (6, 1, 0), twice=True), 0, 1), "read after writing"


def test_a_kernel_may_not_read_in_a_later_nest():
    first, second = kernel((24,), (1, 0), (1, 0)), kernel((24,), (1, 0), (1, 0))
    both = Kernel("k", first.buffers, [*first.nests, *second.nests])
    assert not merge(both, 0, 1)


def test_a_copy_of_an_array_to_itself_is_dropped():
    builder = LoopBuilder()
    value = builder.load(0, (1, 0), np.dtype(np.float32))
    nest = loop_nest((24,), [*builder.items, Store(1, (1, 0), value)], "a copy")
    copy = Kernel("k", kernel((24,), (1, 0), (1, 0)).buffers, [nest])
    assert merge(copy, 0, 1)
    assert copy.nests == []
    assert type(nest) is Nest


# -------------------------------------------------------------------- the lock


@pytest.mark.parametrize("size, releases", [((), False), ((50,), True)])
def test_loops_look_with_and_without_the_lock(size, releases):
    """A look without the lock, or one that gives it up twice, would end the process."""

    def f(x, n):
        return lax.while_loop(lambda c: c[1] < n, lambda c: (c[0] * 0.5 + 1, c[1] + 1), (x, 0))

    x = jnp.ones(size)
    run = Compiled(adlib.make_jaxpr(f)(x, 0))
    assert run.plan.releases == releases
    jitted = adlib.jit(f)
    for _ in range(3):
        got, rounds = jitted(x, 3_000_000)
        np.testing.assert_allclose(got, np.full(size, 2), rtol=1e-6)
        assert int(rounds) == 3_000_000
        assert ctypes.pythonapi.PyGILState_Check()


def test_other_threads_run_beside_a_loop():
    f = adlib.jit(
        lambda x, n: lax.while_loop(
            lambda c: c[1] < n, lambda c: (c[0] * 0.5 + 1, c[1] + 1), (x, 0)
        )
    )
    x = jnp.ones(50)
    f(x, 1), f(x, 1)
    counted, running = [0], [True]

    def count():
        while running[0]:
            counted[0] += 1
            time.sleep(0)  # and let the others run too

    thread = threading.Thread(target=count)
    thread.start()
    before = counted[0]
    f(x, 3_000_000)
    after = counted[0]
    running[0] = False
    thread.join()
    assert after - before > 10


# ----------------------------------------------------------------------------- branches

K = np.arange(6, dtype=np.int32)


def stepped(branch, *initial):
    """A loop whose rounds choose a branch by their number."""

    def step(carry, k):
        out = branch(k, *carry)
        return (out if isinstance(out, tuple) else (out,)), None

    return lax.scan(step, initial, jnp.asarray(K))[0]


def test_branches_that_update_what_they_are_given():
    set_ = lambda x: x.at[1].set(9.0)  # noqa: E731
    add = lambda x: x * 0.5 + 1  # noqa: E731
    same = lambda x: x  # noqa: E731
    run = check(
        lambda x: stepped(lambda k, x: lax.cond(k % 2 == 0, set_, same, x), x), X, in_place=[1]
    )
    assert [p.pairs for p in loops_of(run) if p.kind == "cond"] == [[(0, 0)]]
    check(lambda x: stepped(lambda k, x: lax.switch(k, [set_, same, add], x), x), X, in_place=[1])
    check(lambda x: stepped(lambda k, x: lax.cond(k > 2, add, set_, x) + 1, x), X, in_place=[1])


def test_branches_of_which_one_reads_other_places():
    for turned in (lambda x: x[::-1], lambda x: x[:, ::-1] * 2, lambda x: x - x[0]):
        for order in ((turned, jnp.sin), (jnp.sin, turned)):
            run = check(
                lambda x, o=order: stepped(lambda k, x: lax.cond(k % 2 == 0, *o, x), x),
                X,
                in_place=[0],
            )
            assert [p.pairs for p in loops_of(run) if p.kind == "cond"] == [[]]


def test_branches_with_several_values():
    def branch(k, x, y):
        return lax.cond(k % 3 == 0, lambda x, y: (x + y, y * 2), lambda x, y: (x, y + x), x, y)

    check(lambda x, y: stepped(branch, x, y), X, X + 1, in_place=[1, 1])

    def swapping(k, x, y):
        return lax.cond(k % 3 == 0, lambda x, y: (y, x), lambda x, y: (x, y[::-1]), x, y)

    check(lambda x, y: stepped(swapping, x, y), X, X + 1, in_place=[1, 0])

    def mixed(k, x, y):  # the first may go where it lies, the second is read from its end
        return lax.cond(k % 3 == 0, lambda x, y: (x + 1, y[::-1]), lambda x, y: (x * 2, y), x, y)

    check(lambda x, y: stepped(mixed, x, y), X, X + 1, in_place=[1, 0])


def test_what_is_read_after_a_branch_is_kept():
    def branch(k, x):
        return lax.cond(k % 2 == 0, lambda x: x + 1, lambda x: x * 2, x) - x[::-1]

    check(lambda x: stepped(branch, x), X, in_place=[0])


def test_branches_within_branches_and_loops_within_those():
    def branch(k, x):
        inner = lambda x: lax.cond(k > 3, lambda x: x.at[0].add(1), lambda x: x, x)  # noqa: E731
        loop = lambda x: lax.fori_loop(0, k, lambda i, x: x.at[i].mul(2), x)  # noqa: E731
        return lax.cond(k % 2 == 0, inner, loop, x)

    check(lambda x: stepped(branch, x), X, in_place=[1])


def test_donated_arguments_of_branches():
    f = lambda x, p: lax.cond(p, lambda x: x.at[2].set(0.0), lambda x: x + 1, x)  # noqa: E731
    g = adlib.jit(f, donate_argnums=0)
    for p in (True, False, True):
        wanted = np.asarray(f(jnp.asarray(X), p))
        x = jnp.asarray(X)
        y = g(x, p)
        np.testing.assert_array_equal(y, wanted)
        assert x.is_deleted()
