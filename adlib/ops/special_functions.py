"""More special functions: integrals of exponentials, sines and Gaussians, and Bessel
functions. Formulas: NIST's Digital Library of Mathematical Functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from adlib.backends.special import special
from adlib.base.source import here
from adlib.core.primitive import Sample
from adlib.ops.arithmetic import add, cos, div, eq, exp, log, mul, neg, sin, sub
from adlib.ops.constructors import elementwise
from adlib.ops.elementary import in_float32, square
from adlib.ops.operands import normal, uniform
from adlib.ops.reshaping import broadcast_to, full_like
from adlib.ops.selection import select_n_p
from adlib.ops.special import erf, named, real_samples


def _const(x: Any, value: complex) -> Any:
    return full_like(x, value)


def _safe_ratio(top: Any, bottom: Any, limit: float) -> Any:
    """``top / bottom``, and ``limit`` where ``bottom`` is zero."""
    at_zero = eq(bottom, _const(bottom, 0))
    ratio = div(top, select_n_p.bind(at_zero, bottom, _const(bottom, 1)))
    return select_n_p.bind(at_zero, ratio, _const(ratio, limit))


def _part(function: str, index: int) -> Callable[..., Any]:
    """The kernel of one result of a special function that has several."""
    return in_float32(  # type: ignore[no-any-return]
        lambda xp, x: getattr(special(xp), function)(x)[index].astype(x.dtype)
    )


# ---------------------------------------------------------- Gaussian integrals

log_ndtr_p = elementwise(
    "log_ndtr",
    named("log_ndtr"),
    [
        lambda t, ans, x: mul(
            t,
            exp(
                sub(
                    _const(x, -0.5 * math.log(2 * math.pi)),
                    add(mul(square(x), _const(x, 0.5)), ans),
                )
            ),
        )
    ],
    kinds="f",
    samples=real_samples(-3, 3),
)
ndtri_p = elementwise(
    "ndtri",
    named("ndtri"),
    [
        lambda t, ans, x: mul(
            t, mul(_const(x, math.sqrt(2 * math.pi)), exp(mul(square(ans), _const(x, 0.5))))
        )
    ],
    kinds="f",
    samples=real_samples(0.1, 0.9),
)
erfcx_p = elementwise(
    "erfcx",
    named("erfcx"),
    [
        lambda t, ans, x: mul(
            t, sub(mul(mul(_const(x, 2), x), ans), _const(x, 2 / math.sqrt(math.pi)))
        )
    ],
    kinds="f",
    samples=real_samples(-1.5, 2),
)
dawsn_p = elementwise(
    "dawsn",
    named("dawsn"),
    [lambda t, ans, x: mul(t, sub(_const(x, 1), mul(mul(_const(x, 2), x), ans)))],
    kinds="f",
    samples=real_samples(-2, 2),
)
wofz_p = elementwise(
    "wofz",
    named("wofz"),
    [
        lambda t, ans, z: mul(
            t, sub(_const(z, 2j / math.sqrt(math.pi)), mul(mul(_const(z, 2), z), ans))
        )
    ],
    kinds="c",
    samples=lambda: [
        Sample((normal(2, 3, dtype=np.complex64),), name="complex"),
        Sample((normal(dtype=np.complex64),), name="scalar"),
    ],
)


def _owens_t_height(t: Any, ans: Any, h: Any, a: Any) -> Any:
    gauss = exp(mul(_const(h, -0.5), square(h)))
    half = erf(mul(mul(a, h), _const(h, math.sqrt(0.5))))
    return mul(t, mul(_const(h, -0.5 / math.sqrt(2 * math.pi)), mul(gauss, half)))


def _owens_t_slope(t: Any, ans: Any, h: Any, a: Any) -> Any:
    one = add(_const(a, 1), square(a))
    gauss = exp(mul(mul(_const(h, -0.5), square(h)), one))
    return mul(t, div(mul(gauss, _const(h, 0.5 / math.pi)), one))


owens_t_p = elementwise(
    "owens_t",
    in_float32(lambda xp, h, a: special(xp).owens_t(h, a).astype(h.dtype)),
    [_owens_t_height, _owens_t_slope],
    kinds="f",
    samples=lambda: [
        Sample((normal(2, 3), normal(2, 3))),
        Sample((normal(), normal(3)), name="scalar"),
    ],
)

# ------------------------------------- integrals of exponentials, sines, logarithms

exp1_p = elementwise(
    "exp1",
    named("exp1"),
    [lambda t, ans, x: mul(t, neg(div(exp(neg(x)), x)))],
    kinds="f",
    samples=real_samples(0.3, 3),
)
expi_p = elementwise(
    "expi",
    named("expi"),
    [lambda t, ans, x: mul(t, div(exp(x), x))],
    kinds="f",
    samples=real_samples(0.5, 3),
)
si_p = elementwise(
    "sine_integral",
    _part("sici", 0),
    [lambda t, ans, x: mul(t, _safe_ratio(sin(x), x, 1.0))],
    kinds="f",
    samples=real_samples(-3, 3),
)
ci_p = elementwise(
    "cosine_integral",
    _part("sici", 1),
    [lambda t, ans, x: mul(t, div(cos(x), x))],
    kinds="f",
    samples=real_samples(0.3, 3),
)


def _half_turn(x: Any) -> Any:
    return mul(_const(x, math.pi / 2), square(x))


fresnel_s_p = elementwise(
    "fresnel_s",
    _part("fresnel", 0),
    [lambda t, ans, x: mul(t, sin(_half_turn(x)))],
    kinds="f",
    samples=real_samples(-2, 2),
)
fresnel_c_p = elementwise(
    "fresnel_c",
    _part("fresnel", 1),
    [lambda t, ans, x: mul(t, cos(_half_turn(x)))],
    kinds="f",
    samples=real_samples(-2, 2),
)
spence_p = elementwise(
    "spence",
    named("spence"),
    [lambda t, ans, x: mul(t, _safe_ratio(log(x), sub(_const(x, 1), x), -1.0))],
    kinds="f",
    samples=real_samples(0.2, 3),
)


# ------------------------------------------------ functions of an order that is fixed


def _expn_order(t: Any, ans: Any, n: Any, x: Any) -> Any:
    raise ValueError(
        f"expn gradient with respect to n is not supported: it is an order.{here()}\n  Repair: "
        "lax.stop_gradient on n."
    )


def _expn_derivative(t: Any, ans: Any, n: Any, x: Any) -> Any:
    """By E(n)' = -E(n-1), where E(0) = exp(-x)/x and E(-1) = exp(-x)(1 + x)/x²."""
    first = eq(n, _const(n, 0))
    order = select_n_p.bind(first, sub(n, _const(n, 1)), _const(n, 0))
    below = expn_p.bind(order, x)
    lowest = div(mul(exp(neg(x)), add(_const(x, 1), x)), square(x))
    return mul(t, neg(select_n_p.bind(_like(first, ans), _like(below, ans), _like(lowest, ans))))


