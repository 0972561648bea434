"""Derivatives checked against finite differences, in both modes and any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib import numpy as jnp
from adlib import tree_util
from adlib.api.derivatives import jvp as _jvp
from adlib.api.derivatives import vjp as _vjp
from adlib.api.devices import device_put
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import as_value, to_numpy

# How far finite differences may be off: about the cube root of the precision, times a
# constant for the size of higher derivatives.
_TOLERANCE = {2: 1e-1, 4: 2e-3, 8: 1e-5}
# The step of central differences that balances truncation against rounding.
_STEP = {2: 5e-2, 4: 5e-3, 8: 1e-5}


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int,
    modes: Sequence[str] = ("fwd", "rev"),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
) -> None:
    """Compare derivatives of ``f`` at ``args``, up to an order, with finite differences.

    Each order is checked along random directions: forward mode against the difference
    quotient, reverse mode by projecting both on random cotangents. Orders above the first
    are reached through every combination of the modes.

    Args:
      f: function of arrays (pytrees of them), differentiable near ``args``.
      args: tuple of its arguments, floating or complex.
      order: highest order of derivatives, at least 1.
      modes: which of ``"fwd"`` and ``"rev"`` to check.
      atol, rtol: tolerances; by default 2e-3 for float32 and 1e-5 for float64, wider for
        higher orders.
      eps: step of the differences; by default 5e-3 for float32 and 1e-5 for float64.

    Raises:
      AssertionError: they differ; the message names the mode, the order and the place.
      ValueError: another mode.

    >>> import adlib.numpy as jnp
    >>> from adlib.test_util import check_grads
    >>> check_grads(jnp.tanh, (0.5,), order=2)
    """
    modes = (modes,) if isinstance(modes, str) else tuple(modes)
    unknown = [m for m in modes if m not in ("fwd", "rev")]
    if unknown or not modes:
        raise ValueError(f"check_grads: modes must be 'fwd' and/or 'rev', got {modes!r}.{here()}")
    args = tuple(args)
    _check_args(args)
    rng = np.random.RandomState(0)
    _check_orders(f, args, 1, order, modes, atol, rtol, eps, rng, "")


def _check_args(args: tuple[Any, ...]) -> None:
    for path, leaf in tree_util.tree_leaves_with_path(args):
        if not dtypes.is_inexact(as_value(leaf, "check_grads").aval.dtype):
            raise TypeError(
                f"check_grads: args{tree_util.keystr(path)} has dtype "
                f"{as_value(leaf).aval.dtype.name}, and derivatives are for floats.{here()}\n"
                "  Repair: give floats (1.0, not 1), or close over integer arguments."
            )


def _check_orders(
    f: Any,
    args: tuple[Any, ...],
    order: int,
    last: int,
    modes: Sequence[str],
    atol: Any,
    rtol: Any,
    eps: Any,
    rng: Any,
    through: str,
) -> None:
    # the tangents are arguments of the derivative, so that its own derivative is checked in
    # them as well; that is what the next order does
    if "fwd" in modes:
        label = f"JVP{through}"
        _compare_jvp(f, _forward(f), args, atol, rtol, eps, rng, label)
        if order < last:
            tangents = _random_like(rng, args)

            def push(*xs: Any) -> Any:
                return _jvp(f, xs, tangents)

            _check_orders(
                push, args, order + 1, last, modes, atol, rtol, eps, rng, f" of the {label}"
            )
    if "rev" in modes:
        label = f"VJP{through}"
        _compare_vjp(f, lambda *xs: _vjp(f, *xs), args, atol, rtol, eps, rng, label)
        if order < last:
            out, _ = _vjp(f, *args)
            cotangents = _random_like(rng, out)

            def pull(*xs: Any) -> Any:
                value, pullback = _vjp(f, *xs)
                return value, pullback(cotangents)

            _check_orders(
                pull, args, order + 1, last, modes, atol, rtol, eps, rng, f" of the {label}"
            )


def _forward(f: Any) -> Callable[..., Any]:
    return lambda primals, tangents: _jvp(f, primals, tangents)


def check_jvp(
    f: Callable[..., Any],
    f_jvp: Callable[..., Any],
    args: Sequence[Any],
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    err_msg: str = "",
) -> None:
    """Compare a Jacobian-vector product of ``f`` with a difference quotient.

    Args:
      f: function of arrays.
      f_jvp: ``f_jvp(primals, tangents)`` → (value, tangent), such as
        ``functools.partial(adlib.jvp, f)``.
      args: tuple of arguments.
      atol, rtol, eps: as for ``check_grads``.
      err_msg: put before the message.

    Raises AssertionError where they differ.

    >>> from functools import partial
    >>> import adlib, adlib.numpy as jnp
    >>> from adlib.test_util import check_jvp
    >>> check_jvp(jnp.tanh, partial(adlib.jvp, jnp.tanh), (0.5,))
    """
    rng = np.random.RandomState(0)
    _compare_jvp(f, f_jvp, tuple(args), atol, rtol, eps, rng, f"{err_msg} JVP".strip())


def check_vjp(
    f: Callable[..., Any],
    f_vjp: Callable[..., Any],
    args: Sequence[Any],
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    err_msg: str = "",
) -> None:
    """Compare a vector-Jacobian product of ``f`` with a difference quotient.

    Args:
      f: function of arrays.
      f_vjp: ``f_vjp(*args)`` → (value, pullback), such as ``functools.partial(adlib.vjp, f)``.
      args: tuple of arguments.
      atol, rtol, eps: as for ``check_grads``.
      err_msg: put before the message.

    Raises AssertionError where they differ.

    >>> from functools import partial
    >>> import adlib, adlib.numpy as jnp
    >>> from adlib.test_util import check_vjp
    >>> check_vjp(jnp.tanh, partial(adlib.vjp, jnp.tanh), (0.5,))
    """
    rng = np.random.RandomState(0)
    _compare_vjp(f, f_vjp, tuple(args), atol, rtol, eps, rng, f"{err_msg} VJP".strip())


# ------------------------------------------------------------------- one comparison


def _compare_jvp(
    f: Any, f_jvp: Any, args: Any, atol: Any, rtol: Any, eps: Any, rng: Any, label: str
) -> None:
    tangents = _random_like(rng, args)
    value, tangent = f_jvp(args, tangents)
    _assert_close(
        value,
        f(*args),
        _tolerance(args, atol),
        _tolerance(args, rtol),
        f"{label}: the value that comes with the derivative",
        "the function itself",
    )
    expected = _difference(f, args, tangents, eps)
    _assert_close(
        tangent,
        expected,
        _tolerance(args, atol),
        _tolerance(args, rtol),
        f"{label}: the tangent",
        "finite differences",
    )


def _compare_vjp(
    f: Any, f_vjp: Any, args: Any, atol: Any, rtol: Any, eps: Any, rng: Any, label: str
) -> None:
    value, pullback = f_vjp(*args)
    _assert_close(
        value,
        f(*args),
        _tolerance(args, atol),
        _tolerance(args, rtol),
        f"{label}: the value that comes with the derivative",
        "the function itself",
    )
    tangents = _random_like(rng, args)
    moved = _difference(f, args, tangents, eps)
    cotangents = _random_like(rng, value)
    # complex: <J v, w> is the real inner product, and the pullback is linear, not conjugate
    pulled = _conjugate(pullback(_conjugate(cotangents)))
    found, expected = _inner(tangents, pulled), _inner(moved, cotangents)
    # a projection adds up many elements: what cancels still leaves its rounding
    scale = _magnitude(moved, cotangents)
    tol = _tolerance(args, atol)
    _assert_close(
        found,
        expected,
        tol * max(1.0, scale),
        _tolerance(args, rtol),
        f"{label}: the cotangent, projected on a random direction",
        "finite differences",
    )


def _difference(f: Any, args: Any, tangents: Any, eps: float | None) -> Any:
    """Central difference quotient of f along the tangents, computed in double precision."""
    step = eps if eps is not None else _by_size(_STEP, args)

    def moved(sign: float) -> Any:
        return tree_util.tree_map(
            lambda x, t: _array(_wide(x) + sign * step * _wide(t), x), args, tangents
        )

    high, low = moved(0.5), moved(-0.5)
    return tree_util.tree_map(lambda a, b: (_wide(a) - _wide(b)) / step, f(*high), f(*low))


def _array(value: Any, like: Any) -> Any:
    return _beside(value, as_value(like))


def _beside(value: Any, like: Any) -> Any:
    """An Array of these numbers with the dtype of ``like``, on its device."""
    return device_put(jnp.asarray(np.asarray(value).astype(like.aval.dtype)), like.device)


def _wide(x: Any) -> Any:
    value = x if isinstance(x, (np.ndarray, np.generic)) else to_numpy(as_value(x))  # type: ignore[arg-type]
    if value.dtype.kind == "c":
        return value.astype(np.complex128)
    return value.astype(np.float64) if value.dtype != dtypes.float0 else np.zeros(value.shape)


def _random_like(rng: Any, tree: Any) -> Any:
    def draw(x: Any) -> Any:
        like = as_value(x)
        aval = like.aval
        if not dtypes.is_inexact(aval.dtype):
            return np.zeros(aval.shape, dtypes.float0)
        value = rng.randn(*aval.shape)
        if dtypes.is_complex(aval.dtype):
            value = value + 1j * rng.randn(*aval.shape)
        return _beside(value, like)

    return tree_util.tree_map(draw, tree)


def _conjugate(tree: Any) -> Any:
    def one(x: Any) -> Any:
        if isinstance(x, np.ndarray):
            return x  # float0
        return jnp.conj(x) if dtypes.is_complex(as_value(x).aval.dtype) else x

    return tree_util.tree_map(one, tree)


def _pairs(a: Any, b: Any) -> list[tuple[Any, Any]]:
    left, right = tree_util.tree_leaves(a), tree_util.tree_leaves(b)
    return [(_wide(x), _wide(y)) for x, y in zip(left, right, strict=True)]


def _inner(a: Any, b: Any) -> Any:
    """Real inner product of two trees of the same structure."""
    return np.float64(sum(np.real(np.vdot(x, y)) for x, y in _pairs(a, b)))


def _magnitude(a: Any, b: Any) -> float:
    return float(np.sqrt(sum(np.sum(np.abs(x * y) ** 2) for x, y in _pairs(a, b))))


def _by_size(table: dict[int, float], tree: Any) -> float:
    """The entry for the least precise leaf."""
    sizes = [dtypes.real_of(as_value(x).aval.dtype).itemsize for x in tree_util.tree_leaves(tree)
             if dtypes.is_inexact(as_value(x).aval.dtype)]  # fmt: skip
    return max([table[n] for n in sizes], default=table[8])


def _tolerance(args: Any, given: float | None) -> float:
    return given if given is not None else _by_size(_TOLERANCE, args)


def _assert_close(
    found: Any, expected: Any, atol: float, rtol: float, what: str, reference: str
) -> None:
    mine, theirs = tree_util.tree_structure(found), tree_util.tree_structure(expected)
    if mine != theirs:
        raise AssertionError(
            f"{what} has the structure {mine}, but {reference} gives {theirs}.{here()}"
        )
    for (path, x), y in zip(
        tree_util.tree_leaves_with_path(found), tree_util.tree_leaves(expected), strict=True
    ):
        x, y = _wide(x), _wide(y)
        place = tree_util.keystr(path)
        if x.shape != y.shape:
            raise AssertionError(
                f"{what} has shape {x.shape}{_at(place)}, but {reference} gives {y.shape}.{here()}"
            )
        wrong = ~np.isclose(x, y, atol=atol, rtol=rtol, equal_nan=True)
        if wrong.any():
            raise AssertionError(_explain(x, y, wrong, atol, rtol, what, reference, place))


def _at(place: str) -> str:
    return f" in result{place}" if place else ""


def _explain(
    x: Any, y: Any, wrong: Any, atol: float, rtol: float, what: str, reference: str, place: str
) -> str:
    errors = np.where(wrong, np.abs(x - y), 0)
    errors = np.where(np.isnan(errors), np.inf, errors)
    worst = np.unravel_index(np.argmax(errors), errors.shape) if x.shape else ()
    index = f"[{', '.join(map(str, worst))}]" if worst else ""
    return (
        f"{what} does not match {reference}{_at(place)}: {int(wrong.sum())} of {x.size} elements "
        f"differ by more than atol={atol:g} + rtol={rtol:g} * |expected|.\n"
        f"  Worst element{' ' + index if index else ''}: autodiff gives {x[worst]:.6g}, "
        f"{reference} {'give' if reference.endswith('s') else 'gives'} {y[worst]:.6g}.{here()}\n"
        "  If the function uses custom_jvp or custom_vjp, check that rule first. If it has a "
        "kink (abs, max, where, round) near this point, check at another one. If the numbers "
        "are close, the function is steep or large here: pass wider atol, rtol, or another eps, "
        "or check in float64 under adlib.enable_x64(True)."
    )
