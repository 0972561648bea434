"""Random programs: functions that apply random operations to what they have made so far.

A program is a function of arrays, drawn from a ``random.Random``; staging it writes it down.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib import lax
from tests.compile import random_operations  # noqa: F401
from tests.compile.random_values import (
    COMPLEX,
    INTS,
    SMALL_FLOATS,
    Maker,
    convert,
    numbers,
    operation,
)

# ------------------------------------------------------------------------ control flow


@operation(2)
def scan(m: Maker) -> Any:
    if m.depth > 1:
        return None
    carry = [m.pick(most=60) for _ in range(m.integer(0, 2))]
    xs = [m.pick(rank=1, most=300) for _ in range(m.integer(0, 2))]
    carry = [c for c in carry if c is not None]
    xs = [x for x in xs if x is not None]
    length = xs[0].shape[0] if xs else m.integer(0, 4)
    if length > 40:
        return None
    xs = [m.fit(x, (length, *x.shape[1:]), x.dtype) for x in xs]

    def body(c: Any, x: Any) -> Any:
        inner = m.inner([*c, *x])
        if not inner.pool:
            return c, jnp.zeros(2)
        inner.grow(m.integer(1, 5))
        new = [inner.fit(inner.pick(), v.shape, v.dtype) for v in c]
        ys = [inner.pick(most=200) for _ in range(m.integer(0, 2))]
        return new, [y for y in ys if y is not None]

    ended, stacked = lax.scan(body, carry, xs, length=length, reverse=m.chance(0.3))
    leaves = adlib.tree_util.tree_leaves((ended, stacked))
    return leaves or None


@operation(1.2)
def counted_loop(m: Maker) -> Any:
    if m.depth > 1:
        return None
    carry = [m.pick(most=100) for _ in range(m.integer(1, 3))]
    carry = [c for c in carry if c is not None]
    if not carry:
        return None

    def body(i: Any, c: Any) -> Any:
        inner = m.inner([i, *c])
        inner.grow(m.integer(1, 5))
        return [inner.fit(inner.pick(), v.shape, v.dtype) for v in c]

    return list(lax.fori_loop(0, m.integer(0, 4), body, carry))


@operation(1)
def while_loop(m: Maker) -> Any:
    if m.depth > 1 or m.smooth:
        return None
    carry = [m.pick(most=100) for _ in range(m.integer(1, 3))]
    carry = [c for c in carry if c is not None]
    if not carry:
        return None
    most = m.integer(0, 5)

    def test(c: Any) -> Any:
        inner = m.inner(list(c))
        inner.grow(m.integer(0, 3))
        extra = inner.pick()
        going = c[0] < most
        if extra is not None and extra.size and m.chance(0.5):
            going = going & (convert(extra, np.float32).sum() > -3)
        return going

    def body(c: Any) -> Any:
        inner = m.inner(list(c))
        inner.grow(m.integer(1, 5))
        return [c[0] + 1, *[inner.fit(inner.pick(), v.shape, v.dtype) for v in c[1:]]]

    return list(lax.while_loop(test, body, [jnp.int32(0), *carry]))[1:]


@operation(1.5)
def branches(m: Maker) -> Any:
    if m.depth > 1:
        return None
    operands = [x for x in (m.pick(most=300) for _ in range(m.integer(1, 3))) if x is not None]
    if not operands:
        return None
    like = [m.pick(most=300) for _ in range(m.integer(1, 2))]
    like = [x for x in like if x is not None]

    def branch(*values: Any) -> Any:
        inner = m.inner(values)
        inner.grow(m.integer(0, 4))
        return [inner.fit(inner.pick(), x.shape, x.dtype) for x in like]

    if m.chance(0.5):
        which = m.fit(m.pick(), (), np.dtype(bool))
        return list(lax.cond(which, branch, branch, *operands))
    which = m.fit(m.rather("iu"), (), np.dtype("int32"))
    return list(lax.switch(which, [branch] * m.integer(2, 4), *operands))


@operation(0.6)
def call(m: Maker) -> Any:
    if m.depth > 1:
        return None
    operands = [x for x in (m.pick() for _ in range(2)) if x is not None]

    def f(*values: Any) -> Any:
        inner = m.inner(values)
        inner.grow(m.integer(1, 5))
        return [inner.pick()]

    return list(m.rng.choice([adlib.jit, adlib.checkpoint])(f)(*operands))


# ------------------------------------------------------------------------ whole programs


class Case:
    """A program with its arguments.

    Attributes:
      closed: its jaxpr.
      values: ndarrays to run it on.
      x64: whether 64-bit types were on.
    """

    def __init__(self, closed: Any, values: list[np.ndarray], x64: bool) -> None:
        self.closed = closed
        self.values = values
        self.x64 = x64


def palette(rng: random.Random, x64: bool, native: bool) -> list[str]:
    """The types of one program."""
    floats = ["float32", "float32"] + (["float64"] * 2 if x64 else [])
    ints = [d for d in INTS if x64 or "64" not in d]
    found = [rng.choice(floats), "int32", "bool", rng.choice(floats), rng.choice(ints)]
    if rng.random() < 0.3:
        found += rng.sample(ints, 2)
    if not native and rng.random() < 0.3:
        found.append(rng.choice(SMALL_FLOATS))
    if not native and rng.random() < 0.3:
        found.append("complex64" if not x64 else rng.choice(COMPLEX))
    return found


def random_case(rng: random.Random, steps: int | None = None, native: bool = False) -> Case:
    """A random program, or one that a transformation makes of it; ``native`` leaves out types
    that may need kernels."""
    x64 = rng.random() < 0.6
    dtypes = palette(rng, x64, native)
    special = rng.random() < 0.2
    count = rng.randint(1, 4)
    numpy_rng = np.random.default_rng(rng.randint(0, 1 << 30))
    outer = Maker(rng, dtypes)
    values = [numbers(numpy_rng, outer.shape(), outer.dtype(), special) for _ in range(count)]
    if steps is None:
        steps = rng.randint(1, 25) if rng.random() < 0.9 else rng.randint(40, 100)
    way = rng.choice(["plain", "plain", "plain", "vjp", "vjp", "jvp", "vmap", "second"])

    def f(*args: Any) -> list[Any]:
        maker = Maker(rng, dtypes, smooth=way in ("vjp", "jvp", "second"))
        maker.pool = list(args)
        maker.grow(steps)
        return maker.results()

    with adlib.enable_x64(x64):
        function, values = transformed(f, values, way)
        closed = adlib.make_jaxpr(function)(*values)
    return Case(closed, values, x64)


def transformed(f: Any, values: list[np.ndarray], way: str) -> tuple[Any, list[np.ndarray]]:
    """A function that a transformation makes, and its arguments."""
    smooth = [i for i, v in enumerate(values) if jnp.issubdtype(v.dtype, np.inexact)]
    if way == "vmap":
        return adlib.vmap(f), [np.stack([v, v[..., ::-1] if v.ndim else v, v]) for v in values]
    if way == "plain" or not smooth:
        return f, values

    def of_smooth(*moving: Any) -> Any:
        args = [jnp.asarray(v) for v in values]
        for i, x in zip(smooth, moving, strict=True):
            args[i] = x
        return [y for y in f(*args) if jnp.issubdtype(y.dtype, np.inexact)]

    chosen = [values[i] for i in smooth]
    if way == "jvp":
        ones = [np.ones_like(v) for v in chosen]
        return lambda *a: adlib.jvp(of_smooth, a, tuple(jnp.asarray(o) for o in ones)), chosen

    def pull(*args: Any) -> Any:
        ys, back = adlib.vjp(of_smooth, *args)
        return ys, back([jnp.ones_like(y) for y in ys])

    if way == "second":
        ones = [np.ones_like(v) for v in chosen]
        return lambda *a: adlib.jvp(pull, a, tuple(jnp.asarray(o) for o in ones)), chosen
    return pull, chosen
