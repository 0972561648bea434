"""Functions of functions: vectorize, apply_along_axis, and their relatives."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

from adlib import lax
from adlib.api.vectorize import vmap
from adlib.base.source import here
from adlib.core.array import Array
from adlib.numpy.axes import axis_of
from adlib.numpy.promotion import broadcast_shapes, to_array

# -------------------------------------------------------------------------- vectorize

_NAME = r"\w+"
_CORE = rf"\((?:{_NAME}(?:,{_NAME})*)?\)"
_SIGNATURE = re.compile(rf"^{_CORE}(?:,{_CORE})*->{_CORE}(?:,{_CORE})*$")


def _parse(signature: str) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Core dimensions of inputs and outputs of a signature such as ``(n),(n,m)->(m)``."""
    text = signature.replace(" ", "")
    if not _SIGNATURE.match(text):
        raise ValueError(
            f"not a valid gufunc signature: {signature}{here()}\n"
            "  It lists the core axes of every argument and result, as in '(n,m),(m)->(n)'."
        )
    sides = []
    for side in text.split("->"):
        groups = re.findall(_CORE, side)
        sides.append([tuple(n for n in g[1:-1].split(",") if n) for g in groups])
    return sides[0], sides[1]


def _core_sizes(
    shape: tuple[int, ...], names: tuple[str, ...], sizes: dict[str, int], what: str
) -> None:
    if len(shape) < len(names):
        raise ValueError(
            f"{what}: an argument of shape {shape} does not have the {len(names)} core axes "
            f"{names}{here()}"
        )
    for name, n in zip(names, shape[len(shape) - len(names) :], strict=True):
        if sizes.setdefault(name, n) != n:
            raise ValueError(
                f"{what}: inconsistent size for core dimension {name!r}: {n} vs {sizes[name]}"
                f"{here()}"
            )


def vectorize(
    pyfunc: Callable[..., Any], *, excluded: Any = frozenset(), signature: str | None = None
) -> Callable[..., Any]:
    """A function of single elements (or of small arrays) made to broadcast.

    Args:
      pyfunc: the function.
      excluded: positions or names of arguments that are passed on as they are.
      signature: core axes of arguments and results, as in "(n,m),(m)->(n)"; without one
        all are scalars.

    >>> import adlib.numpy as jnp
    >>> dot = jnp.vectorize(jnp.dot, signature="(n),(n)->()")
    >>> dot(jnp.ones((2, 3)), jnp.arange(3.0))
    Array([3., 3.], dtype=float32)
    """
    excluded = frozenset(excluded)
    if any(not isinstance(e, (int, str)) for e in excluded):
        raise TypeError(f"jnp.vectorize: excluded holds ints and names, got {set(excluded)}")
    if any(isinstance(e, int) and e < 0 for e in excluded):
        raise ValueError(f"jnp.vectorize: excluded positions count from 0, got {set(excluded)}")

    @functools.wraps(pyfunc)
    def vectorized(*args: Any, **kwargs: Any) -> Any:
        fixed = {k: v for k, v in kwargs.items() if k in excluded}
        names = [k for k in kwargs if k not in excluded]
        mapped_at = [i for i in range(len(args)) if i not in excluded]

        def function(*values: Any) -> Any:
            full = list(args)
            for i, v in zip(mapped_at, values, strict=False):
                full[i] = v
            rest = dict(zip(names, values[len(mapped_at) :], strict=True))
            return pyfunc(*full, **rest, **fixed)

        values = [args[i] for i in mapped_at] + [kwargs[k] for k in names]
        return _vectorized_call(function, values, signature, pyfunc)

    return vectorized


def _vectorized_call(
    function: Callable[..., Any], values: Sequence[Any], signature: str | None, pyfunc: Any
) -> Any:
    what = f"jnp.vectorize of {getattr(pyfunc, '__name__', pyfunc)}"
    arrays = [to_array(v, "vectorize", i) for i, v in enumerate(values)]
    if signature is None:
        inputs: list[tuple[str, ...]] = [()] * len(arrays)
        outputs = None
    else:
        inputs, outputs = _parse(signature)
    if len(inputs) != len(arrays):
        raise TypeError(
            f"{what}: wrong number of positional arguments: expected {len(inputs)}, got "
            f"{len(arrays)}{here()}"
        )
    sizes: dict[str, int] = {}
    leads = []
    for x, names in zip(arrays, inputs, strict=True):
        _core_sizes(x.aval.shape, names, sizes, what)
        leads.append(x.aval.shape[: x.aval.ndim - len(names)])
    lead = broadcast_shapes(*leads, what=what)

    def checked(*xs: Any) -> Any:
        out = function(*xs)
        if outputs is not None:
            several = out if isinstance(out, (tuple, list)) else (out,)
            if len(several) != len(outputs):
                raise TypeError(
                    f"{what}: wrong number of results: expected {len(outputs)}, got "
                    f"{len(several)}{here()}"
                )
            for o, names in zip(several, outputs, strict=True):
                shape = to_array(o, "vectorize").aval.shape
                if len(shape) != len(names):
                    raise ValueError(
                        f"{what}: a result of shape {shape} does not have the core axes {names}"
                        f"{here()}"
                    )
                _core_sizes(shape, names, sizes, what)
        return out

    # one vmap for each leading axis, the innermost for the last; size-1 axes are not mapped
    mapped = checked
    squeezed = list(arrays)
    for d in range(len(lead)):
        axes = []
        for i, own in enumerate(leads):
            place = len(own) - 1 - d
            if place < 0:
                axes.append(None)
            elif own[place] == 1 and lead[len(lead) - 1 - d] != 1:
                squeezed[i] = lax.squeeze(squeezed[i], (place,))
                axes.append(None)
            else:
                axes.append(0)
        mapped = vmap(mapped, in_axes=tuple(axes), axis_size=lead[len(lead) - 1 - d])
    return mapped(*squeezed)


# --------------------------------------------------------------------- along axes


def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any
) -> Any:
    """A function of vectors applied to every row along an axis.

    >>> import adlib.numpy as jnp
    >>> jnp.apply_along_axis(jnp.sum, 0, jnp.ones((2, 3)))
    Array([2., 2., 2.], dtype=float32)
    """
    x = to_array(arr, "apply_along_axis", 2)
    axis = axis_of(axis, x.aval.ndim)

    def function(row: Any) -> Any:
        return func1d(row, *args, **kwargs)

    for _ in range(1, x.aval.ndim - axis):
        function = vmap(function, in_axes=-1, out_axes=-1)
    for _ in range(axis):
        function = vmap(function, in_axes=0, out_axes=0)
    return function(x)


def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Array:
    """A function of (array, axis) applied over several axes in turn, which keep size 1.

    >>> import adlib.numpy as jnp
    >>> jnp.apply_over_axes(jnp.sum, jnp.ones((2, 3)), [0, 1])
    Array([[6.]], dtype=float32)
    """
    x = to_array(a, "apply_over_axes", 1)
    for axis in axes if isinstance(axes, (list, tuple)) else [axes]:
        result = func(x, axis=axis)
        if result.ndim == x.ndim - 1:
            result = lax.expand_dims(result, (axis_of(axis, x.aval.ndim),))
        if result.ndim != x.ndim:
            raise ValueError(f"function is not returning an array of the correct shape{here()}")
        x = result
    return x
