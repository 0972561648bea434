"""Makers of functions that apply one primitive to arguments that have met (promotion.py).

Most functions of NumPy are an operation, a rule for dtypes and a line of documentation.
The makers below write the function; fast paths come first, since eager execution runs them
at every operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, scalar
from adlib.core.primitive import registry
from adlib.core.trace import state
from adlib.numpy.promotion import adopt, convert, promote, promote_inexact, to_array

_BOOL = np.dtype(bool)

UNARY_FLOAT = """Args:
      x: array or number; integers and booleans are converted to floats.

    Returns:
      Array of the same shape."""
_UNARY = """Args:
      x: array or number.

    Returns:
      Array of the same shape."""
_BINARY = """Args:
      x, y: arrays or numbers whose shapes broadcast; dtypes are promoted.

    Returns:
      Array of the broadcast shape."""


def finish(function: Callable[..., Any], name: str, args: str, doc: tuple[str, str, str]) -> Any:
    """Give a made function the name and the documentation of a written one."""
    what, call, shown = doc
    function.__name__ = function.__qualname__ = name
    function.__module__ = "adlib.numpy"
    shown = shown.replace("\n", "\n    ")
    function.__doc__ = (
        f"{what}\n\n    {args}\n\n"
        f"    >>> import adlib.numpy as jnp\n    >>> {call}\n    {shown}\n    "
    )
    return function


def no_out(name: str, out: Any) -> None:
    """Raise the error for ``out=``, which would change an array in place."""
    if out is not None:
        raise NotImplementedError(
            f"The 'out' argument to jnp.{name} is not supported: arrays are immutable.{here()}"
        )


def not_of_ufuncs(name: str, out: Any) -> NotImplementedError:
    """The error for ``out=`` and ``where=``, which NumPy's ufuncs have."""
    if out is not None:
        return NotImplementedError(
            f"The 'out' argument to jnp.{name} is not supported: arrays are immutable.{here()}"
        )
    return NotImplementedError(
        f"The 'where' argument to jnp.{name} is not supported.{here()}\n  Repair: "
        f"jnp.where(mask, jnp.{name}(...), otherwise)."
    )


def float_unary(name: str, primitive_name: str, *doc: str) -> Any:
    """A function of one argument that computes in floating point."""
    primitive = registry[primitive_name]

    def ufunc(x: Any, /) -> Any:
        if isinstance(x, Array) and x.aval.dtype.kind in "fc":
            return state.trace.process(primitive, (x,), {})
        return primitive.bind(*promote_inexact(name, x))

    return finish(ufunc, name, UNARY_FLOAT, doc)


def unary(name: str, primitive_name: str, *doc: str) -> Any:
    """A function of one argument of any dtype that the primitive takes."""
    primitive = registry[primitive_name]

    def ufunc(x: Any, /, *, out: None = None, where: None = None) -> Any:
        if out is not None or where is not None:
            raise not_of_ufuncs(name, out)
        return state.trace.process(primitive, (to_array(x, name),), {})

    return finish(ufunc, name, _UNARY, doc)


def binary(name: str, primitive_name: str, *doc: str) -> Any:
    """A function of two arguments in their common dtype."""
    primitive = registry[primitive_name]

    def ufunc(x: Any, y: Any, /, *, out: None = None, where: None = None) -> Any:
        if out is not None or where is not None:
            raise not_of_ufuncs(name, out)
        if isinstance(x, Array) and isinstance(y, Array) and x.aval is y.aval:
            return state.trace.process(primitive, (x, y), {})
        return state.trace.process(primitive, tuple(promote(name, x, y)), {})

    return finish(ufunc, name, _BINARY, doc)


def float_binary(name: str, primitive_name: str, *doc: str) -> Any:
    """A function of two arguments that computes in floating point."""
    primitive = registry[primitive_name]

    def ufunc(x: Any, y: Any, /) -> Any:
        return state.trace.process(primitive, tuple(promote_float(name, x, y)), {})

    return finish(ufunc, name, _BINARY, doc)


def ordering(name: str, primitive_name: str, *doc: str) -> Any:
    """A comparison by size; complex numbers compare by real part, then by imaginary part."""
    primitive = registry[primitive_name]

    def ufunc(x: Any, y: Any, /) -> Any:
        x, y = promote(name, x, y)
        if x.aval.dtype.kind != "c":
            return state.trace.process(primitive, (x, y), {})
        real_x, real_y = lax.real(x), lax.real(y)
        by_imag = primitive.bind(lax.imag(x), lax.imag(y))
        return lax.select_n(lax.eq(real_x, real_y), primitive.bind(real_x, real_y), by_imag)

    return finish(ufunc, name, _BINARY, doc)


def logical(name: str, primitive_name: str, *doc: str) -> Any:
    """A function of two truth values; numbers are true where they are not zero."""
    primitive = registry[primitive_name]

    def ufunc(x: Any, y: Any, /, *, out: None = None, where: None = None) -> Any:
        if out is not None or where is not None:
            raise not_of_ufuncs(name, out)
        x, y = to_array(x, name), to_array(y, name, 1)
        truths = promote(name, truth(x), truth(y))
        if not x.aval.shape and not y.aval.shape:
            _, weak = dtypes.promote(*[(v.aval.dtype, v.aval.weak_type) for v in (x, y)])
            truths = [convert(v, _BOOL, weak) for v in truths]
        return primitive.bind(*truths)

    return finish(ufunc, name, _BINARY, doc)


def truth(x: Array) -> Array:
    """Whether elements differ from zero, as booleans."""
    if x.aval.dtype == _BOOL:
        return x
    weak = x.aval.weak_type and not x.aval.shape
    return lax.ne(x, scalar(0, x.aval.dtype, weak))  # type: ignore[no-any-return]


def promote_float(name: str, x: Any, y: Any) -> list[Array]:
    """``promote_inexact`` of two arguments, with the common cases first."""
    if isinstance(x, Array) and x.aval.dtype.kind in "fc":
        if isinstance(y, Array):
            if x.aval is y.aval:
                return [x, y]
        else:
            constant = adopt(y, x.aval)
            if constant is not None:
                return [x, constant]
    elif isinstance(y, Array) and y.aval.dtype.kind in "fc":
        constant = adopt(x, y.aval)
        if constant is not None:
            return [constant, y]
    return promote_inexact(name, x, y)
