"""How far results of a program may differ: as far as noise in its last digits moves them.

Compiled programs round elsewhere than the reference executor: sums have another order, functions
another last digit. What that may do to a result depends on the program, which may cancel, round
or compare. So the reference is run a few times with noise of a few units in the last place on
every number that an inexact equation reads or makes; a result may differ by a multiple of what
the noise did to it, and one that noise does not reach has to agree to the bit.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from adlib.core import dtypes
from adlib.core.jaxpr import ClosedJaxpr, Jaxpr, Literal, subjaxprs

# Equations that only move, choose or count: noise does not enter there.
EXACT = frozenset(
    "broadcast_in_dim reshape transpose rev slice pad concatenate stack gather scatter squeeze "
    "dynamic_slice dynamic_update_slice select_n copy stop_gradient iota neg abs sign clamp "
    "reduce_max reduce_min cummax cummin argmax argmin sort top_k real imag complex conj tile "
    "expand_dims split unstack name optimization_barrier is_finite floor ceil round convert_"
    "element_type eq ne lt le gt ge and or xor not max min bitcast_convert_type".split()
)
SUMS = frozenset("dot_general reduce_sum cumsum conv_general_dilated".split())
ULPS = 4.0


class Noise:
    """Draws noise; without a generator there is none, and this is the plain reference."""

    def __init__(self, rng: np.random.Generator | None) -> None:
        self.rng = rng

    def shaken(self, x: Any) -> Any:
        x = np.asarray(x)
        if self.rng is None or not dtypes.is_inexact(x.dtype):
            return x
        if x.dtype.kind == "c":
            result = np.empty_like(x)
            result.real, result.imag = self.shaken(x.real), self.shaken(x.imag)
            size = np.abs(x) * np.finfo(x.real.dtype).eps * ULPS
            result += (size * self._draw(x.shape)).astype(x.dtype)
            return result
        info = ml_dtypes.finfo(x.dtype)
        wide = x.astype(np.float64)
        moved = wide * (1 + float(info.eps) * ULPS * self._draw(x.shape))
        # numbers below the normal ones have a last place of their own
        moved = np.where(
            wide == 0, wide, moved + float(info.smallest_subnormal) * self._draw(x.shape)
        )
        # which NaN it is, nobody promises
        wide = np.where(np.isnan(wide), np.copysign(wide, self._draw(x.shape)), wide)
        return np.where(np.isfinite(wide), moved, wide).astype(x.dtype)

    def _draw(self, shape: Any) -> Any:
        assert self.rng is not None
        return self.rng.uniform(-1, 1, shape)

    # ------------------------------------------------------------------ programs

    def run(self, closed: ClosedJaxpr, values: Any) -> list[Any]:
        consts = [np.asarray(c._value) for c in closed.consts]
        with np.errstate(all="ignore"):
            return self._jaxpr(closed.jaxpr, consts, values)

    def _jaxpr(self, jaxpr: Jaxpr, consts: Any, values: Any) -> list[Any]:
        env: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
        env.update(zip(jaxpr.invars, values, strict=True))

        def read(atom: Any) -> Any:
            return np.asarray(atom.array._value) if type(atom) is Literal else env[atom]

        for eqn in jaxpr.eqns:
            outs = self._equation(eqn, [read(v) for v in eqn.invars])
            env.update(zip(eqn.outvars, outs, strict=True))
        return [read(v) for v in jaxpr.outvars]

    def _equation(self, eqn: Any, values: list[Any]) -> list[Any]:
        name = eqn.primitive.name
        loop = getattr(self, f"_{name}", None)
        if loop is not None:
            return loop(eqn.params, values)
        exact = name in EXACT and not (name in ("abs", "sign") and values[0].dtype.kind == "c")
        if not exact:
            values = [self.shaken(v) for v in values]
        outs = eqn.primitive.kernel(np, eqn.params)(*values)
        outs = list(outs) if eqn.primitive.multiple_results else [outs]
        outs = [np.asarray(o) for o in outs]
        if self.rng is not None and name in SUMS:
            outs = [self._other_zeros(o) for o in outs]
        return outs if exact else [self.shaken(o) for o in outs]

    def _other_zeros(self, x: Any) -> Any:
        """A sum of one number may be that number, or that number added to zero."""
        if x.dtype.kind != "f":
            return x
        return np.where(x == 0, np.copysign(x, self._draw(x.shape)), x).astype(x.dtype)

    def _jit(self, params: Any, values: Any) -> list[Any]:
        return self.run(params["jaxpr"], values)

    _remat2 = _jit

    def _custom_jvp_call(self, params: Any, values: Any) -> list[Any]:
        return self.run(params["call_jaxpr"], values)

    _custom_vjp_call = _custom_jvp_call

    def _cond(self, params: Any, values: Any) -> list[Any]:
        branches = params["branches"]
        chosen = min(max(int(values[0]), 0), len(branches) - 1)
        return self.run(branches[chosen], values[1:])

    def _while(self, params: Any, values: Any) -> list[Any]:
        a, b = params["cond_nconsts"], params["body_nconsts"]
        for_test, for_body, carry = values[:a], values[a : a + b], values[a + b :]
        while self.run(params["cond_jaxpr"], [*for_test, *carry])[0]:
            carry = self.run(params["body_jaxpr"], [*for_body, *carry])
        return list(carry)

    def _scan(self, params: Any, values: Any) -> list[Any]:
        a, b, length = params["num_consts"], params["num_carry"], params["length"]
        body: ClosedJaxpr = params["jaxpr"]
        consts, carry, xs = values[:a], values[a : a + b], values[a + b :]
        stacked = [np.zeros((length, *v.shape), v.dtype) for v in body.out_avals[b:]]
        order = range(length)
        for i in reversed(order) if params["reverse"] else order:
            outs = self.run(body, [*consts, *carry, *[x[i] for x in xs]])
            carry = outs[:b]
            for target, y in zip(stacked, outs[b:], strict=True):
                target[i] = y
        return [*carry, *stacked]


def spread(closed: ClosedJaxpr, values: Any, runs: int = 6) -> list[tuple[Any, Any]]:
    """For each result: the reference, and all runs of it, the first without noise."""
    results = [Noise(None).run(closed, values)]
    for i in range(runs):
        results.append(Noise(np.random.default_rng(i)).run(closed, values))
    return [(column[0], np.stack(column)) for column in zip(*results, strict=True)]


def differences(given: Any, closed: ClosedJaxpr, values: Any, runs: int = 6) -> list[str]:
    """What is wrong with results: one text for each that differs by more than noise explains."""
    wrong = []
    products = _contains(closed.jaxpr, "dot_general", "conv_general_dilated")
    paddings = _contains(closed.jaxpr, "conv_general_dilated")
    for i, (got, (wanted, all_)) in enumerate(
        zip(given, spread(closed, values, runs), strict=True)
    ):
        got = np.asarray(got)
        if got.shape != wanted.shape or got.dtype != wanted.dtype:
            text = f"{got.dtype}{got.shape} instead of {wanted.dtype}{wanted.shape}"
            wrong.append(f"result {i}: {text}")
            continue
        with np.errstate(all="ignore"):
            bad = _bad(got, wanted, all_)
        if dtypes.is_inexact(wanted.dtype):  # a known zero times NaN may be computed, or not
            bad &= ~(products & np.isnan(wanted)) & ~(paddings & np.isnan(got))
        if bad.any():
            where = tuple(int(k[0]) for k in np.nonzero(bad))
            wrong.append(
                f"result {i}{list(where)}: {got[where]!r} instead of {wanted[where]!r} "
                f"({int(bad.sum())} of {bad.size} elements; under noise {all_[(..., *where)]})"
            )
    return wrong


def _contains(jaxpr: Jaxpr, *names: str) -> bool:
    return any(
        eqn.primitive.name in names
        or any(_contains(inner, *names) for _, inner in subjaxprs(eqn.params))
        for eqn in jaxpr.eqns
    )


def _bad(got: Any, wanted: Any, all_: Any) -> Any:
    """Elements outside of what noise allows."""
    dtype = wanted.dtype
    if dtype.kind == "c":
        parts = [_bad(f(got), f(wanted), f(all_)) for f in (np.real, np.imag)]
        # an error of the one part may be as large as the other part's
        near = np.abs(got - wanted) <= 32 * (np.abs(all_ - wanted).max(0))
        return (parts[0] | parts[1]) & ~near & ~_unsteady(all_)
    if not dtypes.is_inexact(dtype):
        steady = (all_ == wanted).all(0)
        return (got != wanted) & steady
    info = ml_dtypes.finfo(dtype)
    got, wanted, all_ = (np.asarray(a).astype(np.float64) for a in (got, wanted, all_))
    steady = ~_unsteady(all_)
    reach = np.abs(all_ - wanted).max(0)
    scale = float(reach[np.isfinite(reach)].max()) if np.isfinite(reach).any() else 0.0
    # where noise reaches an array at all, its elements may be made another way
    few = 8 * float(info.eps) * np.abs(wanted) * (scale > 0)
    allowed = 32 * reach + few + 4 * float(info.smallest_subnormal) * (scale > 0)
    finite = np.isfinite(wanted) & np.isfinite(got)
    far = finite & ~(np.abs(got - wanted) <= allowed)
    kind = ~finite & ~((got == wanted) | (np.isnan(got) & np.isnan(wanted)))
    # next to the largest number, a last digit may be infinity
    edge = np.maximum(np.abs(all_).max(0), np.abs(wanted)) > float(info.max) / 64
    kind &= ~(edge & ~np.isnan(got))
    return (far | kind) & steady


def _unsteady(all_: Any) -> Any:
    """Where noise changes a number's kind: finite, infinite, NaN."""
    all_ = np.asarray(all_)
    finite = np.isfinite(all_)
    nans = np.isnan(all_)
    signs = np.where(np.isinf(all_), np.sign(all_), 0) if all_.dtype.kind == "f" else 0 * nans
    return ((finite != finite[0]) | (nans != nans[0]) | (signs != signs[0])).any(0)
