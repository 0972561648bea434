"""grad, value_and_grad, vjp, jvp, linearize, linear_transpose."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.api import arguments
from adlib.api.arguments import Partial, check_callable, describe_type
from adlib.api.linear_functions import LinearFunction
from adlib.base import tree
from adlib.base.source import here
from adlib.base.treedef import PyTreeDef
from adlib.control.calls import name_of
from adlib.core import dtypes
from adlib.core.array import Array, ArrayImpl, as_value, scalar
from adlib.core.avals import ShapedArray, Zero, same_type
from adlib.interpreters.jvp import jvp_flat
from adlib.interpreters.linearize import LinearMap, linearize_flat
from adlib.interpreters.transpose import pull_back, transpose_flat
from adlib.ops.reshaping import instantiate, zeros

# ----------------------------------------------------------------------- grad


def grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
) -> Callable[..., Any]:
    """The gradient of a scalar-valued function, by reverse mode.

    Args:
      fun: function whose result is a real scalar (rank 0).
      argnums: position(s) of the argument(s) to differentiate with respect to; arguments may
        be pytrees of floating arrays.
      has_aux: whether ``fun`` returns ``(value, auxiliary data)``.
      holomorphic: promise that ``fun`` is holomorphic, so that complex results are allowed.
      allow_int: allow integer arguments, whose gradients have dtype float0.

    Returns:
      A function with the arguments of ``fun`` that returns the gradient in the shape and
      structure of the chosen argument (a tuple for several), or ``(gradient, aux)``.

    Raises:
      TypeError: the result is not a real scalar, or an argument is not floating.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.grad(jnp.tanh)(2.0)
    Array(0.07065, dtype=float32, weak_type=True)
    """
    value_and_gradient = value_and_grad(
        fun, argnums, has_aux=has_aux, holomorphic=holomorphic, allow_int=allow_int
    )

    @functools.wraps(fun, updated=())
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, g = value_and_gradient(*args, **kwargs)
        return (g, value[1]) if has_aux else g

    return gradient


def value_and_grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
) -> Callable[..., Any]:
    """Value and gradient of a scalar-valued function in one evaluation.

    Arguments are those of ``grad``; the function returned gives ``(value, gradient)``, or
    ``((value, aux), gradient)`` with ``has_aux``.

    >>> import adlib
    >>> adlib.value_and_grad(lambda x: x**2)(3.0)
    (Array(9., dtype=float32, weak_type=True), Array(6., dtype=float32, weak_type=True))
    """
    check_callable(fun, "grad")
    positions = arguments.normalize_argnums(argnums, "grad")

    @functools.wraps(fun, updated=())
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        chosen = arguments.select(args, positions, "grad", fun)
        partial = Partial(fun, args, kwargs, chosen, "grad", has_aux)
        primals = partial.leaves()
        for p in primals:
            _check_input(p, holomorphic, allow_int)
        outs, linear = linearize_flat(partial, primals)
        value = _scalar_output(partial, outs, holomorphic)
        del primals
        seed = scalar(1, value.aval.dtype, value.aval.weak_type)
        cts = pull_back(linear, [seed], consume=True)
        gradient = partial.unflatten_args(_gradients(linear, cts, args, chosen))
        answer = gradient[0] if isinstance(argnums, int) else tuple(gradient)
        return ((value, partial.aux), answer) if has_aux else (value, answer)

    return value_and_gradient


def _gradients(linear: LinearMap, cts: list[Any], args: Any, chosen: Any) -> list[Any]:
    if any(t is None for t in linear.inputs):
        leaves = [leaf for i in chosen for leaf in tree.leaves(args[i])]
        return [
            _float0_zeros(as_value(leaf).aval) if t is None else instantiate(ct)
            for leaf, t, ct in zip(leaves, linear.inputs, cts, strict=True)
        ]
    return [instantiate(ct) for ct in cts]


def _check_input(value: Array, holomorphic: bool, allow_int: bool) -> None:
    dtype = value.aval.dtype
    kind = dtypes.kind(dtype)
    if kind == "K":
        raise TypeError(f"grad cannot differentiate with respect to PRNG keys.{here()}")
    if holomorphic and kind != "c":
        raise TypeError(
            f"grad with holomorphic=True requires inputs with complex dtype, but got {dtype.name}."
            f"{here()}"
        )
    if kind in "biu" and not allow_int:
        raise TypeError(
            "grad requires real- or complex-valued inputs (input dtype that is a sub-dtype of "
            f"np.inexact), but got {dtype.name}.{here()}\n  Repair: pass a float (3.0 instead of "
            "3, x.astype(float)); to get zeros of dtype float0 for integers set allow_int=True."
        )
    # complex inputs of real-valued functions are welcome: the result is df/dx - i df/dy


def _scalar_output(partial: Partial, outs: list[Any], holomorphic: bool) -> Any:
    if partial.out_tree is not None and not (len(outs) == 1 and partial.out_tree.num_nodes == 1):
        given = partial.unflatten_out([describe_type(o) for o in outs])
        raise TypeError(
            f"Gradient only defined for scalar-output functions. Output was {given}.{here()}\n"
            f"  {name_of(partial.fun)} returns several values. Repair: return one number; for a "
            "loss with extra outputs return (loss, extras) and set has_aux=True."
        )
    value = outs[0]
    if value.aval.shape:
        raise TypeError(
            "Gradient only defined for scalar-output functions. Output had shape: "
            f"{value.aval.shape}.{here()}\n  Repair: reduce the result to one number "
            "(jnp.sum, jnp.mean), or use jacrev or jacfwd for the whole Jacobian, or "
            "vmap(grad(f)) for one gradient per example."
        )
    dtype = value.aval.dtype
    if holomorphic:
        if dtype.kind != "c":
            raise TypeError(
                f"grad with holomorphic=True requires outputs with complex dtype, but got "
                f"{dtype.name}.{here()}"
            )
    elif dtypes.kind(dtype) != "f":
        advice = (
            "For holomorphic differentiation, pass holomorphic=True. For differentiation of "
            "non-holomorphic functions involving complex outputs, use adlib.vjp directly."
            if dtype.kind == "c"
            else "For differentiation of functions with integer outputs, use adlib.vjp directly."
        )
        raise TypeError(
            "grad requires real-valued outputs (output dtype that is a sub-dtype of "
            f"np.floating), but got {dtype.name}. {advice}{here()}"
        )
    return value


# ------------------------------------------------------------------------ vjp


def _float0_zeros(aval: ShapedArray) -> Any:
    return np.zeros(aval.shape, dtypes.float0)


def _check_cotangents(partial: Partial, avals: list[ShapedArray], ct: Any) -> list[Any]:
    leaves, structure = tree.flatten(ct)
    out_tree = partial.out_tree
    fits = structure.num_nodes == 1 if out_tree is None else structure == out_tree
    if not fits or len(leaves) != len(avals):
        raise ValueError(
            "unexpected tree structure of argument to vjp function: got "
            f"{PyTreeDef(structure)}, but expected the structure of {name_of(partial.fun)}'s "
            f"output, {'one array' if out_tree is None else PyTreeDef(out_tree)}.{here()}"
        )
    values: list[Any] = []
    for leaf, aval in zip(leaves, avals, strict=True):
        wanted = aval.to_tangent_aval()
        if wanted.dtype == dtypes.float0:
            values.append(Zero(wanted))
            continue
        value = as_value(leaf, "vjp function")
        if not same_type(value.aval, wanted):
            if value.aval.weak_type and value.aval.shape == wanted.shape:
                value = _weak_scalar_as(leaf, value, wanted)
            if value is None or not same_type(value.aval, wanted):
                raise ValueError(
                    "unexpected JAX type (e.g. shape/dtype) for argument to vjp function: got "
                    f"{describe_type(as_value(leaf))}, but expected {_text(wanted)} because the "
                    f"corresponding output of {name_of(partial.fun)} had JAX type {_text(aval)}."
                    f"{here()}"
                )
        values.append(value)
    return values


def _weak_scalar_as(leaf: Any, value: Array, wanted: ShapedArray) -> Any:
    """A Python number as the type wanted of it, where its kind allows that."""
    if type(value) is not ArrayImpl or dtypes.scalar_type(leaf) is None:
        return None
    order = "biufc"
    if order.index(dtypes.kind(value.aval.dtype)) > order.index(dtypes.kind(wanted.dtype)):
        return None
    return scalar(leaf, wanted.dtype, wanted.weak_type)


def _text(aval: ShapedArray) -> str:
    return f"{aval.dtype.name}[{','.join(map(str, aval.shape))}]"


def vjp(
    fun: Callable[..., Any], *primals: Any, has_aux: bool = False, reduce_axes: Any = ()
) -> Any:
    """Value of a function and its pullback: the function ``ct -> ct · J``.

    Args:
      fun: the function.
      *primals: its arguments (pytrees of arrays).
      has_aux: whether ``fun`` returns ``(output, auxiliary data)``.

    Returns:
      ``(out, vjp_fun)``, or ``(out, vjp_fun, aux)``. ``vjp_fun`` takes a cotangent of the
      type of ``out`` and returns a tuple of cotangents, one for each argument; it may be
      called any number of times.

    >>> import adlib, adlib.numpy as jnp
    >>> y, pullback = adlib.vjp(lambda x, y: x * y, 2.0, 3.0)
    >>> pullback(1.0)
    (Array(3., dtype=float32, weak_type=True), Array(2., dtype=float32, weak_type=True))
    """
    check_callable(fun, "vjp")
    partial = Partial(fun, primals, {}, tuple(range(len(primals))), "vjp", has_aux)
    leaves = partial.leaves()
    outs, linear = linearize_flat(partial, leaves)
    out_avals, in_avals = [o.aval for o in outs], [leaf.aval for leaf in leaves]

    def pull(linear: LinearMap, ct: Any) -> tuple[Any, ...]:
        flat = [
            _float0_zeros(aval) if g is None else instantiate(g)
            for g, aval in zip(
                pull_back(linear, _check_cotangents(partial, out_avals, ct)), in_avals, strict=True
            )
        ]
        return tuple(partial.unflatten_args(flat))

    pullback = LinearFunction(pull, linear, f"vjp of {name_of(fun)}")
    out = partial.unflatten_out(outs)
    return (out, pullback, partial.aux) if has_aux else (out, pullback)


# ------------------------------------------------------------------------ jvp


def jvp(
    fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> Any:
    """Value of a function and its pushforward along a tangent: ``(f(x), J · v)``.

    Args:
      fun: the function.
      primals: tuple or list of its arguments.
      tangents: tuple or list of tangents, of the arguments' structure, shapes and dtypes
        (float0 for integers).
      has_aux: whether ``fun`` returns ``(output, auxiliary data)``.

    Returns:
      ``(primals_out, tangents_out)``, or ``(primals_out, tangents_out, aux)``.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.jvp(jnp.sin, (0.0,), (2.0,))
    (Array(0., dtype=float32, weak_type=True), Array(2., dtype=float32, weak_type=True))
    """
    check_callable(fun, "jvp")
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError(
            "primal and tangent arguments to adlib.jvp must be tuples or lists; found "
            f"{type(primals).__name__} and {type(tangents).__name__}.{here()}\n  Repair: "
            "jvp(f, (x,), (v,))."
        )
    partial = Partial(fun, primals, {}, tuple(range(len(primals))), "jvp", has_aux)
    primal_tree = tree.structure(tuple(primals))
    tangent_leaves, tangent_tree = tree.flatten(tuple(tangents))
    if primal_tree != tangent_tree:
        raise TypeError(
            "primal and tangent arguments to adlib.jvp must have the same tree structure: got "
            f"{PyTreeDef(primal_tree)} and {PyTreeDef(tangent_tree)}.{here()}"
        )
    leaves = partial.leaves()
    given = [_tangent(p, t) for p, t in zip(leaves, tangent_leaves, strict=True)]
    outs, out_tangents = jvp_flat(partial, leaves, given)
    out = partial.unflatten_out(outs)
    tangent = partial.unflatten_out([_out_tangent(t) for t in out_tangents])
    return (out, tangent, partial.aux) if has_aux else (out, tangent)


def _float0_as_numpy(t: Any) -> Any:
    return _float0_zeros(t.aval) if t.aval.dtype == dtypes.float0 else t


def _out_tangent(t: Any) -> Any:
    if type(t) is not Zero:
        return t
    return _float0_zeros(t.aval) if t.aval.dtype == dtypes.float0 else zeros(t.aval)


def _tangent(primal: Array, tangent: Any) -> Any:
    wanted = primal.aval.to_tangent_aval()
    if wanted.dtype == dtypes.float0:
        if not arguments.is_float0(tangent):
            given = getattr(tangent, "dtype", type(tangent).__name__)
            raise _tangent_mismatch(primal, "float0", given)
        return Zero(wanted)
    value = as_value(tangent, "jvp")
    if value.aval.shape != wanted.shape:
        raise ValueError(
            f"jvp called with different primal and tangent shapes; got primal shape "
            f"{wanted.shape} and tangent shape {value.aval.shape}.{here()}\n  A tangent is a "
            "direction in the space of the argument, so it has the argument's shape."
        )
    if value.aval.dtype != wanted.dtype:
        raise _tangent_mismatch(primal, wanted.dtype.name, value.aval.dtype.name)
    return value


def _tangent_mismatch(primal: Array, wanted: Any, given: Any) -> TypeError:
    return TypeError(
        "primal and tangent arguments to adlib.jvp do not match; dtypes must be equal, or in "
        "case of int/bool primal dtype the tangent dtype must be float0. Got primal dtype "
        f"{primal.aval.dtype.name} and so expected tangent dtype {wanted}, but got tangent dtype "
        f"{given} instead.{here()}\n  Repair: write tangents as floats (1.0 instead of 1)."
    )


# ------------------------------------------------------- linearize, transpose


def linearize(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Value of a function and its derivative as a function: ``(f(x), v -> J · v)``.

    The function runs once; applying the derivative costs only its linear part, so many
    Jacobian-vector products at one point are cheap.

    >>> import adlib, adlib.numpy as jnp
    >>> y, f_jvp = adlib.linearize(jnp.sin, 0.0)
    >>> f_jvp(3.0)
    Array(3., dtype=float32, weak_type=True)
    """
    check_callable(fun, "linearize")
    partial = Partial(fun, primals, {}, tuple(range(len(primals))), "linearize", has_aux)
    in_tree = tree.structure(tuple(primals))
    leaves = partial.leaves()
    avals = [leaf.aval for leaf in leaves]
    outs, linear = linearize_flat(partial, leaves)

    def apply(linear: LinearMap, *tangents: Any) -> Any:
        flat, structure = tree.flatten(tangents)
        if structure != in_tree:
            raise TypeError(
                "linearized function called with arguments of structure "
                f"{PyTreeDef(structure)}, but linearize was given {PyTreeDef(in_tree)}.{here()}"
            )
        given = [_linear_argument(t, aval) for t, aval in zip(flat, avals, strict=True)]
        kept = [g for g, t in zip(given, linear.inputs, strict=True) if t is not None]
        return partial.unflatten_out([_float0_as_numpy(t) for t in linear.apply(kept)])

    out = partial.unflatten_out(outs)
    derivative = LinearFunction(apply, linear, f"derivative of {name_of(fun)}")
    return (out, derivative, partial.aux) if has_aux else (out, derivative)


