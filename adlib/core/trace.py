"""Traces and tracers: how a program is intercepted.

One interpreter is current at any time. A primitive that is applied hands itself to the
current trace; a transformation's trace does its part in terms of further primitives,
applied with its *parent* as the current trace. At the bottom stands the evaluator. There
is no stack of levels and no search for the highest tracer: a trace treats every value that
is not its own as a constant.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from adlib.base import errors
from adlib.base.config import config
from adlib.base.source import SourceLocation, here
from adlib.core import leaks
from adlib.core.array import Array
from adlib.core.avals import is_undefined_primal


class Trace:
    """An interpreter of primitives."""

    __slots__ = ("alive", "parent")
    parent: Trace | None

    def __init__(self, parent: Trace | None) -> None:
        self.parent = parent
        self.alive = True

    def process(self, primitive: Any, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Apply ``primitive``; one result, or a list where it has multiple results."""
        raise NotImplementedError


class _State(threading.local):
    trace: Trace

    def __init__(self) -> None:
        self.trace = base_trace[0]
        self.axis_sizes: dict[Any, int] = {}


base_trace: list[Any] = [None]  # filled by evaluate.py with the one evaluator
state = _State()


class using:
    """``with using(trace):`` makes ``trace`` the current one, and restores the old."""

    __slots__ = ("_previous", "_trace")

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def __enter__(self) -> Trace:
        self._previous = state.trace
        state.trace = self._trace
        return self._trace

    def __exit__(self, *exc: object) -> None:
        state.trace = self._previous


class fresh:
    """``with fresh(Trace(...)) as trace:`` also ends the trace's life afterwards.

    A tracer that is met after that has leaked, and says so.
    """

    __slots__ = ("_previous", "_trace")

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def __enter__(self) -> Any:
        self._previous = state.trace
        state.trace = self._trace
        return self._trace

    def __exit__(self, *exc: object) -> None:
        state.trace = self._previous
        self._trace.alive = False
        if _watched and exc[0] is None and config.jax_check_tracer_leaks:
            leaks.check(self._trace, Tracer)


_watched = False  # whether leaked tracers are looked for in any thread


def _note_watched() -> None:
    global _watched
    _watched = config.anywhere("jax_check_tracer_leaks")


config.on_change(_note_watched)


class Tracer(Array):
    """A stand-in for a value while a function is transformed."""

    __slots__ = ("_trace",)
    _trace: Any

    def source(self) -> SourceLocation | None:
        """The user's line that made the value, where it was recorded."""
        return None

    def concrete(self) -> Any:
        """The known array behind the tracer, or None while only its type is known."""
        return None

    def __bool__(self) -> bool:
        value = self.concrete()
        if value is None:
            raise errors.bool_conversion(self)
        return bool(value)

    def _to_python(self, target: type) -> Any:
        value = self.concrete()
        if value is None:
            raise errors.scalar_conversion(self, target.__name__)
        return target(value)

    def __float__(self) -> float:
        value = self.concrete()
        if value is None:
            raise errors.scalar_conversion(self, "float")
        raise errors.ConcretizationTypeError(
            f"float(...) would cut the value out of the derivative being computed.{here()}\n"
            "  Repair: keep it an array (adlib.numpy functions); if it is meant to be a "
            "constant, say float(lax.stop_gradient(x))."
        )

    def __int__(self) -> int:
        return int(self._to_python(int))

    def __complex__(self) -> complex:
        value = self.concrete()
        if value is None:
            raise errors.scalar_conversion(self, "complex")
        return complex(value)

    def __index__(self) -> int:
        value = self.concrete()
        if value is None:
            raise errors.index_conversion(self)
        return int(value.__index__())

    def item(self, *index: int) -> Any:
        value = self.concrete()
        if value is None:
            raise errors.scalar_conversion(self, "item")
        return value.item(*index)

    def tolist(self) -> Any:
        value = self.concrete()
        if value is None:
            raise errors.scalar_conversion(self, "tolist")
        return value.tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        value = self.concrete()
        if value is None:
            raise errors.scalar_conversion(self, "tobytes")
        return bytes(value.tobytes(order))

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise errors.array_conversion(self)

    def __reduce__(self) -> Any:
        raise errors.scalar_conversion(self, "pickle.dumps")

    def block_until_ready(self) -> Tracer:
        return self

    def __iter__(self) -> Iterator[Any]:
        if not self.aval.shape:
            raise TypeError(f"iteration over a traced array of rank 0.{here()}")
        return (self[i] for i in range(self.aval.shape[0]))  # type: ignore[index]

    def __format__(self, spec: str) -> str:
        value = self.concrete()
        return format(repr(self) if value is None else value, spec)

    def __repr__(self) -> str:
        return f"{type(self).__name__}<{self.aval.str_short()}>"


def check_leaks(args: tuple[Any, ...]) -> None:
    """Raise the teaching error if an argument of a primitive is a tracer or no array."""
    for arg in args:
        if isinstance(arg, Tracer):
            raise errors.leaked(arg)
        if is_undefined_primal(arg):
            raise errors.not_linear()
        if not isinstance(arg, Array):
            raise TypeError(
                f"a primitive was applied to {type(arg)}, which is no array.{here()}\n"
                "  Repair: convert it with jnp.asarray(...)."
            )


def axis_size(name: Any) -> int:
    """Size of the named axis of an enclosing vmap; NameError where there is none."""
    try:
        return state.axis_sizes[name]
    except KeyError:
        bound = ", ".join(repr(n) for n in state.axis_sizes) or "none"
        raise NameError(
            f"unbound axis name: {name!r}.{here()}\n  Collectives such as lax.psum need an "
            f"enclosing vmap(..., axis_name={name!r}); bound here: {bound}."
        ) from None


class named_axis:
    """Bind an axis name to a size within a ``with`` block."""

    def __init__(self, name: Any, size: int) -> None:
        self._name, self._size = name, size

    def __enter__(self) -> None:
        self._saved = state.axis_sizes
        if self._name is not None:
            state.axis_sizes = {**self._saved, self._name: self._size}

    def __exit__(self, *exc: object) -> None:
        state.axis_sizes = self._saved
