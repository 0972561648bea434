"""Binomial checkpointing: a long scan differentiated within a fixed memory.

With s snapshots and at most r runs of each step, reverse mode of a loop reaches
``comb(s + r, s)`` steps, and no schedule does better (Griewank 1992; Griewank and Walther 2000,
"Algorithm 799: Revolve"). Memory and time both grow like the logarithm of the length, where
storing everything grows linearly in memory and storing nothing quadratically in time.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from adlib import lax
from adlib import numpy as jnp
from adlib.api.compilation import eval_shape
from adlib.api.custom import closure_convert
from adlib.api.derivatives import vjp
from adlib.base.source import here
from adlib.control.custom_vjp import custom_vjp
from adlib.tree_util import tree_flatten, tree_leaves, tree_map, tree_unflatten

_ADVANCE, _SAVE, _LOAD, _REVERSE = range(4)


class Schedule(NamedTuple):
    """What the reverse sweep of a loop does, in order.

    Attributes:
      actions: (n, 2) int32: 0 advances the state by the step of that number, 1 saves it into
        the slot of that number, 2 loads it from there, 3 reverses the step of that number.
      advances: how often a step is run forward beyond the n runs of its reversal.
      snapshots: how many slots are used.
    """

    actions: np.ndarray[Any, Any]
    advances: int
    snapshots: int


def extra_advances(length: int, snapshots: int) -> int:
    """The least number of additional forward steps (Griewank and Walther 2000, theorem 6.1).

    >>> extra_advances(10, 10), extra_advances(10, 3), extra_advances(10, 1)
    (9, 15, 45)
    """
    if length <= 1:
        return 0
    runs = 0
    while math.comb(snapshots + runs, snapshots) < length:
        runs += 1
    return runs * length - math.comb(snapshots + runs, runs - 1)


@functools.lru_cache(maxsize=64)
def schedule(length: int, snapshots: int) -> Schedule:
    """The optimal schedule for a loop of ``length`` steps with ``snapshots`` slots.

    Raises:
      ValueError: no slot: the first state needs one.

    >>> schedule(3, 1).actions.tolist()
    [[1, 0], [0, 0], [0, 1], [3, 2], [2, 0], [0, 0], [3, 1], [2, 0], [3, 0]]
    """
    if snapshots < 1:
        raise ValueError(
            f"a schedule wants one snapshot or more; it was given {snapshots}.{here()}"
        )
    actions: list[tuple[int, int]] = []
    # ranges still to be reversed: first step, number of steps, free slots, slot of the first state
    work = [(0, length, snapshots - 1, 0)] if length else []
    if length:
        actions.append((_SAVE, 0))
    at = 0  # the step whose state is at hand
    while work:
        first, count, free, slot = work.pop()
        if at != first:
            actions.append((_LOAD, slot))
            at = first
        while count > 1:
            ahead = _split(count, free) if free else count - 1
            actions += [(_ADVANCE, step) for step in range(first, first + ahead)]
            work.append((first, ahead, free, slot))
            first, count, at = first + ahead, count - ahead, first + ahead
            if count > 1 or free:
                if count > 1:
                    slot = snapshots - free
                    actions.append((_SAVE, slot))
                    free -= 1
        actions.append((_REVERSE, first))
        at = -1
    table = np.array(actions, np.int32).reshape(-1, 2)
    advances = int((table[:, 0] == _ADVANCE).sum())
    return Schedule(table, advances, min(snapshots, max(length, 1)))


@functools.cache
def _split(count: int, free: int) -> int:
    """How many steps to advance before the next snapshot: any that keeps the rest optimal."""
    total = extra_advances(count, free + 1)
    runs = 0
    while math.comb(free + 1 + runs, free + 1) < count:
        runs += 1
    low = max(1, count - math.comb(free + runs, free))
    for ahead in range(low, count):
        if ahead + extra_advances(ahead, free + 1) + extra_advances(count - ahead, free) == total:
            return ahead
    raise AssertionError("the binomial bound is attained by some split")


# ------------------------------------------------------------------------ the scan


def checkpointed_scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    *,
    snapshots: int | None = None,
    max_bytes: int | None = None,
) -> tuple[Any, Any]:
    """``lax.scan`` whose reverse mode keeps a few states and runs steps again from them.

    Args:
      f, init, xs, length: as for ``lax.scan``.
      snapshots: how many states may be kept at a time, 1 or more.
      max_bytes: instead, how many bytes the kept states may take.

    Returns:
      As ``lax.scan``. Gradients with respect to ``init``, ``xs`` and what ``f`` closes over are
      the same as those of ``lax.scan``; forward mode is not defined.

    Raises:
      ValueError: neither or both of ``snapshots`` and ``max_bytes``; a budget below one state.

    >>> import adlib, adlib.numpy as jnp
    >>> from adlib.experimental.revolve import checkpointed_scan
    >>> def last(x):
    ...     return checkpointed_scan(lambda c, _: (jnp.sin(c), None), x, length=100, snapshots=4)[0]
    >>> adlib.grad(last)(1.0).round(5)
    Array(0.0037, dtype=float32, weak_type=True)
    """
    if (snapshots is None) == (max_bytes is None):
        raise ValueError(
            f"checkpointed_scan wants either snapshots or max_bytes.{here()}\n  Repair: "
            "snapshots=10 keeps ten states."
        )
    lengths = {np.shape(leaf)[0] for leaf in tree_leaves(xs)} | (
        {length} if length is not None else set()
    )
    if len(lengths) != 1:
        return lax.scan(f, init, xs, length)  # says what is wrong with the lengths
    (count,) = lengths
    init = tree_map(jnp.asarray, init)
    xs = tree_map(jnp.asarray, xs)
    if max_bytes is not None:
        state = sum(leaf.nbytes for leaf in tree_leaves(init))
        snapshots = count if state == 0 else int(max_bytes // state)
        if snapshots < 1:
            raise ValueError(
                f"checkpointed_scan was given max_bytes={max_bytes}, but one state takes {state} "
                f"bytes.{here()}"
            )
    one = (
        tree_map(lambda x: x[0], xs)
        if count
        else tree_map(lambda x: jnp.zeros(x.shape[1:], x.dtype), xs)
    )
    step, consts = closure_convert(f, init, one)
    eval_shape(lambda c, x: lax.scan(f, c, x, length=count), init, xs)  # scan's own checks
    return _loop(
        step, count, max(1, min(int(snapshots or 1), max(count, 1))), init, xs, tuple(consts)
    )


@functools.partial(custom_vjp, nondiff_argnums=(0, 1, 2))
def _loop(step: Any, count: int, snapshots: int, init: Any, xs: Any, consts: Any) -> Any:
    return lax.scan(lambda c, x: step(c, x, *consts), init, xs, count)


def _forward(step: Any, count: int, snapshots: int, init: Any, xs: Any, consts: Any) -> Any:
    return _loop(step, count, snapshots, init, xs, consts), (init, xs, consts)


def _backward(step: Any, count: int, snapshots: int, kept: Any, cts: Any) -> Any:
    """Follows the schedule: one loop over its actions, with the snapshots in one buffer."""
    init, xs, consts = kept
    carry_ct, ys_ct = cts
    plan = schedule(count, snapshots)
    if count == 0:
        return carry_ct, tree_map(jnp.zeros_like, xs), tree_map(jnp.zeros_like, consts)
    floats = [_is_float(leaf) for leaf in tree_leaves((xs, consts))]
    leaves, treedef = tree_flatten((xs, consts))
    sums = [jnp.zeros_like(leaf) for leaf, is_float in zip(leaves, floats, strict=True) if is_float]
    slots = tree_map(lambda x: jnp.zeros((plan.snapshots, *x.shape), x.dtype), init)

    def at(values: Any, k: Any) -> Any:
        return tree_map(lambda v: lax.dynamic_index_in_dim(v, k, keepdims=False), values)

    def advance(k: Any, loop: Any) -> Any:
        state, slots, ct, sums = loop
        return step(state, at(xs, k), *consts)[0], slots, ct, sums

    def save(k: Any, loop: Any) -> Any:
        state, slots, ct, sums = loop
        put = functools.partial(lax.dynamic_update_index_in_dim, index=k, axis=0)
        return state, tree_map(put, slots, state), ct, sums

    def load(k: Any, loop: Any) -> Any:
        _, slots, ct, sums = loop
        return at(slots, k), slots, ct, sums

    def reverse(k: Any, loop: Any) -> Any:
        state, slots, ct, sums = loop
        x = at(xs, k)
        _, pull = vjp(lambda c, x, consts: step(c, x, *consts), state, x, consts)
        new_ct, x_ct, consts_ct = pull((ct, at(ys_ct, k)))
        rest = iter(sums)
        added = []
        pairs = zip(tree_leaves((x_ct, consts_ct)), _in_xs(xs, consts), floats, strict=True)
        for share, of_xs, is_float in pairs:
            if not is_float:
                continue
            total = next(rest)
            added.append(total.at[k].set(share) if of_xs else total + share)
        return state, slots, new_ct, added

    def act(loop: Any, action: Any) -> Any:
        branches = [functools.partial(b, action[1]) for b in (advance, save, load, reverse)]
        return lax.switch(action[0], branches, loop), None

    start = (init, slots, carry_ct, sums)
    (_, _, ct, sums), _ = lax.scan(act, start, jnp.asarray(plan.actions))
    rest = iter(sums)
    found = [next(rest) if is_float else None for is_float in floats]
    xs_ct, consts_ct = tree_unflatten(treedef, found)
    return ct, xs_ct, consts_ct


def _in_xs(xs: Any, consts: Any) -> list[bool]:
    return [True] * len(tree_leaves(xs)) + [False] * len(tree_leaves(consts))


def _is_float(x: Any) -> bool:
    return x.dtype.kind in "fcV"


_loop.defvjp(_forward, _backward)

__all__ = ["Schedule", "checkpointed_scan", "extra_advances", "schedule"]
