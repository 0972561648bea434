"""Taylor mode: a truncated power series pushed through a program.

``jvp`` carries a value and one derivative; ``jet`` carries a value and its first K derivatives
along a curve, for about K²/2 times the work instead of the 2^K of nested ``jvp``. Linear and
bilinear operations have the obvious rules (the second is Cauchy's product). For everything else
one rule serves: with y = f(x), dy/dt is the operation's own pushforward at (x, dx/dt), so the
coefficients of y follow from those of its derivative, one order lower (Griewank and Walther,
"Evaluating Derivatives", chapter 13).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from adlib.base import tree
from adlib.base.source import here
from adlib.control.calls import call, name_of
from adlib.control.cond import cond_p, switch
from adlib.control.functions import evaluate
from adlib.control.loops import scan
from adlib.control.scan import scan_p
from adlib.control.while_loop import while_loop, while_p
from adlib.core import dtypes
from adlib.core.array import as_value, scalar
from adlib.core.avals import Zero
from adlib.core.primitive import Primitive
from adlib.core.trace import Trace, Tracer, fresh, state, using
from adlib.ops import constructors
from adlib.ops.arithmetic import (
    add,
    cos,
    div,
    div_p,
    integer_pow_p,
    mul,
    mul_p,
    neg,
    neg_p,
    sin,
    sub,
    sub_p,
)
from adlib.ops.constructors import add_tangents
from adlib.ops.reshaping import broadcast_to, instantiate

Terms = list[Any]  # Taylor coefficients 1 to K: Arrays, or Zeros where they are known to be zero


class _JetTracer(Tracer):
    """A value with its Taylor coefficients."""

    __slots__ = ("primal", "terms")

    def __init__(self, trace: Any, primal: Any, terms: Terms) -> None:
        self._trace, self.primal, self.terms = trace, primal, terms
        self.aval = primal.aval

    def concrete(self) -> Any:
        primal = self.primal
        return primal.concrete() if isinstance(primal, Tracer) else primal

    def source(self) -> Any:
        return self.primal.source() if isinstance(self.primal, Tracer) else None


class _JetTrace(Trace):
    """Pushes series; values without one pass to the parent untouched."""

    __slots__ = ("order",)

    def __init__(self, parent: Trace, order: int) -> None:
        super().__init__(parent)
        self.order = order

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        primals, terms = zip(*map(self.split, args), strict=True) if args else ((), ())
        with using(self.parent):  # type: ignore[arg-type]
            if all(_is_constant(t) for t in terms):
                return self.parent.process(primitive, primals, params)  # type: ignore[union-attr]
            rule = _RULES.get(primitive.name) or _rule_by_kind(primitive)
            if rule is not None:
                outs, out_terms = rule(self.order, primitive, primals, terms, params)
                if primitive.multiple_results:
                    return [self.pair(o, t) for o, t in zip(outs, out_terms, strict=True)]
                return self.pair(outs, out_terms)
        return primitive.inline(*args, **params)  # type: ignore[misc]

    def pair(self, primal: Any, terms: Terms) -> Any:
        return primal if _is_constant(terms) else _JetTracer(self, primal, terms)

    def split(self, value: Any) -> tuple[Any, Terms]:
        if isinstance(value, _JetTracer) and value._trace is self:
            return value.primal, value.terms
        return value, [Zero.like(value)] * self.order


def _is_constant(terms: Terms) -> bool:
    return all(type(t) is Zero for t in terms)


def taylor(
    function: Callable[..., Sequence[Any]], primals: Sequence[Any], terms: Sequence[Terms]
) -> tuple[list[Any], list[Terms]]:
    """Push Taylor coefficients through a function of flat Arrays."""
    order = len(terms[0]) if terms else 0
    with fresh(_JetTrace(state.trace, order)) as trace:
        outs = function(*[trace.pair(p, t) for p, t in zip(primals, terms, strict=True)])
        pairs = [trace.split(o) for o in outs]
    return [p for p, _ in pairs], [t for _, t in pairs]


# ------------------------------------------------------------------------ rules


def _sum(shares: Sequence[Any], like: Any) -> Any:
    total: Any = Zero.like(like)
    for share in shares:
        total = add_tangents(total, share)
    return total


def _scaled(x: Any, factor: float) -> Any:
    if type(x) is Zero or factor == 1:
        return x
    return mul(x, scalar(factor, x.aval.dtype, x.aval.weak_type))


def _linear(order: int, primitive: Primitive, primals: Any, terms: Any, params: Any) -> Any:
    """The operation applied to the coefficients of each degree."""
    ans = primitive.bind(*primals, **params)

    def at(k: int) -> Any:
        column = [t[k] for t in terms]
        if _is_constant(column):
            return Zero.like(ans)
        return primitive.bind(*[instantiate(c) for c in column], **params)

    return ans, [at(k) for k in range(order)]


def _product(
    order: int, multiply: Callable[[Any, Any], Any], primals: Any, terms: Any
) -> tuple[Any, Terms]:
    """Cauchy's product of two series, by any bilinear operation."""
    x, y = ([p, *t] for p, t in zip(primals, terms, strict=True))
    ans = multiply(x[0], y[0])
    out = []
    for k in range(1, order + 1):
        pairs = [(x[j], y[k - j]) for j in range(k + 1)]
        shares = [multiply(a, b) for a, b in pairs if type(a) is not Zero and type(b) is not Zero]
        out.append(_sum(shares, ans))
    return ans, out


