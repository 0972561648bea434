"""How a distribution's functions are published: shift and scale, types, signatures, texts.

A distribution gives its functions in standard form. Here they become what users call, with the
parameters of shape first, then ``loc`` and ``scale``; what follows from the others is derived.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array
from adlib.nn import log1mexp
from adlib.numpy.promotion import promote_inexact

_WHAT = {
    "pdf": "Density",
    "logpdf": "Logarithm of the density",
    "pmf": "Probability",
    "logpmf": "Logarithm of the probability",
    "cdf": "Distribution function, the probability of at most ``x``,",
    "logcdf": "Logarithm of the distribution function",
    "sf": "Survival function, the probability of more than ``x``,",
    "logsf": "Logarithm of the survival function",
    "ppf": "Quantile, the inverse of ``cdf``,",
    "isf": "Inverse of ``sf``",
    "entropy": "Entropy",
}
_DERIVED: dict[str, list[tuple[str, Callable[[Any], Any]]]] = {
    "pdf": [("logpdf", jnp.exp)],
    "pmf": [("logpmf", jnp.exp)],
    "cdf": [("logcdf", jnp.exp), ("sf", lambda p: 1 - p)],
    "sf": [("logsf", jnp.exp), ("cdf", lambda p: 1 - p)],
    "logcdf": [("logsf", lambda p: log1mexp(-p)), ("cdf", jnp.log)],
    "logsf": [("logcdf", lambda p: log1mexp(-p)), ("sf", jnp.log)],
}

_OTHER_SIDE = {"logcdf": ("cdf", "sf"), "logsf": ("sf", "cdf")}

Standard = Mapping[str, Callable[..., Any]]


def publish(
    namespace: dict[str, Any],
    title: str,
    shapes: str,
    standard: Standard,
    examples: Mapping[str, tuple[str, str]],
    *,
    parameters: Sequence[str] = ("loc", "scale"),
) -> None:
    """Put the functions named by ``examples`` into a distribution's module.

    Args:
      namespace: the module's globals.
      title: "the normal distribution".
      shapes: names of the parameters of shape, with spaces between.
      standard: functions ``(z, *shapes)`` for loc 0 and scale 1; others follow from these.
      examples: for each public function, its arguments and what the call prints.
      parameters: out of ``loc`` and ``scale``, those that the functions take.
    """
    module = namespace["__name__"].rsplit(".", 1)[1]
    texts = {}
    for name, (arguments, result) in examples.items():
        function = _function(name, module, _standard(name, standard), shapes.split(), parameters)
        function.__module__ = namespace["__name__"]
        function.__doc__ = _text(name, title, module, shapes.split(), parameters, arguments, result)
        namespace[name] = function
        texts[name] = function.__doc__
    # doctest does not look at functions made elsewhere
    namespace.setdefault("__test__", {}).update(texts)


def _standard(name: str, given: Standard) -> Callable[..., Any]:
    """The standard function ``name``: as given, or derived from another one that is."""
    if name in given:
        return given[name]
    if name in _OTHER_SIDE and {"cdf", "sf"} <= set(given):
        near, far = (given[side] for side in _OTHER_SIDE[name])
        return lambda *args: _log_of_the_smaller(near(*args), far(*args))
    for source, last in _DERIVED[name]:
        if source in given:
            return _composed(last, given[source])
    raise LookupError(f"nothing to derive {name} from")


def _log_of_the_smaller(p: Any, rest: Any) -> Any:
    """log(p), from the probability of the rest where that is the smaller one."""
    small = p < 0.5
    return jnp.where(small, jnp.log(jnp.where(small, p, 1)), jnp.log1p(-jnp.where(small, 0, rest)))


def _composed(last: Callable[[Any], Any], first: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: last(first(*args))


def _function(
    name: str,
    module: str,
    standard: Callable[..., Any],
    shapes: Sequence[str],
    parameters: Sequence[str],
) -> Callable[..., Array]:
    """The public function: arguments to common types, to standard form, and back."""
    label = f"{module}.{name}"
    signature = _signature(name, shapes, parameters)
    names = list(signature.parameters)
    defaults = [p.default for p in signature.parameters.values()]

    def function(*args: Any, **kwargs: Any) -> Array:
        values = [*args, *defaults[len(args) :]]
        for key, value in kwargs.items():
            if key not in names[len(args) :]:
                signature.bind(*args, **kwargs)  # says what is wrong with the arguments
            values[names.index(key)] = value
        if len(values) > len(names) or any(value is inspect.Parameter.empty for value in values):
            signature.bind(*args, **kwargs)
        arrays = promote_inexact(label, *values)
        if arrays[0].aval.dtype.kind == "c":
            raise ValueError(f"{label} takes real numbers; it was given complex ones.{here()}")
        if name == "entropy":
            return standard(*arrays[: len(shapes)])
        first, rest = arrays[0], arrays[1:]
        inner, (loc, scale) = rest[: len(shapes)], _loc_scale(rest[len(shapes) :], parameters)
        if name in ("ppf", "isf"):
            result = standard(first, *inner)
            result = result if scale is None else scale * result
            return result if loc is None else loc + result
        z = first if loc is None else first - loc
        z = z if scale is None else z / scale
        result = standard(z, *inner)
        if scale is not None and name in ("logpdf", "pdf"):
            return result - jnp.log(scale) if name == "logpdf" else result / scale
        return result

    function.__name__ = function.__qualname__ = name
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def _loc_scale(values: Sequence[Any], parameters: Sequence[str]) -> tuple[Any, Any]:
    named = dict(zip(parameters, values, strict=True))
    return named.get("loc"), named.get("scale")


def _signature(name: str, shapes: Sequence[str], parameters: Sequence[str]) -> inspect.Signature:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    first = [] if name == "entropy" else [_first(name)]
    required = [inspect.Parameter(p, kind) for p in (*first, *shapes)]
    defaults = {"loc": 0, "scale": 1}
    return inspect.Signature(
        [*required, *(inspect.Parameter(p, kind, default=defaults[p]) for p in parameters)]
    )


def _first(name: str) -> str:
    if name in ("ppf", "isf"):
        return "q"
    return "k" if name in ("pmf", "logpmf") else "x"


def _text(
    name: str,
    title: str,
    module: str,
    shapes: Sequence[str],
    parameters: Sequence[str],
    arguments: str,
    result: str,
) -> str:
    lines = [f"{_WHAT[name]} of {title}.".replace(", of", " of"), ""]
    if shapes:
        lines += [f"Parameters of shape: {', '.join(f'``{s}``' for s in shapes)}."]
    if parameters == ("loc", "scale"):
        lines += ["It is shifted by ``loc`` and stretched by ``scale``."]
    elif parameters:
        lines += ["It is shifted by ``loc``."]
    lines += ["All arguments broadcast against each other. ValueError for complex numbers.", ""]
    lines += ["Returns:", "  Array of their common shape and floating dtype.", ""]
    lines += [f">>> from adlib.scipy.stats import {module}", f">>> {module}.{name}({arguments})"]
    return "\n".join([*lines, result, ""])


def within(inside: Any, x: Any, function: Callable[[Any], Any], safe: float, outside: Any) -> Any:
    """``function(x)`` inside of the support, ``outside`` beyond; no NaN leaks from there into
    derivatives, because the function sees ``safe`` instead. NaN stays NaN."""
    guarded = jnp.where(inside, x, safe)
    value = jnp.where(inside, function(guarded), outside)
    return jnp.where(x != x, jnp.nan, value)
