"""Collectives over a named axis of vmap: psum, pmean, pmax, pmin, all_gather, axis_index, …"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from adlib.base import tree
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import as_value, from_nothing, scalar
from adlib.core.avals import ShapedArray, Zero
from adlib.core.primitive import Primitive, define_primitive
from adlib.core.trace import axis_size as _size_of
from adlib.ops.arithmetic import div, eq, mul
from adlib.ops.conversion import convert_element_type
from adlib.ops.dynamic_slices import dynamic_index_in_dim, index_take
from adlib.ops.filling import full_like, iota
from adlib.ops.reductions import reduce_max, reduce_min
from adlib.ops.reshaping import broadcast_in_dim, moveaxis, reduce_sum
from adlib.ops.selection import select_n_p

Groups = Sequence[Sequence[int]] | None

# A collective is an ordinary operation until it meets the trace of the vmap that owns its
# axis: that trace calls the batching rule with the axis in question among ``axes``.


def _unbound(xp: Any, axis_name: Any, **_: Any) -> Any:
    for name in axis_name if isinstance(axis_name, tuple) else (axis_name,):
        _size_of(name)  # raises the teaching error
    raise NameError(f"the axis {axis_name!r} belongs to no vmap that is being evaluated")


def _reduction_batch(
    primitive: Primitive,
    reduce: Callable[..., Any],
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    axis_name: tuple[Any, ...],
) -> tuple[Any, Any]:
    (x,), (d,) = args, dims
    if axis.name not in axis_name:
        return primitive.bind(x, axis_name=axis_name), d
    if d is None:
        size = scalar(axis.size, x.aval.dtype, x.aval.weak_type)
        reduced = mul(x, size) if primitive is psum_p else x
    else:
        reduced = reduce(x, (d,))
    rest = tuple([n for n in axis_name if n != axis.name])
    return (primitive.bind(reduced, axis_name=rest) if rest else reduced), None


def _psum_transpose(ct: Any, x: Any, *, axis_name: Any) -> tuple[Any]:
    return (psum_p.bind(ct, axis_name=axis_name),)


def _psum_jvp(primals: Any, tangents: Any, *, axis_name: Any) -> tuple[Any, Any]:
    ans = psum_p.bind(primals[0], axis_name=axis_name)
    (t,) = tangents
    return ans, Zero.like(ans) if type(t) is Zero else psum_p.bind(t, axis_name=axis_name)


psum_p = define_primitive(
    "psum",
    shape=lambda x, *, axis_name: x,
    kernel=_unbound,
    jvp=_psum_jvp,
    transpose=_psum_transpose,
    first_order=False,
)
psum_p.batch = partial(_reduction_batch, psum_p, reduce_sum)


def _extremum(name: str, reduce: Callable[..., Any]) -> Primitive:
    """pmax or pmin; the tangent is that of the examples that attain it, shared evenly."""

    def jvp(primals: Any, tangents: Any, *, axis_name: Any) -> tuple[Any, Any]:
        (x,), (t,) = primals, tangents
        ans = primitive.bind(x, axis_name=axis_name)
        if type(t) is Zero:
            return ans, Zero.like(ans)
        at_best = convert_element_type(eq(x, ans), x.aval.dtype)
        count = psum_p.bind(at_best, axis_name=axis_name)
        return ans, psum_p.bind(mul(t, div(at_best, count)), axis_name=axis_name)

    primitive = define_primitive(
        name, shape=lambda x, *, axis_name: x, kernel=_unbound, jvp=jvp, first_order=False
    )
    primitive.batch = partial(_reduction_batch, primitive, reduce)
    return primitive


pmax_p = _extremum("pmax", reduce_max)
pmin_p = _extremum("pmin", reduce_min)


def _names(axis_name: Any) -> tuple[Any, ...]:
    names = tuple(axis_name) if isinstance(axis_name, (tuple, list)) else (axis_name,)
    for name in names:
        _size_of(name)
    return names


def _each(primitive: Primitive, x: Any, axis_name: Any, groups: Groups, reduce: Any) -> Any:
    names = _names(axis_name)
    if groups is not None:
        own = OwnGroup(primitive.name, names, groups)
        return tree.map(lambda leaf: own.reduced(as_value(leaf, primitive.name), reduce), x)
    return tree.map(lambda leaf: primitive.bind(as_value(leaf, primitive.name), axis_name=names), x)


def psum(x: Any, axis_name: Any, *, axis_index_groups: Groups = None) -> Any:
    """Sum over the examples of the vmap(s) that name ``axis_name``.

    Args:
      x: array, or a pytree of arrays; of a Python number the sum is one, too.
      axis_name: name of a vmap's axis, or a tuple of names.
      axis_index_groups: lists of the indices of examples, each index in one list: the sum is
        over an example's own group. With one axis name only.

    Raises:
      NameError: no enclosing vmap has this axis name.
      ValueError: groups that leave an example out or name one twice.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.vmap(lambda x: x / adlib.lax.psum(x, "i"), axis_name="i")(jnp.array([1.0, 3.0]))
    Array([0.25, 0.75], dtype=float32)
    """
    names = _names(axis_name)
    own = None if axis_index_groups is None else OwnGroup("psum", names, axis_index_groups)

    def total(leaf: Any) -> Any:
        value = as_value(leaf, "psum")
        if isinstance(leaf, (int, float)) and not isinstance(leaf, bool):
            if own is None:
                size = int(np.prod([_size_of(n) for n in names]))
                return leaf * size  # a Python constant stays one: psum(1, axis) is the axis size
            if own.equal:
                return leaf * own.size
        if value.aval.dtype.kind == "b":
            value = convert_element_type(value, np.dtype(np.int32))
        if own is not None:
            return own.reduced(value, reduce_sum)
        return psum_p.bind(value, axis_name=names)

    return tree.map(total, x)


def pmean(x: Any, axis_name: Any, *, axis_index_groups: Groups = None) -> Any:
    """Mean over the examples of the vmap that names ``axis_name``; of integers as a float.

    With ``axis_index_groups``, the mean over the example's own group, as for ``psum``.

    >>> import adlib, adlib.numpy as jnp
    >>> from adlib import lax
    >>> adlib.vmap(lambda x: x - lax.pmean(x, "i"), axis_name="i")(jnp.array([1.0, 3.0]))
    Array([-1.,  1.], dtype=float32)
    """
    count = psum(1, axis_name, axis_index_groups=axis_index_groups)

    def mean(leaf: Any) -> Any:
        value = as_value(leaf, "pmean")
        if not dtypes.is_inexact(value.aval.dtype):
            value = convert_element_type(value, dtypes.canonicalize_dtype(np.dtype(np.float64)))
        total = psum(value, axis_name, axis_index_groups=axis_index_groups)
        if isinstance(count, int):
            return div(total, scalar(count, value.aval.dtype, value.aval.weak_type))
        return div(total, convert_element_type(count, value.aval.dtype))

    return tree.map(mean, x)


def pmax(x: Any, axis_name: Any, *, axis_index_groups: Groups = None) -> Any:
    """Maximum over the examples of the vmap that names ``axis_name``, or over a group of them.

    >>> import adlib, adlib.numpy as jnp
    >>> from adlib import lax
    >>> adlib.vmap(lambda x: x / lax.pmax(x, "i"), axis_name="i")(jnp.array([1.0, 4.0]))
    Array([0.25, 1.  ], dtype=float32)
    """
    return _each(pmax_p, x, axis_name, axis_index_groups, reduce_max)


def pmin(x: Any, axis_name: Any, *, axis_index_groups: Groups = None) -> Any:
    """Minimum over the examples of the vmap that names ``axis_name``, or over a group of them.

    >>> import adlib, adlib.numpy as jnp
    >>> from adlib import lax
    >>> adlib.vmap(lambda x: x - lax.pmin(x, "i"), axis_name="i")(jnp.array([1.0, 3.0]))
    Array([0., 2.], dtype=float32)
    """
    return _each(pmin_p, x, axis_name, axis_index_groups, reduce_min)


# ----------------------------------------------------------- gather, index


def _gather_shape(
    x: ShapedArray, *, axis_name: Any, size: int, all_gather_dimension: int
) -> ShapedArray:
    shape = (*x.shape[:all_gather_dimension], size, *x.shape[all_gather_dimension:])
    return x.update(shape=shape)


def _gather_batch(
    axis: Any, args: Sequence[Any], dims: Sequence[Any], *, axis_name: Any, **params: Any
) -> tuple[Any, Any]:
    (x,), (d,) = args, dims
    place = params["all_gather_dimension"]
    if axis.name != axis_name:
        outer = d + (place <= d)
        moved = {**params, "all_gather_dimension": place + (d < place)}
        return all_gather_p.bind(x, axis_name=axis_name, **moved), outer
    if d is None:
        shape = (*x.aval.shape[:place], axis.size, *x.aval.shape[place:])
        kept = [i for i in range(len(shape)) if i != place]
        return broadcast_in_dim(x, shape, kept), None
    return moveaxis(x, d, place), None


def _gather_jvp(primals: Any, tangents: Any, **params: Any) -> tuple[Any, Any]:
    ans = all_gather_p.bind(primals[0], **params)
    (t,) = tangents
    return ans, Zero.like(ans) if type(t) is Zero else all_gather_p.bind(t, **params)


def _gather_transpose(
    ct: Any, x: Any, *, axis_name: Any, size: int, all_gather_dimension: int
) -> tuple[Any]:
    # every example sees all of them: sum the cotangents of all, and take this one's share
    total = psum_p.bind(moveaxis(ct, all_gather_dimension, 0), axis_name=(axis_name,))
    here = convert_element_type(
        eq(iota(np.dtype(np.int32), size), axis_index(axis_name)), total.aval.dtype
    )
    weights = broadcast_in_dim(here, total.aval.shape, (0,))
    return (reduce_sum(mul(total, weights), (0,)),)


all_gather_p = define_primitive(
    "all_gather",
    shape=_gather_shape,
    kernel=_unbound,
    jvp=_gather_jvp,
    transpose=_gather_transpose,
    batch=_gather_batch,
    first_order=False,
)


def all_gather(
    x: Any, axis_name: Any, *, axis_index_groups: Groups = None, axis: int = 0, tiled: bool = False
) -> Any:
    """The values of all examples, stacked along a new ``axis`` (joined there with ``tiled``).

    With ``axis_index_groups``, lists of equal lengths that name each example once, those of the
    example's own group.

    >>> import adlib, adlib.numpy as jnp
    >>> pairs = lambda x: adlib.lax.all_gather(x, "i", axis_index_groups=[[0, 2], [1, 3]])
    >>> adlib.vmap(pairs, axis_name="i")(jnp.arange(4))
    Array([[0, 2],
           [1, 3],
           [0, 2],
           [1, 3]], dtype=int32)
    """
    size = _size_of(axis_name)
    own = None
    if axis_index_groups is not None:
        own = OwnGroup("all_gather", (axis_name,), axis_index_groups, equal=True)
        size = own.size

    def gather(leaf: Any) -> Any:
        value = as_value(leaf, "all_gather")
        place = axis % (value.aval.ndim + 1)
        if own is None:
            out = all_gather_p.bind(
                value, axis_name=axis_name, size=size, all_gather_dimension=place
            )
        else:
            out = moveaxis(own.gathered(value), 0, place)
        if not tiled:
            return out
        shape = list(value.aval.shape)
        shape[place] *= size
        return out.reshape(shape)

    return tree.map(gather, x)


def _index_batch(
    axis: Any, args: Sequence[Any], dims: Sequence[Any], *, axis_name: Any
) -> tuple[Any, int]:
    aval = ShapedArray((axis.size,), np.dtype(np.int32))
    return from_nothing(np.arange(axis.size, dtype=np.int32), aval), 0


axis_index_p: Primitive = define_primitive(
    "axis_index",
    shape=lambda *, axis_name: ShapedArray((), np.dtype(np.int32)),
    kernel=_unbound,
    jvp=lambda primals, tangents, *, axis_name: (
        (out := axis_index_p.bind(axis_name=axis_name)),
        Zero.like(out),
    ),
    batch=_index_batch,
    first_order=False,
)


def axis_index(axis_name: Any) -> Any:
    """Index of the current example along the vmap that names ``axis_name``.

    >>> import adlib, adlib.numpy as jnp
    >>> from adlib import lax
    >>> adlib.vmap(lambda x: x * lax.axis_index("i"), axis_name="i")(jnp.ones(3))
    Array([0., 1., 2.], dtype=float32)
    """
    _size_of(axis_name)
    return axis_index_p.bind(axis_name=axis_name)


def axis_size(axis_name: Any) -> int:
    """Size of the vmap's axis that is named ``axis_name``."""
    return _size_of(axis_name)