def _bilinear(order: int, primitive: Primitive, primals: Any, terms: Any, params: Any) -> Any:
    return _product(order, lambda a, b: primitive.bind(a, b, **params), primals, terms)


def _subtraction(order: int, _: Primitive, primals: Any, terms: Any, params: Any) -> Any:
    ans = sub(*primals)
    x, y = terms
    negative = [b if type(b) is Zero else neg(b) for b in y]
    return ans, [_sum([a, b], ans) for a, b in zip(x, negative, strict=True)]


def _addition(order: int, _: Primitive, primals: Any, terms: Any, params: Any) -> Any:
    ans = add(*primals)
    return ans, [_sum(pair, ans) for pair in zip(*terms, strict=True)]


def _division(order: int, _: Primitive, primals: Any, terms: Any, params: Any) -> Any:
    """From ``y z = x``: each coefficient of y follows from those before it."""
    x, z = ([p, *t] for p, t in zip(primals, terms, strict=True))
    y = [div(x[0], z[0])]
    for k in range(1, order + 1):
        known = [
            neg(mul(z[j], y[k - j]))
            for j in range(1, k + 1)
            if type(z[j]) is not Zero and type(y[k - j]) is not Zero
        ]
        rest = _sum([x[k], *known], y[0])
        y.append(rest if type(rest) is Zero else div(rest, z[0]))
    return y[0], y[1:]


def _integer_power(order: int, primitive: Primitive, primals: Any, terms: Any, params: Any) -> Any:
    """By repeated multiplication, which is right at zero too."""
    (x,), (t,), n = primals, terms, params["y"]
    ans = primitive.bind(x, **params)
    if n == 0:
        return ans, [Zero.like(ans)] * order
    power, result = (x, t), None
    count = abs(n)
    while count:
        if count & 1:
            result = power if result is None else _times(order, result, power)
        count >>= 1
        if count:
            power = _times(order, power, power)
    assert result is not None
    if n < 0:
        one = (scalar(1, x.aval.dtype, x.aval.weak_type), [Zero.like(x)] * order)
        result = _division(order, div_p, *zip(one, result, strict=True), {})
    return ans, result[1]


def _times(order: int, a: tuple[Any, Terms], b: tuple[Any, Terms]) -> tuple[Any, Terms]:
    return _product(order, mul, (a[0], b[0]), (a[1], b[1]))


def _driven(companion: Callable[[Terms, int], Any]) -> Callable[..., Any]:
    """The rule of y = f(x) with ``dy/dt = w(y) dx/dt``: K²/2 products instead of a recursion.

    ``companion(y, k)`` is coefficient k of w, from those of y up to k.
    """

    def rule(order: int, primitive: Primitive, primals: Any, terms: Any, params: Any) -> Any:
        (x,) = ([p, *t] for p, t in zip(primals, terms, strict=True))
        y = [primitive.bind(*primals, **params)]
        w: list[Any] = []
        for k in range(1, order + 1):
            w.append(companion(y, k - 1))
            y.append(_slope_sum(x, w, k, y[0]))
        return y[0], y[1:]

    return rule


