"""Calling Python back from programs: for what it does (debug) or for its result (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from adlib.base import tree
from adlib.base.source import here
from adlib.control.calls import name_of
from adlib.control.loops import map as lax_map
from adlib.core.array import ArrayImpl, as_value
from adlib.core.avals import ShapedArray, Zero
from adlib.core.primitive import define_primitive
from adlib.interpreters.batch import at_front
from adlib.ops.dynamic_slices import dynamic_index_in_dim
from adlib.ops.reshaping import expand_dims

# --------------------------------------------------------------- for the effect


def _array(value: Any, aval: ShapedArray) -> ArrayImpl:
    return ArrayImpl(value, aval)


def _debug_kernel(xp: Any, *, callback: Any, avals: Any, **_: Any) -> Callable[..., Any]:
    def kernel(*values: Any) -> tuple[()]:
        callback(*map(_array, values, avals))
        return ()

    return kernel


def _debug_jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> Any:
    return debug_callback_p.bind(*primals, **params), []


def _debug_batch(
    axis: Any, args: Sequence[Any], dims: Sequence[Any], **params: Any
) -> tuple[list[Any], list[Any]]:
    """Once for each example, in order."""
    for i in range(axis.size):
        each = [
            x if d is None else dynamic_index_in_dim(x, i, d, keepdims=False)
            for x, d in zip(args, dims, strict=True)
        ]
        debug_callback_p.bind(*each, **params)
    return [], []


debug_callback_p = define_primitive(
    "debug_callback",
    shape=lambda *avals, **_: [],
    kernel=_debug_kernel,
    jvp=_debug_jvp,
    batch=_debug_batch,
    multiple_results=True,
    first_order=False,
    effect=True,
)


class _Callback:
    """A function of pytrees as one of flat Arrays; equal only to itself."""

    def __init__(self, function: Callable[..., Any], treedef: Any, static: Any) -> None:
        self.function, self.treedef, self.static = function, treedef, static
        self.__name__ = name_of(function)

    def __call__(self, *flat: Any) -> Any:
        leaves = list(self.static)
        values = iter(flat)
        leaves = [next(values) if leaf is _DYNAMIC else leaf for leaf in leaves]
        args, kwargs = tree.unflatten(self.treedef, leaves)
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return self.__name__


_DYNAMIC = object()


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, (bool, int, float, complex, np.ndarray, np.generic)) or hasattr(
        leaf, "aval"
    )


def callback(
    callback: Callable[..., None],
    *args: Any,
    ordered: bool = False,
    partitioned: bool = False,
    **kwargs: Any,
) -> None:
    """Call ``callback(*args, **kwargs)`` when the program runs, with the values of that run.

    Within ``jit``, ``scan`` and the like it is called at every run and turn; under ``vmap`` once
    for each example; under ``grad`` with the primal values. What it returns is ignored.

    Args:
      callback: any function; it gets Arrays where arrays and numbers were given.
      ordered, partitioned: taken for compatibility: calls are in the program's order always.

    >>> import adlib, adlib.numpy as jnp
    >>> seen = []
    >>> @adlib.jit
    ... def f(x):
    ...     adlib.debug.callback(lambda v: seen.append(float(v)), x)
    ...     return 2 * x
    >>> _ = f(1.0), f(3.0)
    >>> seen
    [1.0, 3.0]
    """
    if not callable(callback):
        raise TypeError(f"debug.callback wants a function; it was given {callback!r}.{here()}")
    leaves, treedef = tree.flatten((args, kwargs))
    values = [as_value(leaf) for leaf in leaves if _is_array(leaf)]
    static = [_DYNAMIC if _is_array(leaf) else leaf for leaf in leaves]
    debug_callback_p.bind(
        *values,
        callback=_Callback(callback, treedef, static),
        avals=tuple(v.aval for v in values),
    )


# --------------------------------------------------------------- for the result


def _pure_kernel(
    xp: Any, *, callback: Any, avals: Any, result_avals: Any, **_: Any
) -> Callable[..., Any]:
    def kernel(*values: Any) -> list[Any]:
        flat = tree.leaves(callback(*map(_array, values, avals)))
        if len(flat) != len(result_avals):
            raise ValueError(
                f"pure_callback: {callback} returned {len(flat)} arrays; result_shape_dtypes "
                f"promises {len(result_avals)}."
            )
        return [_checked(callback, x, a, xp) for x, a in zip(flat, result_avals, strict=True)]

    return kernel


def _checked(callback: Any, x: Any, aval: ShapedArray, xp: Any) -> Any:
    """The result as an ndarray of the promised type."""
    value = np.asarray(x)
    if value.dtype != aval.dtype and type(x) in (bool, int, float, complex):
        value = value.astype(aval.dtype)
    if value.shape != aval.shape or value.dtype != aval.dtype:
        raise ValueError(
            f"pure_callback: {callback} returned an array of shape {value.shape} and dtype "
            f"{value.dtype}; result_shape_dtypes promises {aval.str_short()}.\n  Repair: return "
            f"np.asarray(result, np.{aval.dtype.name}), or correct the promise."
        )
    return xp.asarray(value)


def _pure_jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> Any:
    if any(type(t) is not Zero for t in tangents):
        raise ValueError(
            "Pure callbacks do not support JVP: adlib does not see what "
            f"{params['callback']} computes.{here()}\n  Repair: wrap the call in a function with "
            "custom_jvp or custom_vjp that gives its derivative."
        )
    outs = pure_callback_p.bind(*primals, **params)
    return outs, [Zero.like(o) for o in outs]


def _pure_batch(
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    vmap_method: str | None,
    callback: Any,
    avals: Any,
    result_avals: Any,
) -> tuple[list[Any], list[Any]]:
    if vmap_method is None:
        raise NotImplementedError(
            f"vmap of pure_callback needs vmap_method: adlib cannot know whether {callback} takes "
            f"stacked arguments.{here()}\n  Repair: vmap_method='sequential' calls it once for "
            "each example, 'expand_dims' or 'broadcast_all' once with a leading axis."
        )
    params = dict(vmap_method=vmap_method, callback=callback)
    if vmap_method in ("sequential", "sequential_unrolled"):
        front = [at_front(axis, x, d) for x, d in zip(args, dims, strict=True)]
        one = partial(pure_callback_p.bind, avals=avals, result_avals=result_avals, **params)
        outs = lax_map(lambda each: tuple(one(*each)), tuple(front))
        return list(outs), [0] * len(outs)
    moved = []
    for x, d in zip(args, dims, strict=True):
        if d is None and vmap_method == "expand_dims":
            moved.append(expand_dims(x, (0,)))
        else:
            moved.append(at_front(axis, x, d))
    wide = tuple(a.update(shape=(axis.size, *a.shape)) for a in result_avals)
    outs = pure_callback_p.bind(
        *moved, avals=tuple(x.aval for x in moved), result_avals=wide, **params
    )
    return outs, [0] * len(outs)


pure_callback_p = define_primitive(
    "pure_callback",
    shape=lambda *avals, result_avals, **_: list(result_avals),
    kernel=_pure_kernel,
    jvp=_pure_jvp,
    batch=_pure_batch,
    multiple_results=True,
    first_order=False,
)

_METHODS = (None, "sequential", "sequential_unrolled", "expand_dims", "broadcast_all")


def pure_callback(
    callback: Callable[..., Any],
    result_shape_dtypes: Any,
    *args: Any,
    sharding: None = None,
    vmap_method: str | None = None,
    **kwargs: Any,
) -> Any:
    """The result of a Python function of arrays, within traced code.

    Args:
      callback: a function without side effects; it gets Arrays and returns arrays.
      result_shape_dtypes: tree of objects with ``shape`` and ``dtype``, as ``callback`` returns.
      args, kwargs: its arguments, trees of arrays.
      sharding: None only.
      vmap_method: how ``vmap`` calls it: ``"sequential"`` (once for each example),
        ``"expand_dims"`` or ``"broadcast_all"`` (once, with a leading axis; of size 1 or repeated
        where an argument is not mapped).

    Returns:
      Tree of Arrays as promised.

    Raises:
      ValueError: the callback breaks the promise; it is differentiated.
      NotImplementedError: ``vmap`` without ``vmap_method``.

    >>> import adlib, adlib.numpy as jnp, numpy as np
    >>> def f(x):
    ...     shape = adlib.ShapeDtypeStruct(x.shape, x.dtype)
    ...     return adlib.pure_callback(lambda v: np.sort(np.asarray(v)), shape, x)
    >>> adlib.jit(f)(jnp.array([2.0, 1.0]))
    Array([1., 2.], dtype=float32)
    """
    if vmap_method not in _METHODS:
        raise ValueError(
            f"pure_callback takes vmap_method out of {', '.join(map(str, _METHODS[1:]))}; it was "
            f"given {vmap_method!r}.{here()}"
        )
    leaves, treedef = tree.flatten((args, kwargs))
    values = [as_value(leaf, "pure_callback") for leaf in leaves]
    promised, out_tree = tree.flatten(result_shape_dtypes)
    result_avals = tuple(ShapedArray(tuple(p.shape), np.dtype(p.dtype)) for p in promised)
    outs = pure_callback_p.bind(
        *values,
        callback=_Callback(callback, treedef, [_DYNAMIC] * len(leaves)),
        avals=tuple(v.aval for v in values),
        result_avals=result_avals,
        vmap_method=vmap_method,
    )
    return tree.unflatten(out_tree, outs)