# ------------------------------------------------------------------ groups


class OwnGroup:
    """The group of examples that the current one is in, by ``axis_index_groups``.

    ``size`` is the number of its examples, where all groups are ``equal`` in that.
    """

    def __init__(
        self, name: str, axis_names: tuple[Any, ...], groups: Sequence[Any], equal: bool = False
    ) -> None:
        if len(axis_names) != 1:
            raise ValueError(
                f"{name} takes axis_index_groups with one axis name only, got {axis_names}.{here()}"
            )
        (self.axis_name,) = axis_names
        self.count = _size_of(self.axis_name)
        lists = [[int(i) for i in group] for group in groups]
        if sorted(itertools.chain(*lists)) != list(range(self.count)):
            raise ValueError(
                f"axis_index_groups of {name} must cover all indices of the axis "
                f"{self.axis_name!r} exactly once, that is 0 to {self.count - 1}; got "
                f"{lists}.{here()}"
            )
        lengths = {len(group) for group in lists}
        self.equal = len(lengths) == 1
        if equal and not self.equal:
            raise ValueError(
                f"axis_index_groups of {name} must be of the same size, as the results have one "
                f"shape; got {lists}.{here()}"
            )
        self.size = len(lists[0])
        self.position = np.zeros(self.count, np.int32)
        self._of = np.zeros(self.count, np.int32)
        for g, group in enumerate(lists):
            self._of[group] = g
            self.position[group] = range(len(group))
        self._lists = lists

    def index(self) -> Any:
        """Place of the current example in its group."""
        return self._mine(self.position)

    def _mine(self, table: Any) -> Any:
        values = from_nothing(table, ShapedArray(table.shape, table.dtype))
        return dynamic_index_in_dim(values, axis_index(self.axis_name), 0, keepdims=False)

    def gathered(self, x: Any) -> Any:
        """The group's values, stacked along a new first axis."""
        every = all_gather(x, self.axis_name)
        rows = self._mine(np.array([self._lists[g] for g in self._of], np.int32))
        return index_take(every, (rows,), (0,))

    def reduced(self, x: Any, reduce: Callable[..., Any]) -> Any:
        """The group's values reduced; groups may differ in size."""
        if self.equal:
            return reduce(self.gathered(x), (0,))
        every = all_gather(x, self.axis_name)
        inside = self._mine(self._of[:, None] == self._of[None, :])
        inside = broadcast_in_dim(inside, every.aval.shape, (0,))
        if reduce is reduce_sum:
            return reduce(select_n_p.bind(inside, full_like(every, 0), every), (0,))
        # an example's own value is in its group: it may stand for those that are not
        own = broadcast_in_dim(x, every.aval.shape, tuple(range(1, every.aval.ndim)))
        return reduce(select_n_p.bind(inside, own, every), (0,))