def _slope_sum(x: Terms, w: Terms, k: int, like: Any) -> Any:
    """Coefficient k of the integral of w dx/dt: the sum of j x(j) w(k-j) over j, divided by k."""
    shares = [
        mul(_scaled(x[j], j / k), w[k - j])
        for j in range(1, k + 1)
        if type(x[j]) is not Zero and type(w[k - j]) is not Zero
    ]
    return _sum(shares, like)


def _square_at(y: Terms, k: int) -> Any:
    """Coefficient k of y²."""
    pairs = [(y[j], y[k - j]) for j in range(k + 1)]
    return _sum([mul(a, b) for a, b in pairs if Zero not in (type(a), type(b))], y[0])


def _of_tanh(y: Terms, k: int) -> Any:
    square = _square_at(y, k)
    if k == 0:
        return sub(scalar(1, y[0].aval.dtype, y[0].aval.weak_type), square)
    return square if type(square) is Zero else neg(square)


def _of_logistic(y: Terms, k: int) -> Any:
    square = _square_at(y, k)
    return _sum([y[k], square if type(square) is Zero else neg(square)], y[0])


def _circular(order: int, primitive: Primitive, primals: Any, terms: Any, params: Any) -> Any:
    """Sine and cosine drive each other."""
    (x,) = ([p, *t] for p, t in zip(primals, terms, strict=True))
    s, c = [sin(x[0])], [cos(x[0])]
    for k in range(1, order + 1):
        rise, fall = _slope_sum(x, c, k, s[0]), _slope_sum(x, s, k, c[0])
        s.append(rise)
        c.append(fall if type(fall) is Zero else neg(fall))
    y = s if primitive.name == "sin" else c
    return y[0], y[1:]


def _logarithm(order: int, primitive: Primitive, primals: Any, terms: Any, params: Any) -> Any:
    """From ``x dy/dt = dx/dt``."""
    (x,) = ([p, *t] for p, t in zip(primals, terms, strict=True))
    y = [primitive.bind(*primals, **params)]
    for k in range(1, order + 1):
        known = [
            neg(mul(_scaled(y[j], j / k), x[k - j]))
            for j in range(1, k)
            if type(y[j]) is not Zero and type(x[k - j]) is not Zero
        ]
        rest = _sum([x[k], *known], y[0])
        y.append(rest if type(rest) is Zero else div(rest, x[0]))
    return y[0], y[1:]


def _by_pushforward(
    order: int, primitive: Primitive, primals: Any, terms: Any, params: Any
) -> tuple[Any, Any]:
    """The series of the derivative, one order lower, integrated."""
    several = primitive.multiple_results
    moving = [not _is_constant(t) for t in terms]
    places = [i for i, m in enumerate(moving) if m]
    ans = primitive.bind(*primals, **params)
    outs = list(ans) if several else [ans]
    floating = [dtypes.is_inexact(o.aval.dtype) for o in outs]

    def derivative(*flat: Any) -> list[Any]:
        values, speeds = flat[: len(primals)], flat[len(primals) :]
        tangents: list[Any] = [Zero.like(v) for v in values]
        for place, speed in zip(places, speeds, strict=True):
            tangents[place] = speed
        _, out = primitive.jvp(list(values), tangents, **params)
        return [
            instantiate(t) for t, f in zip(out if several else [out], floating, strict=True) if f
        ]

    speed_terms = [[_scaled(t, k + 1) for k, t in enumerate(terms[i])] for i in places]
    start = [*primals, *[instantiate(s[0]) for s in speed_terms]]
    rest = [*[t[: order - 1] for t in terms], *[s[1:] for s in speed_terms]]
    if order == 1:
        slopes, slope_terms = derivative(*start), [[] for f in floating if f]
    else:
        slopes, slope_terms = taylor(derivative, start, rest)
    found = iter(
        [_scaled(c, 1 / (k + 1)) for k, c in enumerate([slope, *more])]
        for slope, more in zip(slopes, slope_terms, strict=True)
    )
    out_terms = [
        next(found) if f else [Zero.like(o)] * order for o, f in zip(outs, floating, strict=True)
    ]
    return (outs, out_terms) if several else (outs[0], out_terms[0])


