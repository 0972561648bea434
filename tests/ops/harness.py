"""What the registry-driven tests do with one sample of one primitive.

A ``Case`` is a primitive applied to a sample's arguments, seen as a flat function of arrays.
Derivatives are compared with finite differences in double precision, so arguments and
dtype parameters are widened for them; everything else runs in the sample's own dtypes.
Inner products are ``Re sum(a * b)``: transposes do not conjugate.
"""

from __future__ import annotations

import importlib
import pkgutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import adlib.control
import adlib.ops
from adlib.core import Array, Primitive, Sample, Zero, backend, check_jaxpr, dtypes, registry
from adlib.core.array import from_numpy
from adlib.core.jaxpr import ClosedJaxpr, Jaxpr, eval_jaxpr
from adlib.core.program import program
from adlib.interpreters.batch import AxisData, at_front, batch_flat
from adlib.interpreters.jvp import jvp_flat
from adlib.interpreters.linearize import linearize_flat
from adlib.interpreters.stage import stage
from adlib.interpreters.transpose import pull_back
from adlib.ops.reshaping import instantiate

BATCH = 3
STEP = 1e-4  # of finite differences, and the error allowed to them
RTOL = 2e-6
_WIDE = {
    np.dtype(np.float16): np.dtype(np.float64),
    np.dtype(np.float32): np.dtype(np.float64),
    dtypes.bfloat16: np.dtype(np.float64),
    np.dtype(np.complex64): np.dtype(np.complex128),
}


def load_primitives() -> dict[str, Primitive]:
    """The registry, once every module that defines primitives is imported."""
    for package in (adlib.ops, adlib.control):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    importlib.import_module("adlib.experimental.checkify")
    return registry


class Case:
    """One primitive on one sample.

    Attributes:
      args: its arguments as Arrays.
      wide: whether dtypes were widened to double precision.
      places: positions of the arguments that have tangents.
    """

    def __init__(self, primitive: Primitive, sample: Sample, wide: bool = False) -> None:
        self.primitive = primitive
        self.sample = sample
        self.wide = wide
        self.rng = np.random.default_rng(zlib.crc32(f"{primitive}-{sample.name}".encode()))
        self.params = widened_param(sample.params) if self.wide else sample.params
        self.args = [self.make(a) for a in sample.args]
        self.places = [i for i, a in enumerate(self.args) if dtypes.is_inexact(a.dtype)]

    def make(self, argument: Any) -> Array:
        """An argument of the sample as an Array; functions draw new numbers at each call."""
        value = argument(self.rng) if callable(argument) else argument
        if isinstance(value, Array):
            return value
        value = np.asarray(value)
        if self.wide:
            value = value.astype(_WIDE.get(value.dtype, value.dtype))
        return from_numpy(value)

    def __call__(self, *args: Array) -> list[Any]:
        out = self.primitive.bind(*args, **self.params)
        return list(out) if self.primitive.multiple_results else [out]

    def function(self, places: Sequence[int]) -> Callable[..., list[Any]]:
        """The results with tangents, as a function of the arguments in ``places`` alone."""

        def run(*moving: Array) -> list[Any]:
            args = list(self.args)
            for i, value in zip(places, moving, strict=True):
                args[i] = value
            return [o for o in self(*args) if dtypes.is_inexact(o.aval.dtype)]

        return run

    def moving(self, places: Sequence[int]) -> list[Array]:
        return [self.args[i] for i in places]

    def directions(self, like: Sequence[Array]) -> list[Array]:
        return [array(direction(self.rng, x.shape, x.dtype)) for x in like]


def widened_param(value: Any) -> Any:
    """Parameters with floating-point dtypes, and the programs among them, in double precision."""
    if isinstance(value, np.dtype):
        return _WIDE.get(value, value)
    if isinstance(value, Jaxpr):
        return widened_param(ClosedJaxpr(value, [])).jaxpr
    if isinstance(value, ClosedJaxpr):
        avals = [a.update(dtype=_WIDE.get(a.dtype, a.dtype)) for a in value.in_avals]
        if avals == value.in_avals:
            return value
        return stage(lambda *args: eval_jaxpr(value.jaxpr, value.consts, *args), avals)
    if type(value) is dict:
        return {k: widened_param(v) for k, v in value.items()}
    return tuple(widened_param(v) for v in value) if type(value) is tuple else value


