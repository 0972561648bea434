"""Constructors that fill in the predictable rules of whole families of primitives.

``elementwise`` makes shape, kernel, jvp and batching rules from a NumPy function and one
derivative for each argument; ``linear`` differentiates a linear operation by applying it
to the tangent; ``bilinear`` does so in each argument.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.avals import ShapedArray, UndefinedPrimal, Zero
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops.operands import broadcast_shape, check_dtypes, default_samples, normal
from adlib.ops.reshaping import broadcast_to, expand_dims, instantiate, moveaxis, reduce_sum

# Derivative of one argument: (tangent, result, *arguments) -> its share of the tangent.
Derivative = Callable[..., Any]


# --------------------------------------------------------- linear and bilinear


def linear(
    name: str,
    *,
    shape: Callable[..., Any],
    impl: Callable[..., Any] | None = None,
    transpose: Callable[..., Any],
    batch: Callable[..., Any],
    samples: Callable[[], list[Sample]],
    **rules: Any,
) -> Primitive:
    """An operation linear in all its arguments jointly: it is its own derivative.

    ``transpose(ct, *args, **params)`` is called with a cotangent that is not zero.
    """
    primitive = define_primitive(
        name, shape=shape, impl=impl, transpose=transpose, batch=batch, samples=samples, **rules
    )
    primitive.jvp = partial(_linear_jvp, primitive)
    return primitive


def _linear_jvp(
    primitive: Primitive, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
) -> tuple[Any, Any]:
    ans = primitive.bind(*primals, **params)
    if all(type(t) is Zero for t in tangents):
        return ans, Zero.like(ans)
    if not dtypes.is_inexact(ans.aval.dtype):
        return ans, Zero.like(ans)
    return ans, primitive.bind(*[instantiate(t) for t in tangents], **params)


def bilinear(
    name: str,
    *,
    shape: Callable[..., Any],
    impl: Callable[..., Any] | None = None,
    transpose_lhs: Callable[..., Any],
    transpose_rhs: Callable[..., Any],
    batch: Callable[..., Any],
    samples: Callable[[], list[Sample]],
    **rules: Any,
) -> Primitive:
    """An operation of two arguments, linear in each (the product rule is its derivative).

    ``transpose_lhs(ct, lhs_aval, rhs, **params)`` gives the cotangent of the left argument,
    ``transpose_rhs(ct, lhs, rhs_aval, **params)`` that of the right one.
    """

    def transpose(ct: Any, lhs: Any, rhs: Any, **params: Any) -> tuple[Any, Any]:
        if type(lhs) is UndefinedPrimal and type(rhs) is UndefinedPrimal:
            raise NotImplementedError(
                f"Transposition of '{name}' of two linear arguments: their product is not "
                f"linear.{here()}"
            )
        if type(lhs) is UndefinedPrimal:
            return transpose_lhs(ct, lhs.aval, rhs, **params), None
        return None, transpose_rhs(ct, lhs, rhs.aval, **params)

    primitive = define_primitive(
        name, shape=shape, impl=impl, transpose=transpose, batch=batch, samples=samples, **rules
    )
    primitive.jvp = partial(_bilinear_jvp, primitive)
    return primitive


def _bilinear_jvp(
    primitive: Primitive, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
) -> tuple[Any, Any]:
    x, y = primals
    tx, ty = tangents
    ans = primitive.bind(x, y, **params)
    if not dtypes.is_inexact(ans.aval.dtype):
        return ans, Zero.like(ans)
    shares = []
    if type(tx) is not Zero:
        shares.append(primitive.bind(tx, y, **params))
    if type(ty) is not Zero:
        shares.append(primitive.bind(x, ty, **params))
    if not shares:
        return ans, Zero.like(ans)
    return ans, shares[0] if len(shares) == 1 else add_any(*shares)


# -------------------------------------------------------------------- add_any


def _add_any_batch(axis: Any, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
    x, y = (
        moveaxis(v, d, 0) if d is not None else broadcast_to(v, (axis.size, *v.aval.shape))
        for v, d in zip(args, dims, strict=True)
    )
    return add_any_p.bind(x, y), 0


add_any_p = linear(
    "add_any",
    shape=lambda x, y: ShapedArray(x.shape, x.dtype, x.weak_type and y.weak_type),
    impl=lambda xp, x, y: xp.add(x, y),
    infix="+",
    transpose=lambda ct, x, y: (ct, ct),
    batch=_add_any_batch,
    samples=lambda: [Sample((normal(2, 3), normal(2, 3)))],
)


def add_any(x: Any, y: Any) -> Any:
    """Sum of two tangents or cotangents of one type: where a value fans out, they add."""
    return add_any_p.bind(x, y)


def add_tangents(x: Any, y: Any) -> Any:
    """Sum of tangents that may be symbolic zeros."""
    if type(x) is Zero:
        return y
    return x if type(y) is Zero else add_any_p.bind(x, y)


# ---------------------------------------------------------------- elementwise


def elementwise(
    name: str,
    function: str | Callable[..., Any],
    derivatives: Sequence[Derivative | None] | None = None,
    *,
    kinds: str = "fc",
    result: Callable[[Any], Any] | None = None,
    transpose: Callable[..., Any] | None = None,
    samples: Callable[[], list[Sample]] | None = None,
    arity: int | None = None,
    **rules: Any,
) -> Primitive:
    """An operation on corresponding elements.

    Args:
      name: name of the primitive.
      function: name of the array module's function, or ``f(xp, *ndarrays, **params)``.
      derivatives: for each argument ``d(t, ans, *args, **params)``, the argument's share of
        the output tangent, linear in ``t``; None for a share of zero. None altogether for
        operations whose result has no tangent.
      kinds: dtype kinds accepted, out of "biufc".
      result: dtype of the result from that of the operands; the same where left out.
      transpose: for operations that are linear.
      samples: by default made from ``kinds`` and the number of arguments.
    """
    if isinstance(function, str):
        kernel: Any = partial(_named_kernel, function)
    else:
        kernel = partial(_function_kernel, function)
    count = arity if arity is not None else (len(derivatives) if derivatives else 1)
    primitive = define_primitive(
        name,
        shape=partial(_elementwise_shape, name, kinds, result),
        kernel=kernel,
        transpose=transpose,
        samples=samples or partial(default_samples, kinds, count),
        **rules,
    )
    primitive.jvp = partial(_elementwise_jvp, primitive, derivatives)
    primitive.batch = partial(elementwise_batch, primitive)
    return primitive


def _named_kernel(function: str, xp: Any, **params: Any) -> Any:
    found = getattr(xp, function)
    return partial(found, **params) if params else found


def _function_kernel(function: Callable[..., Any], xp: Any, **params: Any) -> Any:
    return partial(function, xp, **params)


def _elementwise_shape(
    name: str, kinds: str, result: Callable[[Any], Any] | None, *avals: ShapedArray, **params: Any
) -> ShapedArray:
    first = avals[0]
    dtype = first.dtype
    if avals.count(first) == len(avals) and dtypes.kind(dtype) in kinds:
        if result is None:
            return first  # operands of one type, the commonest case
        return ShapedArray(first.shape, result(dtype), first.weak_type)
    check_dtypes(name, avals, kinds)
    shape = broadcast_shape(name, avals)
    weak = all([a.weak_type for a in avals])
    if result is not None:
        dtype = result(dtype)
    return ShapedArray(shape, dtype, weak)


def _elementwise_jvp(
    primitive: Primitive,
    derivatives: Sequence[Derivative | None] | None,
    primals: Sequence[Any],
    tangents: Sequence[Any],
    **params: Any,
) -> tuple[Any, Any]:
    ans = primitive.bind(*primals, **params)
    if derivatives is None:
        return ans, Zero.like(ans)
    total = None
    for derivative, t in zip(derivatives, tangents, strict=True):
        if derivative is None or type(t) is Zero:
            continue
        share = derivative(t, ans, *primals, **params)
        if type(share) is Zero:
            continue
        if share.aval.shape != ans.aval.shape:
            share = broadcast_to(share, ans.aval.shape)
        total = share if total is None else add_any(total, share)
    return ans, Zero.like(ans) if total is None else total


def elementwise_batch(
    primitive: Primitive, axis: Any, args: Sequence[Any], dims: Sequence[Any], **params: Any
) -> tuple[Any, Any]:
    batched = [(x.aval.shape, d) for x, d in zip(args, dims, strict=True) if d is not None]
    shape, dim = batched[0]
    others_scalar = all(d is not None or not x.aval.shape for x, d in zip(args, dims, strict=True))
    if others_scalar and all(d == dim and len(s) == len(shape) for s, d in batched):
        return primitive.bind(*args, **params), dim
    rank = max(len(x.aval.shape) - (d is not None) for x, d in zip(args, dims, strict=True))
    aligned = []
    for x, d in zip(args, dims, strict=True):
        if d is not None:
            x = moveaxis(x, d, 0)
            missing = rank + 1 - len(x.aval.shape)
            if missing:
                x = expand_dims(x, tuple(range(1, 1 + missing)))
        elif x.aval.shape:
            x = expand_dims(x, (0,))
        aligned.append(x)
    return primitive.bind(*aligned, **params), 0


def unbroadcast(ct: Any, aval: ShapedArray) -> Any:
    """Sum a cotangent over the axes along which an operand of type ``aval`` was broadcast."""
    shape = ct.aval.shape
    if shape == aval.shape:
        return ct
    if not aval.shape:
        return reduce_sum(ct, tuple(range(len(shape))))
    axes = tuple(i for i, (n, m) in enumerate(zip(aval.shape, shape, strict=True)) if n != m)
    return expand_dims(reduce_sum(ct, axes), axes)
