"""Exceptions with messages that teach: what was given, what is wanted, where, and the repair."""

from __future__ import annotations

from typing import Any

from adlib.base import source


class JAXTypeError(TypeError):
    """An argument of a kind that a transformed function cannot take.

    >>> import adlib
    >>> issubclass(adlib.errors.TracerArrayConversionError, adlib.errors.JAXTypeError)
    True
    """


class JAXIndexError(IndexError):
    """An index that cannot be used on a traced array.

    >>> import adlib
    >>> issubclass(adlib.errors.NonConcreteBooleanIndexError, adlib.errors.JAXIndexError)
    True
    """


class JaxprTypeError(TypeError):
    """A jaxpr whose equations do not fit together.

    >>> import adlib
    >>> from adlib.core import check_jaxpr
    >>> jaxpr = adlib.make_jaxpr(lambda x: x * 2)(1.0).jaxpr
    >>> jaxpr.invars.clear()
    >>> try:
    ...     check_jaxpr(jaxpr)
    ... except adlib.errors.JaxprTypeError as error:
    ...     print(type(error).__name__)
    JaxprTypeError
    """


class TypePromotionError(ValueError):
    """Dtypes that have no common promotion under the configured rules.

    >>> import adlib, adlib.numpy as jnp
    >>> with adlib.numpy_dtype_promotion("strict"):
    ...     try:
    ...         jnp.ones(2, int) + jnp.ones(2)
    ...     except adlib.dtypes.TypePromotionError as error:
    ...         print(type(error).__name__)
    TypePromotionError
    """


class ConcretizationTypeError(JAXTypeError):
    """A concrete value was needed where only a type (shape and dtype) is known.

    >>> import adlib
    >>> try:
    ...     adlib.jit(lambda x: float(x))(3.0)
    ... except adlib.errors.ConcretizationTypeError as error:
    ...     print(type(error).__name__)
    ConcretizationTypeError
    """


class TracerBoolConversionError(ConcretizationTypeError):
    """``if``, ``while``, ``and``, ``or`` or ``assert`` on a traced value.

    >>> import adlib
    >>> try:
    ...     adlib.jit(lambda x: 1 if x > 0 else 2)(1.0)
    ... except adlib.errors.TracerBoolConversionError as error:
    ...     print(type(error).__name__)
    TracerBoolConversionError
    """


class TracerIntegerConversionError(JAXTypeError):
    """A traced value used where Python needs an integer (``range``, list index).

    >>> import adlib
    >>> try:
    ...     adlib.jit(lambda i: [1.0, 2.0][i])(1)
    ... except adlib.errors.TracerIntegerConversionError as error:
    ...     print(type(error).__name__)
    TracerIntegerConversionError
    """


class TracerArrayConversionError(JAXTypeError):
    """A traced value given to NumPy, which would need its numbers.

    >>> import adlib
    >>> import numpy as np
    >>> try:
    ...     adlib.jit(lambda x: np.sin(np.asarray(x)))(1.0)
    ... except adlib.errors.TracerArrayConversionError as error:
    ...     print(type(error).__name__)
    TracerArrayConversionError
    """


class NonConcreteBooleanIndexError(JAXIndexError):
    """A boolean mask of unknown content as an index: the result's shape is unknown.

    >>> import adlib, adlib.numpy as jnp
    >>> try:
    ...     adlib.jit(lambda x: x[x > 0])(jnp.ones(3))
    ... except adlib.errors.NonConcreteBooleanIndexError as error:
    ...     print(type(error).__name__)
    NonConcreteBooleanIndexError
    """


class UnexpectedTracerError(JAXTypeError):
    """A traced value used after the transformation that made it has ended.

    >>> import adlib
    >>> kept = []
    >>> _ = adlib.jit(lambda x: kept.append(x))(1.0)
    >>> try:
    ...     kept[0] + 1
    ... except adlib.errors.UnexpectedTracerError as error:
    ...     print(type(error).__name__)
    UnexpectedTracerError
    """


