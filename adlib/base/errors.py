"""Exceptions with messages that teach: what was given, what is wanted, where, and the repair."""

from __future__ import annotations

from typing import Any

from adlib.base import source


class JAXTypeError(TypeError):
    """An argument of a kind that a transformed function cannot take."""


class JAXIndexError(IndexError):
    """An index that cannot be used on a traced array."""


class JaxprTypeError(TypeError):
    """A jaxpr whose equations do not fit together."""


class TypePromotionError(ValueError):
    """Dtypes that have no common promotion under the configured rules."""


class ConcretizationTypeError(JAXTypeError):
    """A concrete value was needed where only a type (shape and dtype) is known."""


class TracerBoolConversionError(ConcretizationTypeError):
    """``if``, ``while``, ``and``, ``or`` or ``assert`` on a traced value."""


class TracerIntegerConversionError(JAXTypeError):
    """A traced value used where Python needs an integer (``range``, list index)."""


class TracerArrayConversionError(JAXTypeError):
    """A traced value given to NumPy, which would need its numbers."""


class NonConcreteBooleanIndexError(JAXIndexError):
    """A boolean mask of unknown content as an index: the result's shape is unknown."""


class UnexpectedTracerError(JAXTypeError):
    """A traced value used after the transformation that made it has ended."""


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
