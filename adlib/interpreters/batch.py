"""Vectorization: values carry a batch axis, and rules say where it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from adlib.core.array import Array
from adlib.core.jaxpr import ClosedJaxpr
from adlib.core.primitive import Primitive
from adlib.core.trace import Trace, Tracer, fresh, named_axis, state, using
from adlib.interpreters import derive
from adlib.interpreters.stage import StageTrace, replay
from adlib.ops.reshaping import broadcast_to, moveaxis


class AxisData(NamedTuple):
    """The axis that is mapped over: its name (or None) and size."""

    name: Any
    size: int


class BatchTracer(Tracer):
    """An array with one axis, ``dim``, hidden from the function that computes with it."""

    __slots__ = ("dim", "value")

    def __init__(self, trace: Any, value: Array, dim: int) -> None:
        self._trace = trace
        self.value = value
        self.dim = dim
        aval = value.aval
        self.aval = aval.update(shape=aval.shape[:dim] + aval.shape[dim + 1 :])

    def source(self) -> Any:
        return self.value.source() if isinstance(self.value, Tracer) else None


class BatchTrace(Trace):
    """Applies batching rules; values without the batch axis pass to the parent."""

    __slots__ = ("axis", "eager")

    def __init__(self, parent: Trace, axis: AxisData) -> None:
        super().__init__(parent)
        self.axis = axis
        self.eager = derive.eager(parent)

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        values = []
        dims: list[int | None] = []
        active = self.axis.name is not None and _names(params, self.axis.name)
        for a in args:
            if isinstance(a, BatchTracer) and a._trace is self:
                values.append(a.value)
                dims.append(a.dim)
                active = True
            else:
                values.append(a)
                dims.append(None)
        parent = self.parent
        previous = state.trace
        state.trace = parent  # type: ignore[assignment]
        try:
            if not active:
                return parent.process(primitive, tuple(values), params)  # type: ignore[union-attr]
            if self.eager and primitive.first_order:
                outs = self._run_derived(primitive, values, dims, params)
                if outs is not None:
                    return outs
            if primitive.inline is None:
                out, out_dims = primitive.batch(self.axis, values, dims, **params)
                if primitive.multiple_results:
                    return [self.tracer(o, d) for o, d in zip(out, out_dims, strict=True)]
                return self.tracer(out, out_dims)
        finally:
            state.trace = previous
        return primitive.inline(*args, **params)

    def tracer(self, value: Any, dim: int | None) -> Any:
        return value if dim is None else BatchTracer(self, value, dim)

    def split(self, x: Any) -> tuple[Any, int | None]:
        """(value, dim) of any value; dim is None where it has no batch axis."""
        if isinstance(x, BatchTracer) and x._trace is self:
            return x.value, x.dim
        return x, None

    def _run_derived(
        self, primitive: Primitive, values: list[Any], dims: list[Any], params: dict[str, Any]
    ) -> Any:
        avals = tuple([v.aval for v in values])
        key = ("batch", self.axis, tuple(dims), avals, *params.items())

        def make() -> derive.Derived:
            return derive.Derived(*_batched_rule(primitive, self.axis, avals, dims, params))

        derived = derive.lookup(primitive, key, make)
        if derived is None:
            return None
        outs = derived(values)
        tracers = [self.tracer(o, d) for o, d in zip(outs, derived.info, strict=True)]
        return tracers if primitive.multiple_results else tracers[0]


def _names(params: dict[str, Any], name: Any) -> bool:
    """Whether a collective's parameters speak of the axis ``name``."""
    named = params.get("axes") if "axis_name" not in params else params["axis_name"]
    return name in named if isinstance(named, tuple) else named == name


def _batched_rule(
    primitive: Primitive, axis: AxisData, avals: Any, dims: list[Any], params: dict[str, Any]
) -> tuple[ClosedJaxpr, list[Any]]:
    """One primitive's batching rule as a program; also where its results carry the axis."""
    with fresh(StageTrace()) as base:
        inputs = [base.new_input(aval) for aval in avals]
        with fresh(BatchTrace(base, axis)) as trace:
            args = [trace.tracer(x, d) for x, d in zip(inputs, dims, strict=True)]
            out = primitive.bind(*args, **params)
        pairs = [trace.split(o) for o in (out if primitive.multiple_results else [out])]
        return base.close([v for v, _ in pairs]), [d for _, d in pairs]


def batch_flat(
    function: Callable[..., Sequence[Any]],
    axis: AxisData,
    args: Sequence[Any],
    dims: Sequence[int | None],
) -> list[tuple[Any, int | None]]:
    """Map a function of flat arguments; results come as (value, dim)."""
    with named_axis(axis.name, axis.size), fresh(BatchTrace(state.trace, axis)) as trace:
        outs = function(*[trace.tracer(a, d) for a, d in zip(args, dims, strict=True)])
        return [trace.split(o) for o in outs]


def at_front(axis: AxisData, value: Any, dim: int | None) -> Any:
    """The value with the batch axis first, made by repetition where there was none."""
    if dim is None:
        return broadcast_to(value, (axis.size, *value.aval.shape))
    return moveaxis(value, dim, 0)


def batch_jaxpr(
    closed: ClosedJaxpr,
    axis: AxisData,
    batched: Sequence[bool],
    force_out: bool | Sequence[bool] = False,
) -> tuple[ClosedJaxpr, list[bool]]:
    """A jaxpr mapped over axis 0 of the inputs that are ``batched``.

    Results that depend on a batched input carry the batch axis first; the mask that is
    returned says which. ``force_out`` makes all, or some, carry it.
    """
    forced = (
        (force_out,) * len(closed.jaxpr.outvars)
        if isinstance(force_out, bool)
        else tuple(force_out)
    )
    key = ("batch", axis, tuple(batched), forced)
    return closed.cached(key, lambda: _batch_jaxpr(closed, axis, batched, forced))  # type: ignore[no-any-return]


def _batch_jaxpr(
    closed: ClosedJaxpr, axis: AxisData, batched: Sequence[bool], forced: Sequence[bool]
) -> tuple[ClosedJaxpr, list[bool]]:
    with named_axis(axis.name, axis.size), fresh(StageTrace()) as base:
        inputs = [
            base.new_input(aval.update(shape=(axis.size, *aval.shape)) if b else aval)
            for aval, b in zip(closed.in_avals, batched, strict=True)
        ]
        with fresh(BatchTrace(base, axis)) as trace:
            args = [trace.tracer(x, 0 if b else None) for x, b in zip(inputs, batched, strict=True)]
            outs = [trace.split(o) for o in replay(closed.jaxpr, closed.consts, args, base)]
        with using(base):
            results = [
                at_front(axis, v, d) if d is not None or force else v
                for (v, d), force in zip(outs, forced, strict=True)
            ]
        mask = [d is not None or force for (_, d), force in zip(outs, forced, strict=True)]
        return base.close(results), mask