def _like(x: Any, ans: Any) -> Any:
    return broadcast_to(x, ans.aval.shape) if x.aval.shape != ans.aval.shape else x


def _expn_kernel(xp: Any, n: Any, x: Any) -> Any:
    return special(xp).expn(n.astype(np.int32), x).astype(x.dtype)


expn_p = elementwise(
    "expn",
    in_float32(_expn_kernel),
    [_expn_order, _expn_derivative],
    kinds="f",
    samples=lambda: [
        Sample((np.array([0, 1, 4], np.float32), uniform(3, low=0.4, high=3))),
        Sample((np.float32(2), uniform(2, 3, low=0.4, high=3)), name="scalar"),
    ],
)


def _jn_derivative(t: Any, ans: Any, x: Any, *, n: int) -> Any:
    above = bessel_jn_p.bind(x, n=n + 1)
    if n == 0:
        return mul(t, neg(above))
    return mul(t, mul(_const(x, 0.5), sub(bessel_jn_p.bind(x, n=n - 1), above)))


bessel_jn_p = elementwise(
    "bessel_jn",
    in_float32(lambda xp, x, *, n: special(xp).jv(n, x).astype(x.dtype)),
    [_jn_derivative],
    kinds="f",
    samples=lambda: [
        Sample((uniform(2, 3, low=-4, high=4),), {"n": n}, name=f"order {n}") for n in (0, 1, 5)
    ],
)