def _linear_argument(tangent: Any, aval: ShapedArray) -> Any:
    wanted = aval.to_tangent_aval()
    if wanted.dtype == dtypes.float0:
        return None
    value = as_value(tangent, "linearized function")
    if not same_type(value.aval, wanted):
        raise ValueError(
            "linearized function called on tangent values inconsistent with the original primal "
            f"values: got tangent {_text(value.aval)} for primal {_text(aval)}.{here()}"
        )
    return value


def linear_transpose(fun: Callable[..., Any], *primals: Any, reduce_axes: Any = ()) -> Any:
    """The transpose of a function that is linear: ``ct -> ct · A`` for ``fun = x -> A x``.

    Args:
      fun: a linear function.
      *primals: arrays or ShapeDtypeStructs with the types of its arguments; values do not
        matter.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.linear_transpose(lambda x: 3.0 * x, 1.0)(2.0)
    (Array(6., dtype=float32, weak_type=True),)
    """
    check_callable(fun, "linear_transpose")
    flat, in_tree = tree.flatten(primals)
    avals = [_aval_of(x) for x in flat]
    partial = Partial(fun, list(primals), {}, tuple(range(len(primals))), "linear_transpose")
    partial.trees = list(in_tree.children())
    for aval in avals:
        if not dtypes.is_inexact(aval.dtype):
            raise TypeError(
                "linear_transpose only supports float and complex inputs, but got "
                f"{_text(aval)}.{here()}"
            )
    linear = transpose_flat(partial, avals)
    out_avals = [o.aval for o in linear.outputs]

    def transposed(linear: LinearMap, ct: Any) -> tuple[Any, ...]:
        cts = _check_cotangents(partial, out_avals, ct)
        flat = [instantiate(g) for g in pull_back(linear, cts)]
        return tuple(partial.unflatten_args(flat))

    return LinearFunction(transposed, linear, f"transpose of {name_of(fun)}")


def _aval_of(x: Any) -> ShapedArray:
    if isinstance(x, Array):
        return x.aval
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return ShapedArray(
            tuple(x.shape), dtypes.canonicalize_dtype(x.dtype), bool(getattr(x, "weak_type", False))
        )
    return as_value(x).aval
