"""A function at its arguments as one straight line of equations, with values and names."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import adlib
from adlib.api.input_names import argument_names, leaf_names
from adlib.base import tree
from adlib.core import ClosedJaxpr, Eqn, Jaxpr, Literal, Var, dtypes
from adlib.core.array import Array, as_value, table


@dataclass(frozen=True)
class Program:
    """A traced function together with the arguments it was traced at.

    Attributes:
      closed: the jaxpr, with jitted functions opened up into their equations.
      values: one Array per input.
      input_names: what the function calls its inputs.
      places: for each input, its position among the leaves of the arguments.
      in_tree: structure of ``(args, kwargs)``.
      out_tree: structure of the result.
    """

    closed: ClosedJaxpr
    values: tuple[Any, ...]
    input_names: tuple[str, ...]
    places: tuple[int, ...]
    in_tree: Any
    out_tree: Any
    arguments: tuple[Any, ...] = ()


def trace_program(
    function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> Program:
    """Trace ``function(*args, **kwargs)``; what it raises comes through unchanged.

    Arguments that are no arrays or numbers, such as strings, are constants.

    >>> import adlib.numpy as jnp
    >>> program = trace_program(lambda x: jnp.sin(x) * x, (1.0,), {})
    >>> [eqn.primitive.name for eqn in program.closed.eqns], program.input_names
    (['sin', 'mul'], ('x',))
    """
    __tracebackhide__ = True
    leaves, in_tree = tree.flatten((tuple(args), kwargs))
    places = [i for i, leaf in enumerate(leaves) if is_numeric(leaf)]

    @functools.wraps(function, updated=())
    def of_numbers(*numbers: Any) -> Any:
        filled = list(leaves)
        for i, number in zip(places, numbers, strict=True):
            filled[i] = number
        inner_args, inner_kwargs = tree.unflatten(in_tree, filled)
        return function(*inner_args, **inner_kwargs)

    numbers = [leaves[i] for i in places]
    closed, shape = adlib.make_jaxpr(of_numbers, return_shape=True)(*numbers)
    names = argument_names(function, args, kwargs)
    return Program(
        closed=opened(closed),
        values=tuple(as_value(number) for number in numbers),
        input_names=tuple(names[i] for i in places),
        places=tuple(places),
        in_tree=in_tree,
        out_tree=tree.flatten(shape)[1],
        arguments=tuple(args),
    )


def is_numeric(leaf: Any) -> bool:
    """Whether a leaf of the arguments is an array or a number, and so becomes an input."""
    return isinstance(leaf, (int, float, complex)) or any(
        hasattr(leaf, name) for name in ("dtype", "__array__", "__jax_array__")
    )


def opened(closed: ClosedJaxpr) -> ClosedJaxpr:
    """The jaxpr with every call of a jitted function replaced by the equations in it."""
    constvars, consts = list(closed.jaxpr.constvars), list(closed.consts)
    eqns: list[Eqn] = []

    def visit(jaxpr: Jaxpr, names: dict[Var, Any]) -> None:
        for eqn in jaxpr.eqns:
            operands = [names.get(v, v) if isinstance(v, Var) else v for v in eqn.invars]
            inner = eqn.params.get("jaxpr")
            if eqn.primitive.name == "jit" and isinstance(inner, ClosedJaxpr):
                inside: dict[Var, Any] = dict(zip(inner.jaxpr.invars, operands, strict=True))
                for var, const in zip(inner.jaxpr.constvars, inner.consts, strict=True):
                    inside[var] = Var(var.aval)
                    constvars.append(inside[var])
                    consts.append(const)
                visit(inner.jaxpr, inside)
                for var, atom in zip(eqn.outvars, inner.jaxpr.outvars, strict=True):
                    names[var] = inside.get(atom, atom) if isinstance(atom, Var) else atom
                continue
            # a jaxpr that is called twice must not define its variables twice
            for var in eqn.outvars:
                names[var] = Var(var.aval)
            outvars = [names[var] for var in eqn.outvars]
            eqns.append(eqn.replace(invars=operands, outvars=outvars))

    names: dict[Var, Any] = {}
    visit(closed.jaxpr, names)
    outvars = [v if isinstance(v, Literal) else names.get(v, v) for v in closed.jaxpr.outvars]
    return ClosedJaxpr(Jaxpr(constvars, list(closed.jaxpr.invars), outvars, eqns), consts)


def step_ids(program: Program) -> list[str]:
    """Stable names of the equations: ``mul_0``, ``sin_0``, ``mul_1``, …"""
    count: Counter[str] = Counter()
    names = []
    for eqn in program.closed.eqns:
        names.append(f"{eqn.primitive.name}_{count[eqn.primitive.name]}")
        count[eqn.primitive.name] += 1
    return names


# ---------------------------------------------------------------------- seeds


def tangent_seeds(program: Program, tangent: Any) -> list[Any]:
    """A tangent, or None for integers, per input; ones everywhere where none is given.

    Args:
      tangent: like the function's only argument, or a tuple like its positional arguments;
        keyword arguments then have no tangent.

    Raises:
      TypeError: if it has another structure.
      ValueError: if an entry has another shape than the argument.
    """
    if tangent is None:
        return [_ones(value.aval) for value in program.values]
    args = program.arguments
    given, structure = tree.flatten(tangent)
    single = len(args) == 1 and structure == tree.flatten(args[0])[1]
    if not single and structure != tree.flatten(args)[1]:
        like = "the argument" if len(args) == 1 else f"the tuple of its {len(args)} arguments"
        raise TypeError(
            f"tangent must have the structure of {like}; it was given {_short(tangent)}. "
            "Repair: pass one number or array for each of theirs, of the same shape."
        )
    seeds = []
    for name, value, place in zip(program.input_names, program.values, program.places, strict=True):
        seed = given[place] if place < len(given) else None
        seeds.append(_seed("tangent", name, seed, value.aval))
    return seeds


def cotangent_seeds(program: Program, cotangent: Any) -> list[Any]:
    """A cotangent, or None for integers, per output; ones everywhere where none is given.

    Raises:
      TypeError: if ``cotangent`` has another structure than the result.
      ValueError: if an entry has another shape than the result.
    """
    avals = [atom.aval for atom in program.closed.jaxpr.outvars]
    if cotangent is None:
        return [_ones(aval) for aval in avals]
    given, structure = tree.flatten(cotangent)
    if structure != program.out_tree:
        raise TypeError(
            f"cotangent must have the structure of the function's result; it was given "
            f"{_short(cotangent)}. Repair: pass one number or array for each of the result's, "
            "of the same shape."
        )
    names = output_names(program)
    return [
        _seed("cotangent", name, seed, aval)
        for name, seed, aval in zip(names, given, avals, strict=True)
    ]


def output_names(program: Program) -> list[str]:
    """``result``, or ``result[0]``, ``result['loss']``, … where it has parts."""
    count = len(program.closed.jaxpr.outvars)
    return leaf_names("result", tree.unflatten(program.out_tree, [0.0] * count))


def _ones(aval: Any) -> Any:
    if not dtypes.is_inexact(aval.dtype):
        return None
    return table(np.ones(aval.shape, aval.dtype))


def _seed(what: str, name: str, seed: Any, aval: Any) -> Any:
    if not dtypes.is_inexact(aval.dtype):
        return None
    if seed is None:
        return table(np.zeros(aval.shape, aval.dtype))
    array = seed if isinstance(seed, Array) else table(np.array(seed))  # goes where x is
    if array.shape != aval.shape:
        raise ValueError(
            f"the {what} of {name} must have its shape {aval.shape}; it was given "
            f"an array of shape {array.shape}."
        )
    return array.astype(aval.dtype)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
