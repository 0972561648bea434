"""The sparsity pattern of a Jacobian, found without computing it.

The function is traced and pushed forward (``jvp_jaxpr``); what depends on tangents in the
resulting program is linear in them, and patterns are propagated through that part, operation by
operation. So whatever the rules of derivatives are, custom ones included, it is the pattern of
what they compute. Values that do not depend on the argument are computed on the way, so that
indices, masks and constant matrices count as what they are; where a value is not known, or an
operation has no rule, the pattern is dense there. It never lacks an entry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from adlib.api.arguments import Partial, check_callable, normalize_argnums, select
from adlib.core.array import ArrayImpl
from adlib.core.evaluate import evaluator
from adlib.core.jaxpr import (
    ClosedJaxpr,
    Eqn,
    Jaxpr,
    Literal,
    Var,
    dead_code_eliminated,
    last_uses,
)
from adlib.core.trace import using
from adlib.experimental.sparse.patterns import Value, identity, result_patterns, union
from adlib.interpreters.jvp import jvp_jaxpr
from adlib.interpreters.stage import stage

# Loops of more equations in all are not followed round by round.
_MOST_UNROLLED = 10_000


def jacobian_sparsity(
    fun: Callable[..., Any], argnums: int | Sequence[int] = 0
) -> Callable[..., Any]:
    """The pattern of the Jacobian of ``fun``, from its program alone.

    Args:
      fun: function of arrays or pytrees of them.
      argnums: the arguments to differentiate with respect to. The others are constants, and
        the pattern is the pattern for their values; for those differentiated with respect
        to, it holds at every point.

    Returns:
      A function of the arguments of ``fun`` that returns a ``scipy.sparse.csr_array`` of
      booleans of shape ``(m, n)``: a row for each number in the result, a column for each
      number in the arguments, both counted through their leaves in order. It may hold more
      than the nonzeros (where operations are not known exactly), never less.

    >>> import adlib.numpy as jnp
    >>> pattern = jacobian_sparsity(lambda x: jnp.diff(x) ** 2)(jnp.ones(4))
    >>> pattern.toarray().astype(int)
    array([[1, 1, 0, 0],
           [0, 1, 1, 0],
           [0, 0, 1, 1]])
    """
    check_callable(fun, "jacobian_sparsity")
    positions = normalize_argnums(argnums, "jacobian_sparsity")

    def sparsity(*args: Any, **kwargs: Any) -> Any:
        chosen = select(args, positions, "jacobian_sparsity", fun)
        partial = Partial(fun, args, kwargs, chosen, "jacobian_sparsity")
        return detect(partial, [leaf.aval for leaf in partial.leaves()])[0]

    return sparsity


def detect(function: Callable[..., Any], avals: Sequence[Any]) -> tuple[Any, str]:
    """The pattern of a function of flat arguments, and the mode it is restricted to.

    That is ``"fwd"`` where a ``while_loop`` has no reverse mode, ``"rev"`` where a
    ``custom_vjp`` has no forward mode, and ``""`` mostly.
    """
    closed = stage(function, avals)
    pushed, mask = jvp_jaxpr(closed, [True] * len(avals))
    count = len(closed.out_avals)
    inner = pushed.jaxpr
    linear = dead_code_eliminated(
        Jaxpr(inner.constvars, inner.invars, inner.outvars[count:], inner.eqns)
    )
    width = sum(aval.size for aval in avals)
    points = [Value(aval.shape, None) for aval in avals]
    tangents, start = [], 0
    everything = identity(width)
    for aval in avals:
        tangents.append(Value(aval.shape, everything[start : start + aval.size]))
        start += aval.size
    follower = _Follower()
    with using(evaluator):
        outs = iter(follower.run(linear, pushed.consts, [*points, *tangents]))
    blocks = []
    for aval, there in zip(closed.out_avals, mask, strict=True):
        pattern = next(outs).pattern if there else None
        blank = sp.csr_array((aval.size, width), dtype=bool)
        blocks.append(blank if pattern is None else pattern)
    found = sp.vstack(blocks, "csr", dtype=bool) if blocks else sp.csr_array((0, width), dtype=bool)
    found.sum_duplicates()
    found.eliminate_zeros()
    return found, follower.restricted


class _Follower:
    """Runs programs on what is known of their values."""

    def __init__(self) -> None:
        self.restricted = ""

    def run(self, jaxpr: Jaxpr, consts: Sequence[Any], args: Sequence[Value]) -> list[Value]:
        env: dict[Var, Value] = {
            var: Value(var.aval.shape, None, const if type(const) is ArrayImpl else None)
            for var, const in zip(jaxpr.constvars, consts, strict=True)
        }
        env.update(zip(jaxpr.invars, args, strict=True))

        def read(atom: Any) -> Value:
            return Value((), None, atom.array) if isinstance(atom, Literal) else env[atom]

        for eqn, dying in zip(jaxpr.eqns, last_uses(jaxpr), strict=True):
            outs = self.equation(eqn, [read(atom) for atom in eqn.invars])
            env.update(zip(eqn.outvars, outs, strict=True))
            for var in dying:
                env.pop(var, None)
        return [read(atom) for atom in jaxpr.outvars]

    def closed(self, jaxpr: ClosedJaxpr | Jaxpr, args: Sequence[Value]) -> list[Value]:
        if isinstance(jaxpr, Jaxpr):
            return self.run(jaxpr, [], args)
        return self.run(jaxpr.jaxpr, jaxpr.consts, args)

    def equation(self, eqn: Eqn, values: list[Value]) -> list[Value]:
        name, params = eqn.primitive.name, eqn.params
        shapes = [var.aval.shape for var in eqn.outvars]
        if all(v.known is not None for v in values) and not eqn.has_effect:
            out = eqn.primitive.bind(*[v.known for v in values], **params)
            outs = out if eqn.primitive.multiple_results else [out]
            return [Value(s, None, o) for s, o in zip(shapes, outs, strict=True)]
        if name in ("jit", "remat2", "custom_jvp_call", "custom_vjp_call"):
            inner = params.get("jaxpr", params.get("call_jaxpr"))
            if isinstance(inner, (Jaxpr, ClosedJaxpr)):
                return self.closed(inner, values)
        if name == "cond":
            return self.cond(eqn, values)
        if name == "scan":
            return self.scan(eqn, values)
        if all(v.pattern is None for v in values):
            return [Value(shape, None) for shape in shapes]
        if name == "while":
            return self.while_(eqn, values)
        if name == "custom_lin":
            self.restricted = "rev"
        patterns = result_patterns(eqn, values)
        return [Value(s, p) for s, p in zip(shapes, patterns, strict=True)]

    def cond(self, eqn: Eqn, values: list[Value]) -> list[Value]:
        branches = eqn.params["branches"]
        index = values[0].known
        if index is not None:
            chosen = min(max(int(index), 0), len(branches) - 1)
            return self.closed(branches[chosen], values[1:])
        results = [self.closed(branch, values[1:]) for branch in branches]
        return [
            Value(several[0].shape, union([v.pattern for v in several]))
            for several in zip(*results, strict=True)
        ]

    def scan(self, eqn: Eqn, values: list[Value]) -> list[Value]:
        """Round by round, each with its own slices; long loops all rounds at once."""
        params, body = eqn.params, eqn.params["jaxpr"]
        length, first = params["length"], params["num_consts"]
        start = first + params["num_carry"]
        consts, carry, xs = values[:first], values[first:start], values[start:]
        ys: list[list[Value]] = [[] for _ in eqn.outvars[params["num_carry"] :]]
        if length * len(body.eqns) > _MOST_UNROLLED:
            return self.long_scan(eqn, consts, carry, xs)
        order = range(length - 1, -1, -1) if params["reverse"] else range(length)
        for i in order:
            outs = self.closed(body, [*consts, *carry, *[_slice(x, i) for x in xs]])
            carry = outs[: len(carry)]
            for y, out in zip(ys, outs[len(carry) :], strict=True):
                y.append(out)
        stacked = [
            _stack(y[::-1] if params["reverse"] else y, var.aval.shape)
            for y, var in zip(ys, eqn.outvars[len(carry) :], strict=True)
        ]
        return [*carry, *stacked]

    def long_scan(
        self, eqn: Eqn, consts: list[Value], carry: list[Value], xs: list[Value]
    ) -> list[Value]:
        every = [Value(x.shape[1:], _any_slice(x)) for x in xs]
        carry, outs = self.settled(
            lambda state: self.closed(eqn.params["jaxpr"], [*consts, *state, *every]), carry
        )
        ys = [
            Value(var.aval.shape, None if y.pattern is None else sp.vstack(
                [y.pattern] * eqn.params["length"], "csr"))
            for y, var in zip(outs[len(carry) :], eqn.outvars[len(carry) :], strict=True)
        ]  # fmt: skip
        return [*carry, *ys]

    def while_(self, eqn: Eqn, values: list[Value]) -> list[Value]:
        self.restricted = "fwd"
        p = eqn.params
        first = p["cond_nconsts"]
        start = first + p["body_nconsts"]
        consts = values[first:start]
        return self.settled(
            lambda state: self.closed(p["body_jaxpr"], [*consts, *state]), values[start:]
        )[0]

    def settled(
        self, body: Callable[[list[Value]], list[Value]], carry: list[Value]
    ) -> tuple[list[Value], list[Value]]:
        """The carry that a further round adds nothing to, and that round's results."""
        carry = [Value(v.shape, v.pattern) for v in carry]
        while True:
            outs = body(carry)
            patterns = [
                union([a.pattern, b.pattern])
                for a, b in zip(carry, outs[: len(carry)], strict=True)
            ]
            if all(_count(p) == _count(v.pattern) for p, v in zip(patterns, carry, strict=True)):
                return carry, outs
            carry = [Value(v.shape, p) for v, p in zip(carry, patterns, strict=True)]


def _count(pattern: Any) -> int:
    return 0 if pattern is None else int(pattern.nnz)


def _slice(x: Value, i: int) -> Value:
    shape = x.shape[1:]
    size = int(np.prod(shape, dtype=np.int64))
    pattern = None if x.pattern is None else x.pattern[i * size : (i + 1) * size]
    return Value(shape, pattern, None if x.known is None else x.known[i])


def _any_slice(x: Value) -> Any:
    """What any slice depends on, entry by entry."""
    if x.pattern is None:
        return None
    return union([_slice(x, i).pattern for i in range(x.shape[0])])


def _stack(rounds: list[Value], shape: tuple[int, ...]) -> Value:
    width = next((v.pattern.shape[1] for v in rounds if v.pattern is not None), None)
    if width is None:
        return Value(shape, None)
    blocks = [
        sp.csr_array((v.size, width), dtype=bool) if v.pattern is None else v.pattern
        for v in rounds
    ]
    return Value(shape, sp.vstack(blocks, "csr"))
