"""Changes of dtype, parts of complex numbers, and operations that only pass values on."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from adlib.base import tree
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import as_value, scalar
from adlib.core.avals import ShapedArray, Zero, is_undefined_primal
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops.arithmetic import neg
from adlib.ops.constructors import elementwise, unbroadcast
from adlib.ops.operands import normal, operands
from adlib.ops.reshaping import moveaxis


def same_batch(
    primitive: Callable[[], Primitive],
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    **params: Any,
) -> tuple[Any, Any]:
    """Batching rule of operations of one argument that keep its axes: nothing changes."""
    return primitive().bind(args[0], **params), dims[0]


def zero_jvp(
    primitive: Callable[[], Primitive], primals: Sequence[Any], tangents: Any, **params: Any
) -> tuple[Any, Any]:
    """The jvp rule of operations whose derivative is zero, or that have none to speak of."""
    ans = primitive().bind(*primals, **params)
    return ans, Zero.like(ans)


# ------------------------------------------------------- convert_element_type


def _convert_shape(x: ShapedArray, *, new_dtype: Any, weak_type: bool) -> ShapedArray:
    if dtypes.kind(x.dtype) not in "biufc":
        raise TypeError(
            f"convert_element_type does not accept dtype {x.dtype.name}: its elements are no "
            f"numbers.{here()}"
        )
    return ShapedArray(x.shape, new_dtype, weak_type)


def _convert_kernel(xp: Any, new_dtype: Any, weak_type: bool) -> Callable[..., Any]:
    def convert(x: Any) -> Any:
        if x.dtype.kind == "c" and new_dtype.kind != "c":
            x = x.real
        if new_dtype.kind in "iu" and dtypes.is_float(x.dtype):
            return _float_to_integer(xp, x, new_dtype)
        return x.astype(new_dtype)

    return convert


def _float_to_integer(xp: Any, x: Any, dtype: Any) -> Any:
    """Rounded towards zero; out of range the nearest integer there is, and 0 for NaN."""
    if x.dtype.itemsize < 4:
        x = x.astype(np.float32)  # which holds the bounds below
    bounds = np.iinfo(dtype)
    low, high = float(bounds.min), float(bounds.max) + 1
    result = x.astype(dtype)
    if bool(((x > low - 1) & (x < high)).all()):
        return result
    result = xp.where(x >= high, bounds.max, result)
    result = xp.where(x <= low, bounds.min, result)
    return xp.where(x != x, 0, result).astype(dtype)


def _convert_jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, new_dtype: Any, weak_type: bool
) -> tuple[Any, Any]:
    ans = convert_element_type_p.bind(*primals, new_dtype=new_dtype, weak_type=weak_type)
    (t,) = tangents
    if type(t) is Zero or not dtypes.is_inexact(new_dtype):
        return ans, Zero.like(ans)
    return ans, convert_element_type_p.bind(t, new_dtype=new_dtype, weak_type=weak_type)


def _convert_transpose(ct: Any, x: Any, **params: Any) -> tuple[Any]:
    return (convert(ct, x.aval.dtype, x.aval.weak_type),)


def _to(dtype: Any, weak: bool = False) -> dict[str, Any]:
    return dict(new_dtype=np.dtype(dtype), weak_type=weak)


convert_element_type_p: Primitive = define_primitive(
    "convert_element_type",
    shape=_convert_shape,
    kernel=_convert_kernel,
    jvp=_convert_jvp,
    transpose=_convert_transpose,
    batch=partial(same_batch, lambda: convert_element_type_p),
    samples=lambda: [
        Sample((normal(2, 3),), _to(np.float16), "narrow"),
        Sample((normal(2, 3),), _to(dtypes.bfloat16), "bfloat16"),
        Sample((normal(2, 3, dtype=np.float16),), _to(np.float32), "widen"),
        Sample((normal(2, 3),), _to(np.complex64), "to-complex"),
        Sample((normal(2, 3, dtype=np.complex64),), _to(np.float32), "real-part"),
        Sample((normal(2, 3, dtype=np.int32),), _to(np.float32), "from-int"),
        Sample((normal(2, 3),), _to(np.int32), "to-int"),
        Sample((normal(2, 3),), _to(bool), "to-bool"),
        Sample((np.array([np.nan, np.inf, -np.inf, 300, -1], np.float32),), _to(np.uint8), "clamp"),
        Sample((normal(),), _to(np.float32, True), "weak"),
    ],
)


def convert(x: Any, dtype: Any, weak_type: bool = False) -> Any:
    """``x`` (an Array) in a dtype, by name of a ready dtype; itself where it has that type."""
    if x.aval.dtype == dtype and x.aval.weak_type == weak_type:
        return x
    return convert_element_type_p.bind(x, new_dtype=dtype, weak_type=weak_type)


def convert_element_type(operand: Any, new_dtype: Any) -> Any:
    """``operand`` with its elements converted to ``new_dtype``.

    Floats become integers by dropping the fraction, and where they are out of range the
    nearest integer (NaN becomes 0). Complex numbers become real by dropping the imaginary
    part, with a ``ComplexWarning``. Raises TypeError where ``new_dtype`` is no dtype.

    >>> from adlib import lax
    >>> lax.convert_element_type(2.7, "int32")
    Array(2, dtype=int32)
    """
    (x,) = operands("convert_element_type", operand)
    dtype = dtypes.canonicalize_dtype(new_dtype)
    if x.aval.dtype == dtype:
        return convert(x, dtype)
    if dtypes.is_complex(x.aval.dtype) and not dtypes.is_complex(dtype):
        warnings.warn(
            "Casting complex values to real discards the imaginary part",
            np.exceptions.ComplexWarning,
            stacklevel=2,
        )
    return convert(x, dtype)


# ------------------------------------------------------- bitcast_convert_type


def _bitcast_shape(x: ShapedArray, *, new_dtype: Any) -> ShapedArray:
    old, new = x.dtype.itemsize, new_dtype.itemsize
    numeric = dtypes.kind(x.dtype) in "iuf" and dtypes.kind(new_dtype) in "iuf"
    if not (numeric or (x.dtype == new_dtype)):
        raise TypeError(
            f"bitcast_convert_type does not convert {x.dtype.name} to {new_dtype.name}: it takes "
            f"integer and floating dtypes.{here()}"
        )
    if old == new:
        return ShapedArray(x.shape, new_dtype)
    if old > new:
        return ShapedArray((*x.shape, old // new), new_dtype)
    if not x.shape or x.shape[-1] * old != new:
        raise ValueError(
            f"bitcast_convert_type: to make {new_dtype.name} out of {x.dtype.name} the last axis "
            f"must have size {new // old}; got shape {x.shape}.{here()}"
        )
    return ShapedArray(x.shape[:-1], new_dtype)


def _bitcast_impl(xp: Any, x: Any, *, new_dtype: Any) -> Any:
    old, new = x.dtype.itemsize, new_dtype.itemsize
    x = xp.ascontiguousarray(x).reshape(x.shape)
    if old == new:
        return x.view(new_dtype)
    if old > new:
        return x.reshape(*x.shape, 1).view(new_dtype)
    return x.view(new_dtype).reshape(x.shape[:-1])


def _bitcast_batch(
    axis: Any, args: Sequence[Any], dims: Sequence[Any], *, new_dtype: Any
) -> tuple[Any, int]:
    x = moveaxis(args[0], dims[0], 0)
    return bitcast_convert_type_p.bind(x, new_dtype=new_dtype), 0


bitcast_convert_type_p: Primitive = define_primitive(
    "bitcast_convert_type",
    shape=_bitcast_shape,
    impl=_bitcast_impl,
    jvp=partial(zero_jvp, lambda: bitcast_convert_type_p),
    batch=_bitcast_batch,
    samples=lambda: [
        Sample((normal(2, 3),), dict(new_dtype=np.dtype(np.int32)), "same-size"),
        Sample((normal(3, dtype=np.int32),), dict(new_dtype=np.dtype(np.uint8)), "narrower"),
        Sample((normal(3, 2, dtype=np.uint16),), dict(new_dtype=np.dtype(np.uint32)), "wider"),
    ],
)


def bitcast_convert_type(operand: Any, new_dtype: Any) -> Any:
    """The bits of ``operand`` read as another dtype; derivatives are zero.

    Where the new elements are smaller, a last axis is added for the pieces; where they are
    larger, the last axis must hold the pieces and disappears (ValueError otherwise).

    >>> from adlib import lax
    >>> import numpy as np
    >>> lax.bitcast_convert_type(np.float32(1.0), "int32")
    Array(1065353216, dtype=int32)
    """
    (x,) = operands("bitcast_convert_type", operand)
    dtype = dtypes.canonicalize_dtype(new_dtype)
    return bitcast_convert_type_p.bind(x, new_dtype=dtype)


# ----------------------------------------------- parts of complex numbers


def join_parts(xp: Any, real: Any, imag: Any) -> Any:
    """Complex numbers out of parts; unlike ``real + 1j * imag`` right for infinities too."""
    dtype = dtypes.complex_of(real.dtype)
    result = xp.empty(xp.broadcast(xp.asarray(real), xp.asarray(imag)).shape, dtype)
    result.real = real
    result.imag = imag
    return result


def _real_transpose(ct: Any, x: Any) -> tuple[Any]:
    return (complex_p.bind(ct, _zero(ct)),)


def _imag_transpose(ct: Any, x: Any) -> tuple[Any]:
    # the transpose with respect to <v, w> = Re(v w), without conjugation: Im(v) w = Re(v (-i w))
    return (complex_p.bind(_zero(ct), neg(ct)),)


def _complex_transpose(ct: Any, x: Any, y: Any) -> tuple[Any, Any]:
    return (
        unbroadcast(real_p.bind(ct), x.aval) if is_undefined_primal(x) else None,
        unbroadcast(neg(imag_p.bind(ct)), y.aval) if is_undefined_primal(y) else None,
    )


def _zero(x: Any) -> Any:
    # never weak: a complex number made of a real cotangent has the width that it has
    return scalar(0, x.aval.dtype)


real_p: Primitive = elementwise(
    "real",
    lambda xp, x: xp.array(x.real),
    [lambda t, ans, x: real_p.bind(t)],
    kinds="c",
    result=dtypes.real_of,
    transpose=_real_transpose,
)
imag_p: Primitive = elementwise(
    "imag",
    lambda xp, x: xp.array(x.imag),
    [lambda t, ans, x: imag_p.bind(t)],
    kinds="c",
    result=dtypes.real_of,
    transpose=_imag_transpose,
)
complex_p: Primitive = elementwise(
    "complex",
    join_parts,
    [
        lambda t, ans, x, y: complex_p.bind(t, _zero(t)),
        lambda t, ans, x, y: complex_p.bind(_zero(t), t),
    ],
    result=dtypes.complex_of,
    kinds="f",
    transpose=_complex_transpose,
)


def real(x: Any) -> Any:
    """Real part of complex ``x``; raises TypeError where ``x`` is not complex.

    >>> from adlib import lax
    >>> lax.real(1 + 2j)
    Array(1., dtype=float32, weak_type=True)
    """
    return real_p.bind(*operands("real", x))


def imag(x: Any) -> Any:
    """Imaginary part of complex ``x``; raises TypeError where ``x`` is not complex.

    >>> from adlib import lax
    >>> lax.imag(1 + 2j)
    Array(2., dtype=float32, weak_type=True)
    """
    return imag_p.bind(*operands("imag", x))


def complex(x: Any, y: Any) -> Any:
    """``x + iy`` out of floats ``x`` and ``y``.

    >>> from adlib import lax
    >>> lax.complex(1.0, 2.0)
    Array(1.+2.j, dtype=complex64, weak_type=True)
    """
    return complex_p.bind(*operands("complex", x, y))


def _conj_kernel(xp: Any, x: Any, *, input_dtype: Any) -> Any:
    return xp.conjugate(x) if x.dtype.kind == "c" else x.astype(dtypes.complex_of(x.dtype))


def _conj_transpose(ct: Any, x: Any, *, input_dtype: Any) -> tuple[Any]:
    if dtypes.is_complex(input_dtype):
        return (conj(ct),)
    return (real_p.bind(ct),)


conj_p: Primitive = elementwise(
    "conj",
    _conj_kernel,
    [lambda t, ans, x, **params: conj_p.bind(t, **params)],
    result=dtypes.complex_of,
    transpose=_conj_transpose,
    samples=lambda: [
        Sample((normal(2, 3, dtype=np.complex64),), dict(input_dtype=np.dtype(np.complex64))),
        Sample((normal(2, 3),), dict(input_dtype=np.dtype(np.float32)), "from-real"),
    ],
)


def conj(x: Any) -> Any:
    """Complex conjugate; real ``x`` becomes complex.

    >>> from adlib import lax
    >>> lax.conj(1 + 2j)
    Array(1.-2.j, dtype=complex64, weak_type=True)
    """
    (x,) = operands("conj", x)
    return conj_p.bind(x, input_dtype=x.aval.dtype)


# ----------------------------------------------------------- reduce_precision


def _reduce_precision_kernel(xp: Any, x: Any, *, exponent_bits: int, mantissa_bits: int) -> Any:
    if dtypes.is_complex(x.dtype):
        parts = [
            _reduce_precision_kernel(
                xp, p, exponent_bits=exponent_bits, mantissa_bits=mantissa_bits
            )
            for p in (x.real, x.imag)
        ]
        return join_parts(xp, *parts)
    wide = x.astype(np.float32) if x.dtype.itemsize < 4 else x
    word, mantissa, exponent = (
        (np.uint32, 23, 8) if wide.dtype.itemsize == 4 else (np.uint64, 52, 11)
    )
    bits = xp.ascontiguousarray(wide).reshape(wide.shape).view(word)
    dropped = mantissa - mantissa_bits
    if dropped > 0:  # round half to even: add just under half, plus the last bit that stays
        last = (bits >> word(dropped)) & word(1)
        bits = bits + last + word((1 << (dropped - 1)) - 1)
        bits = bits & word((1 << 8 * wide.dtype.itemsize) - (1 << dropped))
    rounded = xp.asarray(bits).view(wide.dtype)
    if exponent_bits < exponent:
        bias = (1 << (exponent_bits - 1)) - 1
        largest = wide.dtype.type(2.0) ** bias * (2 - 2.0**-mantissa_bits)
        smallest = wide.dtype.type(2.0) ** (1 - bias)
        signed = xp.asarray(1, wide.dtype)
        rounded = xp.where(abs(rounded) > largest, xp.copysign(signed * np.inf, wide), rounded)
        rounded = xp.where(abs(rounded) < smallest, xp.copysign(signed * 0, wide), rounded)
    return xp.where(xp.isfinite(wide), rounded, wide).astype(x.dtype)


def _reduce_precision_transpose(ct: Any, x: Any, **params: Any) -> tuple[Any]:
    return (reduce_precision_p.bind(ct, **params),)


reduce_precision_p: Primitive = elementwise(
    "reduce_precision",
    _reduce_precision_kernel,
    [lambda t, ans, x, **params: reduce_precision_p.bind(t, **params)],
    transpose=_reduce_precision_transpose,
    samples=lambda: [
        Sample((normal(2, 3),), dict(exponent_bits=8, mantissa_bits=23), "float32"),
        Sample((normal(2, 3),), dict(exponent_bits=5, mantissa_bits=10), "float16"),
        Sample((normal(3, dtype=np.complex64),), dict(exponent_bits=8, mantissa_bits=7), "complex"),
        Sample(
            (np.array([1e-9, 7e4, np.inf, np.nan, -0.0], np.float32),),
            dict(exponent_bits=5, mantissa_bits=10),
            "special",
        ),
    ],
)


def reduce_precision(operand: Any, exponent_bits: int, mantissa_bits: int) -> Any:
    """``operand`` rounded to what a float of that many exponent and mantissa bits can hold.

    The dtype stays. Values too large become infinite, those too small zero.

    >>> from adlib import lax
    >>> lax.reduce_precision(0.3, exponent_bits=5, mantissa_bits=10)
    Array(0.30005, dtype=float32, weak_type=True)
    """
    (x,) = operands("reduce_precision", operand)
    return reduce_precision_p.bind(
        x, exponent_bits=int(exponent_bits), mantissa_bits=int(mantissa_bits)
    )


# ------------------------------------------------- values passed on, and cut off


stop_gradient_p: Primitive = define_primitive(
    "stop_gradient",
    shape=lambda x: x,
    impl=lambda xp, x: x,
    jvp=partial(zero_jvp, lambda: stop_gradient_p),
    batch=partial(same_batch, lambda: stop_gradient_p),
    samples=lambda: [
        Sample((normal(2, 3),)),
        Sample((normal(3, dtype=np.complex64),), name="complex"),
        Sample((normal(dtype=np.int32),), name="int"),
    ],
)


def stop_gradient(x: Any) -> Any:
    """``x`` (any pytree), taken as a constant by differentiation: its tangents are zero.

    >>> import adlib
    >>> adlib.grad(lambda x: x * adlib.lax.stop_gradient(x))(3.0)
    Array(3., dtype=float32, weak_type=True)
    """
    return tree.map(lambda leaf: stop_gradient_p.bind(*operands("stop_gradient", leaf)), x)


def _copy_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    ans = copy_p.bind(*primals)
    (t,) = tangents
    return ans, Zero.like(ans) if type(t) is Zero else copy_p.bind(t)


copy_p: Primitive = define_primitive(
    "copy",
    shape=lambda x: x,
    impl=lambda xp, x: xp.array(x),
    jvp=_copy_jvp,
    transpose=lambda ct, x: (copy_p.bind(ct),),
    batch=partial(same_batch, lambda: copy_p),
    samples=lambda: [Sample((normal(2, 3),)), Sample((normal(3, dtype=np.int32),), name="int")],
)


def copy(x: Any) -> Any:
    """``x`` in memory of its own."""
    return copy_p.bind(*operands("copy", x))


def _barrier_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    outs = optimization_barrier_p.bind(*primals)
    present = [t for t in tangents if type(t) is not Zero]
    passed = iter(optimization_barrier_p.bind(*present) if present else [])
    return outs, [t if type(t) is Zero else next(passed) for t in tangents]


def _barrier_transpose(cts: Sequence[Any], *args: Any) -> list[Any]:
    present = [ct for ct in cts if type(ct) is not Zero]
    passed = iter(optimization_barrier_p.bind(*present) if present else [])
    return [ct if type(ct) is Zero else next(passed) for ct in cts]


optimization_barrier_p: Primitive = define_primitive(
    "optimization_barrier",
    shape=lambda *xs: list(xs),
    impl=lambda xp, *xs: list(xs),
    jvp=_barrier_jvp,
    transpose=_barrier_transpose,
    batch=lambda axis, args, dims: (optimization_barrier_p.bind(*args), list(dims)),
    samples=lambda: [
        Sample((normal(2, 3), normal(2))),
        Sample((normal(2), normal(3, dtype=np.int32)), name="with-int"),
    ],
    multiple_results=True,
)


def optimization_barrier(operand: Any) -> Any:
    """The pytree ``operand`` unchanged, with its leaves computed together: a compiler moves no
    operation across.

    >>> from adlib import lax
    >>> lax.optimization_barrier((1.0, 2.0))
    (Array(1., dtype=float32, weak_type=True), Array(2., dtype=float32, weak_type=True))
    """
    leaves, treedef = tree.flatten(operand)
    if not leaves:
        return operand
    values = [operands("optimization_barrier", leaf)[0] for leaf in leaves]
    return tree.unflatten(treedef, optimization_barrier_p.bind(*values))


def dtype(x: Any) -> np.dtype[Any]:
    """The dtype of a value, or the one that a dtype is in the present configuration.

    >>> from adlib import lax
    >>> lax.dtype(1.0), lax.dtype(float)
    (dtype('float32'), dtype('float32'))
    """
    if isinstance(x, (type, np.dtype, str)):
        return dtypes.canonicalize_dtype(x)  # type: ignore[no-any-return]
    return as_value(x, "dtype").aval.dtype  # type: ignore[no-any-return]