def _rule_by_kind(primitive: Primitive) -> Callable[..., Any] | None:
    kind = getattr(primitive.jvp, "func", None)
    if kind is constructors._linear_jvp:
        return _linear
    if kind is constructors._bilinear_jvp:
        return _bilinear
    return None if primitive.inline is not None else _by_pushforward


# -------------------------------------------------------- programs within programs


def _called(parameter: str) -> Callable[..., Any]:
    def rule(order: int, primitive: Primitive, primals: Any, terms: Any, params: Any) -> Any:
        return taylor(partial(call, params[parameter]), primals, terms)

    return rule


def _flat_pairs(primals: Any, terms: Any) -> list[Any]:
    """Values and coefficients as Arrays; integers and the like have none."""
    return [
        (p, [instantiate(c) for c in t] if dtypes.is_inexact(p.aval.dtype) else [])
        for p, t in zip(primals, terms, strict=True)
    ]


def _opened(order: int, pairs: Sequence[Any]) -> tuple[list[Any], list[Terms]]:
    primals = [p for p, _ in pairs]
    return primals, [list(t) or [Zero.like(p)] * order for p, t in pairs]


def _scan(order: int, _: Primitive, primals: Any, terms: Any, params: Any) -> Any:
    consts, carries = params["num_consts"], params["num_carry"]
    pairs = _flat_pairs(primals, terms)
    fixed = pairs[:consts]

    def step(carry: Any, x: Any) -> Any:
        outs = taylor(partial(evaluate, params["jaxpr"]), *_opened(order, [*fixed, *carry, *x]))
        new = _flat_pairs(*outs)
        return new[:carries], new[carries:]

    carry, stacked = scan(
        step,
        pairs[consts : consts + carries],
        pairs[consts + carries :],
        length=params["length"],
        reverse=params["reverse"],
    )
    return _opened(order, [*carry, *stacked])


def _while(order: int, _: Primitive, primals: Any, terms: Any, params: Any) -> Any:
    first, second = params["cond_nconsts"], params["body_nconsts"]
    pairs = _flat_pairs(primals, terms)
    tests, fixed = pairs[:first], pairs[first : first + second]

    def going(carry: Any) -> Any:
        values = [p for p, _ in (*tests, *carry)]
        return evaluate(params["cond_jaxpr"], *values)[0]

    def body(carry: Any) -> Any:
        outs = taylor(partial(evaluate, params["body_jaxpr"]), *_opened(order, [*fixed, *carry]))
        return _flat_pairs(*outs)

    return _opened(order, while_loop(going, body, pairs[first + second :]))


def _cond(order: int, _: Primitive, primals: Any, terms: Any, params: Any) -> Any:
    index, *operands = primals

    def branch(closed: Any, pairs: Any) -> Any:
        return _flat_pairs(*taylor(partial(evaluate, closed), *_opened(order, pairs)))

    branches = [partial(branch, closed) for closed in params["branches"]]
    return _opened(order, switch(index, branches, _flat_pairs(operands, terms[1:])))


_RULES: dict[str, Callable[..., Any]] = {
    "add": _addition,
    "add_any": _addition,
    sub_p.name: _subtraction,
    neg_p.name: _linear,
    mul_p.name: _bilinear,
    div_p.name: _division,
    integer_pow_p.name: _integer_power,
    "exp": _driven(lambda y, k: y[k]),
    "tanh": _driven(_of_tanh),
    "logistic": _driven(_of_logistic),
    "sin": _circular,
    "cos": _circular,
    "log": _logarithm,
    scan_p.name: _scan,
    while_p.name: _while,
    cond_p.name: _cond,
    "jit": _called("jaxpr"),
    "custom_jvp_call": _called("call_jaxpr"),
    "custom_vjp_call": _called("call_jaxpr"),
    "custom_vmap_call": _called("call_jaxpr"),
    "remat2": _called("jaxpr"),
}


# ----------------------------------------------------------------------- the API


