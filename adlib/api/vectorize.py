"""vmap: a function of one example made one of a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from adlib.api.arguments import argument_names, check_callable, describe_type
from adlib.base import tree
from adlib.base.source import here
from adlib.base.treedef import PyTreeDef
from adlib.control.calls import name_of
from adlib.core.array import Array, as_value
from adlib.interpreters.batch import AxisData, at_front, batch_flat
from adlib.ops.reshaping import moveaxis


def vmap(
    fun: Callable[..., Any],
    in_axes: Any = 0,
    out_axes: Any = 0,
    axis_name: Any = None,
    axis_size: int | None = None,
    spmd_axis_name: Any = None,
) -> Callable[..., Any]:
    """Map a function over an axis of its arguments, as one vectorized computation.

    Args:
      fun: the function of one example.
      in_axes: which axis of each argument to map over: an int, None (not mapped), or a
        tuple/list with one entry for each argument, entries being prefixes of its pytree.
      out_axes: where the mapped axis goes in the results.
      axis_name: a name for the axis, for collectives such as ``lax.psum``.
      axis_size: size of the axis, needed only where no argument is mapped.

    Raises:
      ValueError: sizes of mapped axes differ, or a mapped argument has too few axes.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.vmap(jnp.dot, in_axes=(0, None))(jnp.eye(2), jnp.array([3.0, 4.0]))
    Array([3., 4.], dtype=float32)
    """
    check_callable(fun, "vmap")
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)
    if not isinstance(in_axes, (int, tuple, type(None), dict)) or isinstance(in_axes, bool):
        raise TypeError(
            "vmap in_axes must be an int, None, or a tuple of entries corresponding to the "
            f"positional arguments passed to the function, but got {in_axes!r}.{here()}"
        )

    @functools.wraps(fun, updated=())
    def mapped(*args: Any, **kwargs: Any) -> Any:
        flat, in_tree = tree.flatten((args, kwargs))
        dims = _in_dims(fun, args, kwargs, in_axes)
        values = [as_value(x, f"vmap of {name_of(fun)}") for x in flat]
        dims = [_canonical(d, v) for d, v in zip(dims, values, strict=True)]
        size = _axis_size(fun, args, kwargs, values, dims, axis_size)
        out_tree: Any = None

        def flat_fun(*flat_args: Any) -> list[Array]:
            nonlocal out_tree
            inner, keywords = tree.unflatten(in_tree, flat_args)
            leaves, out_tree = tree.flatten(fun(*inner, **keywords))
            return [as_value(leaf, name_of(fun)) for leaf in leaves]

        axis = AxisData(axis_name, size)
        outs = batch_flat(flat_fun, axis, values, dims)
        targets = _out_dims(out_axes, out_tree, len(outs))
        results = [_place(axis, v, d, t, fun) for (v, d), t in zip(outs, targets, strict=True)]
        return tree.unflatten(out_tree, results)

    return mapped


def _is_none(x: Any) -> bool:
    return x is None


def _in_dims(fun: Any, args: Any, kwargs: Any, in_axes: Any) -> list[Any]:
    if isinstance(in_axes, tuple) and len(in_axes) != len(args):
        raise ValueError(
            "vmap in_axes must be an int, None, or a tuple of entries corresponding to the "
            f"positional arguments passed to the function, but got len(in_axes)={len(in_axes)}, "
            f"len(args)={len(args)}.{here()}"
        )
    entries = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(args)
    dims: list[Any] = []
    for i, (entry, arg) in enumerate(zip(entries, args, strict=True)):
        dims += _prefix(entry, arg, "in_axes", f"argument {i} of {name_of(fun)}")
    # keyword arguments are always mapped over their first axis
    return dims + [0] * len(tree.leaves(kwargs))


def _prefix(entry: Any, value: Any, what: str, whom: str) -> list[Any]:
    """An axis for every leaf of ``value`` from a prefix of its tree."""
    count = len(tree.leaves(value))
    if entry is None or isinstance(entry, int):
        return [entry] * count
    # None marks an unmapped subtree in axes, but an empty node in values: flatten by hand
    axes, structure = tree.flatten(entry, is_leaf=_is_none)
    try:
        subtrees = structure.flatten_up_to(value)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"vmap {what} specification must be a tree prefix of the corresponding value: "
            f"{entry!r} does not fit {whom}, which has structure "
            f"{PyTreeDef(tree.structure(value))}.{here()}"
        ) from error
    dims: list[Any] = []
    for axis, subtree in zip(axes, subtrees, strict=True):
        dims += [axis] * len(tree.leaves(subtree))
    return dims


def _canonical(dim: Any, value: Array) -> int | None:
    if dim is None:
        return None
    rank = len(value.aval.shape)
    if not isinstance(dim, int):
        raise TypeError(f"vmap in_axes must hold integers or None, but got {dim!r}.{here()}")
    if not -rank <= dim < rank:
        needed = dim + 1 if dim >= 0 else -dim
        raise ValueError(
            f"vmap was requested to map its argument along axis {dim}, which implies that its "
            f"rank should be at least {needed}, but is only {rank} (its shape is "
            f"{value.aval.shape}).{here()}\n  Repair: in_axes=None for arguments that all "
            "examples share."
        )
    return dim % rank


def _axis_size(
    fun: Any, args: Any, kwargs: Any, values: list[Array], dims: list[Any], given: int | None
) -> int:
    sizes = [v.aval.shape[d] for v, d in zip(values, dims, strict=True) if d is not None]
    if not sizes:
        if given is not None:
            return given
        raise ValueError(
            "vmap must have at least one non-None value in in_axes, or axis_size must be given."
            f"{here()}"
        )
    if len(set(sizes)) == 1 and given in (None, sizes[0]):
        return sizes[0]
    if given is not None and len(set(sizes)) == 1:
        raise ValueError(
            f"vmap was given axis_size={given}, but the mapped axes have size {sizes[0]}.{here()}"
        )
    names = argument_names(fun, len(args))
    owners = [names[i] for i, arg in enumerate(args) for _ in tree.leaves(arg)]
    owners += [k for k in sorted(kwargs) for _ in tree.leaves(kwargs[k])]
    lines = [
        f"  * size {v.aval.shape[d]}: axis {d} of argument {owner} of type {describe_type(v)}"
        for v, d, owner in zip(values, dims, owners, strict=True)
        if d is not None
    ]
    raise ValueError(
        f"vmap got inconsistent sizes for array axes to be mapped:{here()}\n"
        + "\n".join(lines)
        + "\n  All mapped axes are walked along together, so they must have one size. Repair: "
        "in_axes chooses the axis of each argument, None for arguments that are not mapped."
    )


def _out_dims(out_axes: Any, out_tree: Any, count: int) -> list[Any]:
    if out_axes is None or isinstance(out_axes, int):
        return [out_axes] * count
    if isinstance(out_axes, list):
        out_axes = tuple(out_axes)
    dummy = tree.unflatten(out_tree, [0] * count)
    return _prefix(out_axes, dummy, "out_axes", "the function's result")


def _place(axis: AxisData, value: Any, dim: int | None, target: Any, fun: Any) -> Any:
    if target is None:
        if dim is None:
            return value
        raise ValueError(
            f"vmap has mapped output but out_axes is None: the result of {name_of(fun)} depends "
            f"on a mapped argument.{here()}"
        )
    front = at_front(axis, value, dim) if dim is None else None
    rank = len(value.aval.shape) + (dim is None)
    if not -rank <= target < rank:
        raise ValueError(f"vmap out_axes={target} does not fit a result of rank {rank}.{here()}")
    target %= rank
    return moveaxis(front, 0, target) if dim is None else moveaxis(value, dim, target)
