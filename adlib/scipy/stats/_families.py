"""How a distribution's functions are published: shift and scale, types, signatures, texts.

A distribution gives its functions in standard form. Here they become what users call, with the
parameters of shape first, then ``loc`` and ``scale``; what follows from the others is derived.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array, ArrayImpl
from adlib.nn import log1mexp
from adlib.numpy.promotion import convert, promote_inexact

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

_OF_COUNTS = ("pmf", "logpmf")

_OTHER_SIDE = {"logcdf": ("cdf", "sf"), "logsf": ("sf", "cdf")}

# Where the type of all arguments together is weak, most results are weakly typed if the first
# argument is a number, or an array of rank 0 that is so. These functions are not, ...
_NEVER_WEAK = {
    "norm": "cdf sf logcdf logsf ppf isf",
    "poisson": "entropy",
    "truncnorm": "pdf logpdf cdf logcdf sf logsf",
    "uniform": "cdf",
}
# ... and these are, whatever the first argument is.
_WEAK_AS_ALL = {
    "binom": "pmf logpmf",
    "expon": "pdf logpdf cdf logcdf sf logsf ppf",
    "gamma": "sf logsf",
    "gennorm": "pdf logpdf cdf",
    "gumbel_l": "pdf logpdf cdf logcdf sf logsf ppf",
    "gumbel_r": "pdf logpdf cdf logcdf logsf ppf",
    "logistic": "cdf sf",
    "pareto": "logcdf",
    "poisson": "pmf logpmf",
    "uniform": "pdf logpdf ppf",
    "vonmises": "pdf logpdf",
    "wrapcauchy": "pdf logpdf",
}

Standard = Mapping[str, Callable[..., Any]]


def publish(
    namespace: dict[str, Any],
    title: str,
    shapes: str,
    standard: Standard,
    examples: Mapping[str, tuple[str, str]],
    *,
    parameters: Sequence[str] = ("loc", "scale"),
    domain: Callable[..., Any] | None = None,
) -> None:
    """Put the functions named by ``examples`` into a distribution's module.

    Args:
      namespace: the module's globals.
      title: "the normal distribution".
      shapes: names of the parameters of shape, with spaces between.
      standard: functions ``(z, *shapes)`` for loc 0 and scale 1; others follow from these.
      examples: for each public function, its arguments and what the call prints.
      parameters: out of ``loc`` and ``scale``, those that the functions take.
      domain: says of parameters of shape whether there is such a distribution; NaN elsewhere.
    """
    module = namespace["__name__"].rsplit(".", 1)[1]
    texts = {}
    for name, (arguments, result) in examples.items():
        inner = _within_domain(_standard(name, standard), name, domain)
        function = _function(name, module, inner, shapes.split(), parameters)
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


def _within_domain(
    standard: Callable[..., Any], name: str, domain: Callable[..., Any] | None
) -> Callable[..., Any]:
    """``standard``, and NaN where the parameters or the count of a discrete function are none."""

    def function(*args: Any) -> Any:
        shapes = args if name == "entropy" else args[1:]
        result = standard(*args)
        if domain is not None and not _passes(domain, shapes):
            result = jnp.where(domain(*shapes), result, jnp.nan)
        if name in _OF_COUNTS and not _passes(_is_number, args[:1]):
            result = jnp.where(_is_number(args[0]), result, jnp.nan)
        return result

    return function


def _passes(test: Callable[..., Any], values: Sequence[Any]) -> bool:
    """Whether values known by now, as parameters often are, leave no doubt about a test."""
    if not all(isinstance(x, ArrayImpl) for x in values):
        return False
    return bool(np.all(test(*[np.asarray(x) for x in values])))


def _is_number(x: Any) -> Any:
    return x == x


def _log_of_the_smaller(p: Any, rest: Any) -> Any:
    """log(p), from the probability of the rest where that is the smaller one.

    Where p is 0 it is constant, so that its derivative is 0 there and no NaN.
    """
    small, some = p < 0.5, p > 0
    log = jnp.log(jnp.where(small & some, p, 1))
    rest = jnp.log1p(-jnp.where(small, 0, rest))
    return jnp.where(small, jnp.where(some, log, -jnp.inf), rest)


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
    signature = _signature(name, module, shapes, parameters)
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
            raise TypeError(f"{label} takes real numbers; it was given complex ones.{here()}")
        dtype = arrays[0].aval.dtype
        strong = arrays[0].aval.weak_type and _is_strong(module, name, values[0])
        if strong:
            arrays[0] = convert(arrays[0], dtype)
        result = _shifted(name, standard, arrays, len(shapes), parameters)
        return convert(result, dtype) if strong else result

    function.__name__ = function.__qualname__ = name
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def _shifted(
    name: str, standard: Callable[..., Any], arrays: Sequence[Array], rank: int, parameters: Any
) -> Array:
    """The function with ``loc`` and ``scale``, by the standard one; ``rank`` shape parameters."""
    if name == "entropy":
        shape = jnp.broadcast_shapes(*[x.aval.shape for x in arrays])
        return jnp.broadcast_to(standard(*arrays[:rank]), shape)
    first, rest = arrays[0], arrays[1:]
    inner, (loc, scale) = rest[:rank], _loc_scale(rest[rank:], parameters)
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


def _is_strong(module: str, name: str, first: Any) -> bool:
    """Whether a result is not weakly typed though its arguments together are."""
    if name in _NEVER_WEAK.get(module, "").split():
        return True
    if name in _WEAK_AS_ALL.get(module, "").split():
        return False
    if isinstance(first, Array):
        return bool(first.aval.shape) or not first.aval.weak_type
    return isinstance(first, np.ndarray)


def _loc_scale(values: Sequence[Any], parameters: Sequence[str]) -> tuple[Any, Any]:
    named = dict(zip(parameters, values, strict=True))
    return named.get("loc"), named.get("scale")


def _signature(
    name: str, module: str, shapes: Sequence[str], parameters: Sequence[str]
) -> inspect.Signature:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    first = [] if name == "entropy" else [_first(name, module)]
    required = [inspect.Parameter(p, kind) for p in (*first, *shapes)]
    defaults = {"loc": 0, "scale": 1}
    return inspect.Signature(
        [*required, *(inspect.Parameter(p, kind, default=defaults[p]) for p in parameters)]
    )


def _first(name: str, module: str) -> str:
    """What the first parameter is called: not by one rule, but as it is known."""
    if name in ("ppf", "isf"):
        return {"gumbel_l": "p", "gumbel_r": "p", "logistic": "x"}.get(module, "q")
    counts = name in _OF_COUNTS or module in ("bernoulli", "poisson")
    return "k" if counts else "x"


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
    lines += ["All arguments broadcast against each other. TypeError for complex numbers.", ""]
    lines += ["Returns:", "  Array of their common shape and floating dtype.", ""]
    lines += [f">>> from adlib.scipy.stats import {module}", f">>> {module}.{name}({arguments})"]
    return "\n".join([*lines, result, ""])


def within(inside: Any, x: Any, function: Callable[[Any], Any], safe: float, outside: Any) -> Any:
    """``function(x)`` inside of the support, ``outside`` beyond; no NaN leaks from there into
    derivatives, because the function sees ``safe`` instead. NaN stays NaN."""
    guarded = jnp.where(inside, x, safe)
    value = jnp.where(inside, function(guarded), outside)
    return jnp.where(x != x, jnp.nan, value)
