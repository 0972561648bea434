"""What reverse mode keeps: the residuals of a function, and where each comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from adlib.api.compilation import make_jaxpr
from adlib.api.input_names import argument_names
from adlib.base import tree
from adlib.core import dtypes
from adlib.core.array import as_value
from adlib.core.avals import ShapedArray
from adlib.core.jaxpr import Eqn, Var
from adlib.interpreters.jvp import jvp_jaxpr
from adlib.interpreters.linearize import partial_eval_jaxpr


class Residual(NamedTuple):
    """A value that the forward sweep keeps for the reverse sweep."""

    aval: ShapedArray
    origin: str


def saved_residuals(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Residual]:
    """The values that ``grad`` of ``fun`` keeps at arguments of these types: constants, then
    arguments in their order, then results in the order of the program.

    Scalar constants and concrete arrays that the function holds anyway are not among them.

    >>> from adlib.api.residuals import saved_residuals
    >>> import adlib.numpy as jnp
    >>> [str(residual.origin) for residual in saved_residuals(lambda x, y: x * y, 1.0, 2.0)]
    ['from the argument x', 'from the argument y']
    """
    closed = make_jaxpr(fun)(*args, **kwargs)
    leaves = [as_value(leaf) for leaf in tree.leaves((list(args), kwargs))]
    nonzero = [dtypes.is_inexact(leaf.aval.dtype) for leaf in leaves]
    pushed, _ = jvp_jaxpr(closed, nonzero, instantiate_outs=True)
    unknown = [False] * len(leaves) + [True] * sum(nonzero)
    split = partial_eval_jaxpr(pushed, unknown)
    known = split.known.jaxpr
    names = dict(zip(known.invars, argument_names(fun, args, kwargs), strict=False))
    makers = {var: eqn for eqn in known.eqns for var in eqn.outvars}
    kept = known.outvars[len(known.outvars) - split.residuals :]
    variables = [var for var in kept if isinstance(var, Var)]
    place = {var: i for i, var in enumerate([*known.invars, *makers])}
    variables.sort(key=lambda var: place.get(var, -1))
    return [Residual(var.aval, _origin(var, names, makers)) for var in variables]


def _origin(var: Var, names: dict[Var, str], makers: dict[Var, Eqn]) -> str:
    if var in names:
        return f"from the argument {names[var]}"
    eqn = makers.get(var)
    if eqn is None:
        return "from a constant"
    if eqn.source is None:
        return f"output of {eqn.primitive.name}"
    return f"output of {eqn.primitive.name} from {eqn.source.summary()} ({eqn.source.function})"


def print_saved_residuals(f: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Print what reverse mode of ``f`` keeps: the type of each residual, and its origin.

    >>> from adlib.ad_checkpoint import print_saved_residuals
    >>> import adlib, adlib.numpy as jnp
    >>> print_saved_residuals(adlib.checkpoint(lambda x: jnp.sin(jnp.sin(x))), 1.0)
    f32[] from the argument x
    """
    for residual in saved_residuals(f, *args, **kwargs):
        print(f"{residual.aval.str_short()} {residual.origin}")
