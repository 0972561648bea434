"""Samples of the primitives that contain programs, made by staging the functions that users call.

They are built anew for the dtypes in use, so that derivatives can be checked in double
precision like all others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import adlib
from adlib import lax
from adlib.control.loops import scan
from adlib.core import Literal, Sample, ShapedArray
from adlib.core.array import to_numpy
from adlib.interpreters.stage import stage
from adlib.ops.operands import normal


def _float() -> np.dtype:
    return np.dtype(np.float64 if adlib.config.jax_enable_x64 else np.float32)


def _sample(primitive: str, function: Callable[..., Any], *shapes: tuple, name: str) -> Sample:
    """The first equation of ``primitive`` that a function leaves in its jaxpr."""
    avals = [ShapedArray(shape, _float()) for shape in shapes]

    def flat(*args: Any) -> list[Any]:
        out = function(*args)
        return list(out) if isinstance(out, (tuple, list)) else [out]

    closed = stage(flat, avals)
    eqn = next(e for e in closed.eqns if e.primitive.name == primitive)
    known = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    args = []
    for atom in eqn.invars:
        if isinstance(atom, Literal) or atom in known:
            args.append(to_numpy(atom.array if isinstance(atom, Literal) else known[atom]))
        elif atom.aval.dtype.kind in "biu":
            args.append(np.ones(atom.aval.shape, atom.aval.dtype))
        else:
            args.append(normal(*atom.aval.shape, dtype=atom.aval.dtype))
    return Sample(tuple(args), eqn.params, name)


# ------------------------------------------------------------------ functions


def _curved(x: Any, y: Any) -> Any:
    return lax.mul(lax.sin(x), y), lax.exp(lax.mul(x, y))


@adlib.custom_jvp
def _own_jvp(x, y):
    return lax.mul(lax.sin(x), y)


@_own_jvp.defjvp
def _own_jvp_rule(primals, tangents):
    (x, y), (tx, ty) = primals, tangents
    return _own_jvp(x, y), lax.add(lax.mul(tx, lax.mul(lax.cos(x), y)), lax.mul(lax.sin(x), ty))


@adlib.custom_batching.custom_vmap
def _own_vmap(x, y):
    return lax.mul(lax.sin(x), y)


@_own_vmap.def_vmap
def _own_vmap_rule(axis_size, in_batched, x, y):
    spread = [
        v if batched else lax.broadcast(v, (axis_size,))
        for v, batched in zip((x, y), in_batched, strict=True)
    ]
    return lax.mul(lax.sin(spread[0]), spread[1]), True


def _own_transpose(r, x):
    return adlib.custom_derivatives.linear_call(
        lambda r, x: lax.div(x, r), lambda r, ct: lax.div(ct, r), lax.exp(r), x
    )


@adlib.custom_vjp
def _own_vjp(x, y):
    return lax.mul(lax.sin(x), y)


_own_vjp.defvjp(
    lambda x, y: (_own_vjp(x, y), (x, y)),
    lambda xy, ct: (lax.mul(ct, lax.mul(lax.cos(xy[0]), xy[1])), lax.mul(ct, lax.sin(xy[0]))),
)


def _branches(x: Any, y: Any) -> Any:
    index = lax.convert_element_type(lax.gt(lax.reduce_sum(x, (0,)), -100.0), np.int32)
    return lax.switch(
        index,
        [
            lambda x, y: (x, y),
            lambda x, y: (lax.mul(lax.sin(x), y), lax.exp(y)),
            lambda x, y: (lax.mul(x, x), x),
        ],
        x,
        y,
    )


def _loop(reverse: bool) -> Callable[..., Any]:
    def run(w: Any, carry: Any, xs: Any) -> Any:
        def body(c: Any, x: Any) -> Any:
            c = lax.sin(lax.add(lax.mul(c, w), x))
            return c, lax.mul(c, x)

        return scan(body, carry, xs, reverse=reverse)

    return run


def _while(x: Any, w: Any) -> Any:
    return lax.while_loop(
        lambda state: lax.lt(state[0], 3),
        lambda state: (lax.add(state[0], 1), lax.sin(lax.mul(state[1], w))),
        (0, x),
    )


PROGRAM_SAMPLES: dict[str, Callable[[], list[Sample]]] = {
    "jit": lambda: [_sample("jit", adlib.jit(_curved), (2, 3), (2, 3), name="two-results")],
    "remat2": lambda: [_sample("remat2", adlib.checkpoint(_curved), (2, 3), (2, 3), name="two")],
    "custom_vmap_call": lambda: [
        _sample("custom_vmap_call", _own_vmap, (3,), (3,), name="product")
    ],
    "linear_call": lambda: [_sample("linear_call", _own_transpose, (3,), (3,), name="quotient")],
    "custom_jvp_call": lambda: [_sample("custom_jvp_call", _own_jvp, (3,), (3,), name="product")],
    "custom_vjp_call": lambda: [_sample("custom_vjp_call", _own_vjp, (3,), (3,), name="product")],
    "cond": lambda: [_sample("cond", _branches, (3,), (3,), name="three-branches")],
    "scan": lambda: [
        _sample("scan", _loop(False), (2,), (2,), (3, 2), name="forward"),
        _sample("scan", _loop(True), (2,), (2,), (3, 2), name="reverse"),
    ],
    "while": lambda: [_sample("while", _while, (2,), (2,), name="three-turns")],
}