def kind_of(tracer: Any) -> str:
    return f"{type(tracer).__name__} of type {tracer.aval.str_short()}"


def origin_of(tracer: Any) -> str:
    """A sentence on which line made the traced value, where that is known."""
    location = tracer.source()
    return f"\n  The value was made {source.describe(location)}" if location else ""


def bool_conversion(tracer: Any) -> TracerBoolConversionError:
    shape = tracer.aval.shape
    if shape and tracer.aval.size != 1:
        extra = f"\n  It also has shape {shape}: reduce it with jnp.any(...) or jnp.all(...) first."
    else:
        extra = ""
    return TracerBoolConversionError(
        f"Attempted boolean conversion of a traced value ({kind_of(tracer)}): while a function "
        "is being traced, only its type is known, so Python cannot decide an `if`, `while`, "
        f"`and`, `or` or `assert` on it.{source.here()}{origin_of(tracer)}{extra}\n"
        "  Repair: use jnp.where(condition, a, b) or lax.cond for the choice, "
        "lax.while_loop for the loop, or mark the argument static "
        "(jit(f, static_argnums=...)) if the choice depends on a Python value."
    )


def scalar_conversion(tracer: Any, target: str) -> ConcretizationTypeError:
    return ConcretizationTypeError(
        f"{target}(...) needs the number itself, but the value is traced ({kind_of(tracer)}): "
        f"only its type is known here.{source.here()}{origin_of(tracer)}\n"
        f"  Repair: keep computing with adlib.numpy instead of converting with {target}(); "
        "convert after the transformed function has returned."
    )


def index_conversion(tracer: Any) -> TracerIntegerConversionError:
    return TracerIntegerConversionError(
        f"A Python integer is needed, but the value is traced ({kind_of(tracer)}).{source.here()}"
        f"{origin_of(tracer)}\n"
        "  Repair: for a loop use lax.fori_loop; for indexing turn the sequence into an array "
        "with jnp.asarray(...) first; or make the argument static (jit(f, static_argnums=...))."
    )


def array_conversion(tracer: Any) -> TracerArrayConversionError:
    return TracerArrayConversionError(
        f"NumPy was given a traced value ({kind_of(tracer)}), whose numbers are not known while "
        f"the function is traced.{source.here()}{origin_of(tracer)}\n"
        "  Repair: call the function of the same name in adlib.numpy (jnp.sin, not np.sin)."
    )


def leaked(tracer: Any) -> UnexpectedTracerError:
    return UnexpectedTracerError(
        f"A traced value ({kind_of(tracer)}) was used outside of the transformation that made "
        f"it.{source.here()}{origin_of(tracer)}\n"
        "  It was probably stored by the function in a global, an attribute or a list, or a "
        "custom rule closes over it.\n"
        "  Repair: return the value from the transformed function, or pass it as an argument."
    )


def still_held(tracer: Any, holder: str) -> UnexpectedTracerError:
    return UnexpectedTracerError(
        f"Leaked tracer: a traced value ({kind_of(tracer)}) is still held after the transformation "
        f"that made it has ended.{source.here()}{origin_of(tracer)}\n"
        f"  It is held by {holder}.\n"
        "  Repair: return the value from the transformed function instead of storing it."
    )


def not_linear() -> NotImplementedError:
    return NotImplementedError(
        "The function that was transposed is not linear: a transpose rule needs the value of an "
        f"argument that it must be linear in.{source.here()}\n"
        "  Repair: for the derivative of a function that is not linear use vjp; a custom_jvp rule "
        "must be linear in its tangents."
    )


def immutable(target: str, index: Any) -> TypeError:
    return TypeError(
        f"adlib arrays are immutable: x[{_index_text(index)}] = value does not work on "
        f"{target}.{source.here()}\n"
        "  Repair: x = x.at[idx].set(value) makes an updated copy (also .add, .multiply, "
        ".min, .max)."
    )


def _index_text(index: Any) -> str:
    text = repr(index)
    return text if len(text) <= 20 else "idx"