def direction(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    value = rng.standard_normal(shape)
    if dtypes.is_complex(dtype):
        value = value + 1j * rng.standard_normal(shape)
    return np.asarray(value).astype(dtype)


def array(value: np.ndarray) -> Array:
    return from_numpy(np.asarray(value))


def numpy(x: Any) -> np.ndarray:
    """A result or tangent as an ndarray of doubles (or integers, or words of keys)."""
    value = np.asarray(instantiate(x)._value)
    return value.astype(_WIDE.get(value.dtype, value.dtype))


def inner(xs: Sequence[Any], ys: Sequence[Any]) -> float:
    """``Re sum x * y``, without conjugation."""
    pairs = [(x, y) for x, y in zip(xs, ys, strict=True) if Zero not in (type(x), type(y))]
    return float(sum(np.real(np.sum(numpy(x) * numpy(y))) for x, y in pairs))


def subsets(places: Sequence[int]) -> list[tuple[int, ...]]:
    """Each argument alone, and all of them."""
    alone = [(i,) for i in places]
    return alone if len(alone) < 2 else [*alone, tuple(places)]


def assert_close(given: Any, wanted: Any, rtol: float, what: str) -> None:
    """Compare ndarrays, relative to the largest finite entry; NaN equals NaN."""
    given, wanted = np.asarray(given), np.asarray(wanted)
    assert given.shape == wanted.shape, f"{what}: shape {given.shape}, wanted {wanted.shape}"
    if wanted.dtype.kind not in "fc":
        np.testing.assert_array_equal(given, wanted, err_msg=what)
        return
    finite = np.abs(wanted[np.isfinite(wanted)])
    scale = max(1.0, float(finite.max())) if finite.size else 1.0
    np.testing.assert_allclose(given, wanted, rtol=rtol, atol=rtol * scale, err_msg=what)


# ----------------------------------------------------------------- evaluation


def check_shape(case: Case) -> None:
    """Kernel's results have the types that the shape rule gives, for arrays and NumPy scalars;
    arguments are left alone."""
    avals = case.primitive.abstract([a.aval for a in case.args], case.params)
    values = [a._value for a in case.args]
    copies = [v.copy() for v in values]
    outs = case(*case.args)
    assert [o.aval for o in outs] == avals
    kernel = case.primitive.kernel(backend.default().xp, case.params)
    scalars = [v[()] if v.ndim == 0 else v for v in values]
    with np.errstate(all="ignore"):
        made = [kernel(*values), kernel(*scalars)] if case.primitive.first_order else []
    for out in made:
        for o, aval in zip(out if case.primitive.multiple_results else [out], avals, strict=True):
            assert np.shape(o) == aval.shape
            if not isinstance(aval.dtype, dtypes.ExtendedDType):
                assert o.dtype == aval.dtype, f"kernel makes {o.dtype}, rule says {aval.dtype}"
    for value, copy in zip(values, copies, strict=True):
        np.testing.assert_array_equal(value, copy, err_msg="an argument was written to")


def check_staged(case: Case) -> None:
    """The primitive in a jaxpr, run as a program, gives what it gives at once."""
    closed = stage(case, [a.aval for a in case.args])
    check_jaxpr(closed.jaxpr)
    assert str(closed)
    with np.errstate(all="ignore"):
        outs = program(closed, backend.default().xp)(*[a._value for a in case.args])
    for given, wanted in zip(outs, case(*case.args), strict=True):
        assert_close(np.asarray(given), np.asarray(wanted._value), 1e-6, "staged")


# ---------------------------------------------------------------- derivatives


def _stepped(args: Sequence[Array], vs: Sequence[Array], h: float) -> list[Array]:
    return [
        array(x._value + (h * np.asarray(v._value)).astype(x.dtype))
        for x, v in zip(args, vs, strict=True)
    ]


def finite_difference(
    f: Callable[..., list[Any]], args: Sequence[Array], vs: Sequence[Array], h: float
) -> list[np.ndarray]:
    """Derivative of f at args along vs: central differences of fourth order."""
    at = {s: [numpy(o) for o in f(*_stepped(args, vs, s * h))] for s in (-2, -1, 1, 2)}
    return [
        (8 * _change(p, m) - _change(pp, mm)) / (12 * h)
        for mm, m, p, pp in zip(at[-2], at[-1], at[1], at[2], strict=True)
    ]


def _change(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.where(a == b, 0, a - b)  # infinities that stay do not change


def check_jvp(case: Case) -> None:
    """Forward mode against finite differences, in each argument and in all."""
    for places in subsets(case.places):
        f, args = case.function(places), case.moving(places)
        vs = case.directions(args)
        outs, tangents = jvp_flat(f, args, vs)
        for o, t in zip(outs, tangents, strict=True):
            assert (t.aval.shape, t.aval.dtype) == (o.aval.shape, o.aval.dtype), "type of tangent"
        wanted = finite_difference(f, args, vs, STEP)
        for t, w in zip(tangents, wanted, strict=True):
            assert_close(numpy(t), w, RTOL, f"jvp in arguments {places}")


def check_native_jvp(case: Case, wide: Case) -> None:
    """The pushforward in the sample's own dtypes against that in double precision."""
    if not case.places:
        return
    wide.args = [array(numpy(a)) if dtypes.is_inexact(a.dtype) else a for a in case.args]
    wide.places = case.places
    args = case.moving(case.places)
    vs = case.directions(args)
    outs, tangents = jvp_flat(case.function(case.places), args, vs)
    wide_vs = [array(numpy(v)) for v in vs]
    exact, exact_tangents = jvp_flat(wide.function(case.places), wide.moving(case.places), wide_vs)
    small = min(a.dtype.itemsize for a in (*args, *outs))
    rtol = 1e-4 if small >= 4 else 1e-1
    for o, t, e, et in zip(outs, tangents, exact, exact_tangents, strict=True):
        assert (t.aval.shape, t.aval.dtype) == (o.aval.shape, o.aval.dtype), "type of tangent"
        assert_close(numpy(o), numpy(e), rtol, "value")
        assert_close(numpy(t), numpy(et), rtol, "tangent")


def check_transpose(case: Case) -> None:
    """Reverse mode against forward mode: <Jv, w> = <v, J'w>."""
    for places in subsets(case.places):
        f, args = case.function(places), case.moving(places)
        outs, linear = linearize_flat(f, args)
        vs, ws = case.directions(args), case.directions(outs)
        tangents = jvp_flat(f, args, vs)[1]
        replayed = linear.apply(vs)
        for t, r in zip(tangents, replayed, strict=True):
            assert_close(numpy(r), numpy(t), 1e-9, "linearized")
        cts = pull_back(linear, ws)
        for x, ct in zip(args, cts, strict=True):
            assert (ct.aval.shape, ct.aval.dtype) == (x.aval.shape, x.aval.dtype), "cotangent"
        assert_equal_numbers(inner(tangents, ws), inner(vs, cts), 1e-9)


def assert_equal_numbers(a: float, b: float, rtol: float) -> None:
    np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


def _second(case: Case, us: Sequence[Array], vs: Sequence[Array]) -> list[Any]:
    """The second derivative along us and vs, forward over forward, checked by differences."""
    f, args = case.function(case.places), case.moving(case.places)

    def pushed(*xs: Array) -> list[Any]:
        return [instantiate(t) for t in jvp_flat(f, xs, vs)[1]]

    second = jvp_flat(pushed, args, us)[1]
    for t, w in zip(second, finite_difference(pushed, args, us, STEP), strict=True):
        assert_close(numpy(t), w, 10 * RTOL, "second derivative")
    return second


def check_forward_second_order(case: Case) -> None:
    """jvp of jvp against differences of the jvp."""
    args = case.moving(case.places)
    _second(case, case.directions(args), case.directions(args))


def check_second_order(case: Case) -> None:
    """jvp of jvp against differences of the jvp; the other orders of modes against it."""
    f, args = case.function(case.places), case.moving(case.places)
    us, vs = case.directions(args), case.directions(args)
    ws = case.directions(f(*args))
    number = inner(_second(case, us, vs), ws)
    pulled = _pulled(f, ws)
    assert_equal_numbers(inner(jvp_flat(pulled, args, us)[1], vs), number, 1e-8)
    assert_equal_numbers(inner(pull_back(linearize_flat(pulled, args)[1], vs), us), number, 1e-8)


def _pulled(f: Callable[..., list[Any]], ws: Sequence[Array]) -> Callable[..., list[Any]]:
    """Cotangents of f's arguments, as a function of the arguments."""
    return lambda *xs: [instantiate(ct) for ct in pull_back(linearize_flat(f, xs)[1], ws)]


def check_reverse(case: Case) -> None:
    """Reverse mode of first and second order against finite differences."""
    f, args = case.function(case.places), case.moving(case.places)
    us, vs = case.directions(args), case.directions(args)
    ws = case.directions(f(*args))
    first = inner(pull_back(linearize_flat(f, args)[1], ws), vs)
    wanted = finite_difference(f, args, vs, STEP)
    assert_equal_numbers(first, inner([array(w) for w in wanted], ws), RTOL)
    pulled = _pulled(f, ws)
    second = inner(pull_back(linearize_flat(pulled, args)[1], vs), us)
    wanted = finite_difference(pulled, args, us, STEP)
    assert_equal_numbers(second, inner([array(w) for w in wanted], vs), 10 * RTOL)


# ------------------------------------------------------------------- batching


def placements(ranks: Sequence[int]) -> Iterator[list[int | None]]:
    """Where the batch axis stands in each argument: in front, at the end, in some, in one."""
    count = len(ranks)
    yield [0] * count
    yield list(ranks)
    if count > 1:
        for i in range(count):
            yield [0 if j == i else None for j in range(count)]
            yield [ranks[j] if j == i else None for j in range(count)]
        yield [0 if j % 2 else ranks[j] for j in range(count)]


def check_batch(case: Case) -> None:
    """Batching rules against a loop, with the batch axis in several places."""
    several = [[case.make(a) for a in case.sample.args] for _ in range(BATCH)]
    for dims in placements([a.ndim for a in case.args]):
        rows = [
            [
                a if d is not None else first
                for a, first, d in zip(row, several[0], dims, strict=True)
            ]
            for row in several
        ]
        looped = [case(*row) for row in rows]
        stacked = [
            rows[0][i] if d is None else _stack([row[i] for row in rows], d)
            for i, d in enumerate(dims)
        ]
        axis = AxisData(None, BATCH)
        for _ in range(3):  # the second and third time by programs derived from the rules
            outs = batch_flat(case, axis, stacked, dims)
            for j, (value, d) in enumerate(outs):
                front = np.asarray(at_front(axis, value, d)._value)
                wanted = np.stack([np.asarray(row[j]._value) for row in looped])
                rtol = 1e-5 if front.dtype.itemsize >= 4 else 2e-2
                front, wanted = (v.astype(_WIDE.get(v.dtype, v.dtype)) for v in (front, wanted))
                assert_close(front, wanted, rtol, f"batched at {dims}, result {j}")


def _stack(arrays: Sequence[Array], axis: int) -> Array:
    value = np.stack([np.asarray(a._value) for a in arrays], axis)
    shape = arrays[0].shape
    aval = arrays[0].aval.update(shape=(*shape[:axis], len(arrays), *shape[axis:]))
    return type(arrays[0])(value, aval)


def check_derived(case: Case) -> None:
    """Rules give the same the first time, and run as derived programs afterwards."""
    args = case.moving(case.places)
    f = case.function(case.places)
    vs = case.directions(args)
    first = None
    for _ in range(3):
        outs, tangents = jvp_flat(f, args, vs)
        primal, linear = linearize_flat(f, args)
        ws = [array(np.ones(o.shape, o.dtype)) for o in primal]
        cts = pull_back(linear, ws)
        found = [numpy(x) for x in (*outs, *tangents, *primal, *cts)]
        if first is None:
            first = found
        for given, wanted in zip(found, first, strict=True):
            assert_close(given, wanted, 1e-6, "derived program")