def jet(
    fun: Callable[..., Any],
    primals: Sequence[Any],
    series: Sequence[Sequence[Any]],
    factorial_scaled: bool = True,
    **_: Any,
) -> tuple[Any, Any]:
    """The first derivatives of ``fun`` along a curve.

    Args:
      fun: a function of arrays (pytrees of them), differentiable often enough.
      primals: its arguments: where the curve is at t = 0.
      series: for each argument its first K derivatives by t there; pytrees with a sequence of K
        arrays in the place of each array.
      factorial_scaled: False takes and gives Taylor coefficients, the derivatives over k!.

    Returns:
      The value of ``fun``, and its first K derivatives along the curve, as a list in the place of
      each array of the result.

    Raises:
      ValueError: series of different lengths, or not one for each argument.
      TypeError: primals that are no tuple or list.

    >>> from adlib.experimental.jet import jet
    >>> import adlib.numpy as jnp
    >>> jet(jnp.exp, (0.0,), ((1.0, 0.0, 0.0),))[1]
    [Array(1., dtype=float32, weak_type=True), Array(1., dtype=float32, weak_type=True), \
Array(1., dtype=float32, weak_type=True)]
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(series, (tuple, list)):
        raise TypeError(
            "jet wants primals and series as tuples, one entry for each argument; it was given "
            f"{type(primals).__name__} and {type(series).__name__}.{here()}"
        )
    leaves, in_tree = tree.flatten(tuple(primals))
    try:
        columns = in_tree.flatten_up_to(tuple(series))
    except ValueError as error:
        raise ValueError(
            f"jet wants one series for each argument, with the same structure: {error}{here()}"
        ) from None
    for leaf, column in zip(leaves, columns, strict=True):
        if not isinstance(column, (tuple, list)):
            raise ValueError(
                f"jet wants the derivatives of {leaf!r} as a tuple or list; it was given "
                f"{column!r}.{here()}"
            )
    lengths = {len(c) for c in columns}
    if len(lengths) > 1:
        raise ValueError(
            f"jet wants as many derivatives of each argument; it was given {sorted(lengths)}."
            f"{here()}"
        )
    order = lengths.pop() if lengths else 0
    who = f"jet of {name_of(fun)}"
    values = [as_value(leaf, who) for leaf in leaves]
    terms = [
        _coefficients(who, v, c, factorial_scaled) for v, c in zip(values, columns, strict=True)
    ]
    out_tree: Any = None

    def flat(*args: Any) -> list[Any]:
        nonlocal out_tree
        out_leaves, out_tree = tree.flatten(fun(*tree.unflatten(in_tree, args)))
        return [as_value(x, who) for x in out_leaves]

    if order == 0:
        outs, out_terms = flat(*values), None
        return tree.unflatten(out_tree, outs), tree.unflatten(out_tree, [[] for _ in outs])
    outs, out_terms = taylor(flat, values, terms)
    scale = math.factorial if factorial_scaled else lambda k: 1
    results = [
        [_scaled(instantiate(c), scale(k)) for k, c in enumerate(column, 1)] for column in out_terms
    ]
    return tree.unflatten(out_tree, outs), tree.unflatten(out_tree, results)


def _coefficients(who: str, value: Any, column: Sequence[Any], factorial_scaled: bool) -> Terms:
    """Derivatives as Taylor coefficients of the value's type."""
    terms = []
    for k, given in enumerate(column, 1):
        if type(given) is Zero:
            terms.append(given)
            continue
        x = as_value(given, who)
        if not x.aval.shape and value.aval.shape:
            x = broadcast_to(x, value.aval.shape)
        if x.aval.shape != value.aval.shape:
            raise ValueError(
                f"{who}: derivative {k} has shape {x.aval.shape}; the argument has shape "
                f"{value.aval.shape}.{here()}"
            )
        if dtypes.is_inexact(value.aval.dtype):
            x = x.astype(value.aval.dtype) if x.aval.dtype != value.aval.dtype else x
            terms.append(_scaled(x, 1 / math.factorial(k) if factorial_scaled else 1))
        else:
            terms.append(Zero.like(value))
    return terms


__all__ = ["jet", "taylor"]
