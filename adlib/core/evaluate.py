"""The evaluator: the trace at the bottom, which computes with concrete arrays.

The first application of a primitive to arguments of given types checks them and prepares
a kernel; further ones are a dictionary look-up, the kernel, and a wrapper around the result.
"""

from __future__ import annotations

from typing import Any

from adlib.base.config import config
from adlib.base.source import here
from adlib.core import backend, dtypes, quiet
from adlib.core.array import ArrayImpl
from adlib.core.primitive import Primitive
from adlib.core.trace import Trace, base_trace, check_leaks, state

_CACHE_LIMIT = 20_000


class EvalTrace(Trace):
    """Computes at once, on the backend that holds the arguments."""

    __slots__ = ()

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        if primitive.python_impl is not None:
            check_leaks(args)
            return primitive.python_impl(*args, **params)
        if primitive.unfold is not None and _watching():
            return primitive.unfold(*args, **params)
        if backend.several:
            return _placed(primitive, args, params)
        try:
            values = [a._value for a in args]
            if params:
                key: Any = (*[a.aval for a in args], *params.items())
            else:
                key = tuple([a.aval for a in args])
            kernel, out_aval = primitive.eager_cache[key]
        except (KeyError, TypeError, AttributeError):
            check_leaks(args)
            values = [a._value for a in args]
            kernel, out_aval = _prepare(primitive, args, params, backend.cpu())
        token = quiet.enter()
        try:
            out = kernel(*values)
        finally:
            quiet.leave(token)
        if type(out_aval) is not list:
            result = ArrayImpl(out, out_aval)
            if _watching():
                _inspect(primitive, [result])
            return result
        results = [ArrayImpl(o, aval) for o, aval in zip(out, out_aval, strict=True)]
        if _watching():
            _inspect(primitive, results)
        return results


def _prepare(
    primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any], on: backend.Backend
) -> tuple[Any, Any]:
    avals = [a.aval for a in args]
    outs = primitive.abstract(avals, params)
    out_aval = outs if primitive.multiple_results else outs[0]
    entry = (primitive.kernel(on.xp, params), out_aval)
    # Parameters that hold programs are kept by the programs' own cache instead: an entry
    # here would keep every jaxpr alive that was ever run.
    if primitive.first_order:
        key: Any = (*avals, *params.items())
        try:
            if len(primitive.eager_cache) > _CACHE_LIMIT:
                primitive.eager_cache.clear()
            primitive.eager_cache[key if on is backend.cpu() else (on.platform, key)] = entry
        except TypeError:
            pass  # a parameter that cannot be hashed: prepared anew at each call
    return entry


def _placed(primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Compute where there are several devices: on the one that holds the arguments."""
    check_leaks(args)
    free = [a.free or not a.aval.shape for a in args]  # numbers move, too
    on, values = backend.place([a._value for a in args], free, primitive.name)
    key: Any = (*[a.aval for a in args], *params.items())
    try:
        kernel, out_aval = primitive.eager_cache[key if on is backend.cpu() else (on.platform, key)]
    except (KeyError, TypeError):
        kernel, out_aval = _prepare(primitive, args, params, on)
    token = quiet.enter()
    try:
        out = kernel(*values)
    except Exception as error:
        better = on.explained(error, primitive.name)
        if better is None:
            raise
        raise better from error
    finally:
        quiet.leave(token)
    avals = out_aval if type(out_aval) is list else [out_aval]
    results = [
        ArrayImpl(o, aval)
        for o, aval in zip(out if type(out_aval) is list else [out], avals, strict=True)
    ]
    if all(free):
        for result in results:
            result.made_from_nothing()
    if _watching():
        _inspect(primitive, results)
    return results if type(out_aval) is list else results[0]


def _watching() -> bool:
    return _watch[0]


# Whether results may have to be inspected, in this thread or another; kept in a cell, since
# reading three flags at every operation would cost as much as a small operation does.
_watch = [False]


def _refresh_watch() -> None:
    """Take over a change of the flags debug_nans, debug_infs and enable_checks."""
    flags = ("jax_debug_nans", "jax_debug_infs", "jax_enable_checks")
    _watch[0] = any([config.anywhere(flag) for flag in flags])


config.on_change(_refresh_watch)


def _inspect(primitive: Primitive, results: list[ArrayImpl]) -> None:
    for result in results:
        value = result._value
        if config.jax_enable_checks and (
            value.shape != result.aval.shape
            or (value.dtype != result.aval.dtype and result.aval.dtype.kind != "K")
        ):
            raise TypeError(
                f"{primitive.name}: kernel made {value.dtype}{value.shape}, shape rule says "
                f"{result.aval.str_short()}"
            )
        if not dtypes.is_inexact(result.aval.dtype):
            continue
        xp = backend.of_array(value).xp
        if config.jax_debug_nans and xp.isnan(value).any():
            raise FloatingPointError(f"invalid value (nan) encountered in {primitive.name}{here()}")
        if config.jax_debug_infs and xp.isinf(value).any():
            raise FloatingPointError(f"infinity encountered in {primitive.name}{here()}")


evaluator = EvalTrace(None)
base_trace[0] = evaluator
state.trace = evaluator
