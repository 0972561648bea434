"""Exercises of 10 to 15, the lessons on seeing: two for each, by the number of the lesson."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib.core import Jaxpr, Literal
from adlib_kernel.actions.exercise_sets.task import Task
from adlib_kernel.actions.properties import no_array_larger_than, works_under_jit


def _loop(x: Any) -> Any:
    s = jnp.sin(x)
    return s * s + jnp.cos(x)


def _waste(x: Any) -> Any:
    unused = jnp.exp(jnp.tanh(x) * 2.0)
    jnp.sin(unused)
    return jnp.cos(x) * x


def _read(jaxpr: Jaxpr) -> Counter[Any]:
    """How often each variable is read, by equations and by the result."""
    atoms = [v for eqn in jaxpr.eqns for v in eqn.invars] + list(jaxpr.outvars)
    return Counter(v for v in atoms if not isinstance(v, Literal))


def _uses(f: Callable[..., Any], x: Any) -> Counter[Any]:
    return _read(adlib.make_jaxpr(f)(x).jaxpr)


def _fan_outs(f: Callable[..., Any], x: Any) -> int:
    return sum(count > 1 for count in _uses(f, x).values())


def _dead(f: Callable[..., Any], x: Any) -> int:
    jaxpr = adlib.make_jaxpr(f)(x).jaxpr
    needed, dead = set(jaxpr.outvars), 0
    for eqn in reversed(jaxpr.eqns):
        if any(var in needed for var in eqn.outvars):
            needed.update(v for v in eqn.invars if not isinstance(v, Literal))
        else:
            dead += 1
    return dead


def _directly_dead(f: Callable[..., Any], x: Any) -> int:
    jaxpr = adlib.make_jaxpr(f)(x).jaxpr
    read = _read(jaxpr)
    return sum(not any(var in read for var in eqn.outvars) for eqn in jaxpr.eqns)


def _count(f: Callable[..., Any], x: Any) -> int:
    return len(adlib.make_jaxpr(f)(x).jaxpr.eqns)


GRAPH = (
    Task(
        "fan_outs",
        "warm-up",
        _fan_outs,
        (
            "A fan-out is a value that is read in more than one place.",
            "Go through all operands (eqn.invars) and count how often each variable occurs; "
            "literals (they have a .val) are no variables.",
            "The program's results (jaxpr.outvars) read values, too.",
        ),
        {
            "points": [(_loop, 1.0), (_waste, 1.0), (jnp.sin, 1.0)],
            "mistakes": {
                "this is the number of equations": _count,
                "this is the number of readings; count the values that are read more than once": (
                    lambda f, x: sum(_uses(f, x).values())
                ),
            },
        },
    ),
    Task(
        "dead_equations",
        "stretch",
        _dead,
        (
            "Which equations does the result depend on? Start from the end.",
            "Walk through the equations backwards, with a set of variables that are needed.",
            "An equation whose result is needed makes its operands needed; all others are dead.",
        ),
        {
            "points": [(_waste, 1.0), (_loop, 1.0), (adlib.grad(_loop), 1.0)],
            "mistakes": {
                "only results that nobody reads are counted; what leads to them alone is dead, "
                "too": _directly_dead,
                "these are the living ones": lambda f, x: _count(f, x) - _dead(f, x),
                "this is the number of all equations": _count,
            },
        },
    ),
)


def _chain(x: Any) -> Any:
    return jnp.sin(3.0 * jnp.exp(x) + 1.0)


def _line(x: Any) -> Any:
    return 2.0 * x - 1.0


def _residual_count(f: Callable[..., Any], x: Any) -> int:
    _, push = adlib.linearize(f, x)
    return len(adlib.make_jaxpr(push)(x).consts)


def _tilt(x: Any) -> Any:
    return 3.0 * x - x[::-1]


def _shift(x: Any) -> Any:
    return 2.0 * x + 1.0


def _is_linear(g: Callable[..., Any], x: Any) -> bool:
    u, v = x, jnp.flip(x) * 0.7 - 1.0
    mixed = g(2.0 * u - 3.0 * v)
    return bool(np.allclose(mixed, 2.0 * g(u) - 3.0 * g(v), atol=1e-4))


_CANDIDATES = (_tilt, _shift, jnp.abs, jnp.sin, jnp.cumsum)

DERIVATION = (
    Task(
        "residual_count",
        "warm-up",
        _residual_count,
        (
            "linearize returns the value and the linear half. What does that half hold?",
            "Trace the linear half with make_jaxpr: its constants are the residuals.",
            "len(make_jaxpr(push)(x).consts)",
        ),
        {
            "points": [(_chain, 0.5), (_line, 0.5), (jnp.tanh, 0.5), (_loop, 0.5)],
            "mistakes": {
                "this is the number of equations of f; linear ones leave no residual": _count,
                "this is the number of equations of the linear half": (
                    lambda f, x: len(adlib.make_jaxpr(adlib.linearize(f, x)[1])(x).jaxpr.eqns)
                ),
            },
        },
    ),
    Task(
        "is_linear",
        "stretch",
        _is_linear,
        (
            "Linear means: g(a·u + b·v) = a·g(u) + b·g(v), for all numbers and all vectors.",
            "Try with two different vectors, and with a negative number among a and b.",
            "jnp.allclose of g(2*u - 3*v) and 2*g(u) - 3*g(v), with u = x and any other v.",
        ),
        {
            "points": [
                (g, jnp.array(x, jnp.float32))
                for g in _CANDIDATES
                for x in ([0.5, 1.0, 2.0], [1.0, -0.5, 0.3])
            ],
            "mistakes": {
                "g(0) = 0 is not enough: |x| has it, and sin x": (
                    lambda g, x: bool(np.allclose(g(0.0 * x), 0.0))
                ),
                "doubling is not enough: |x| passes that test": (
                    lambda g, x: bool(np.allclose(g(2.0 * x), 2.0 * g(x), atol=1e-4))
                ),
                "yes and no have changed places": lambda g, x: not _is_linear(g, x),
            },
        },
    ),
)


def _layer_slope(w: Any, x: Any) -> Any:
    return w * (1 - jnp.tanh(w * x) ** 2)


def _skip_slope(layer: Callable[..., Any], x: Any, depth: int) -> Any:
    slope = 1.0
    for _ in range(depth):
        slope = slope * (1.0 + adlib.grad(layer)(x))
        x = x + layer(x)
    return slope


def _plain_slope(layer: Callable[..., Any], x: Any, depth: int) -> Any:
    slope = 1.0
    for _ in range(depth):
        slope = slope * adlib.grad(layer)(x)
        x = x + layer(x)
    return slope


def _small(x: Any) -> Any:
    return 0.3 * jnp.tanh(x)


def _wavy(x: Any) -> Any:
    return 0.2 * jnp.sin(3.0 * x)


FLOW = (
    Task(
        "layer_slope",
        "warm-up",
        _layer_slope,
        (
            "The layer is x ↦ tanh(w·x): a function of a function.",
            "The slope of tanh is 1 - tanh², taken at w·x.",
            "Do not forget the inner derivative: w.",
        ),
        {
            "points": [(0.8, 1.0), (1.5, -0.4), (-2.0, 0.3), (0.5, 2.0)],
            "factors": {"1 - tanh²(w·x)": lambda w, x: 1 - np.tanh(w * x) ** 2},
            "mistakes": {
                "the slope of tanh is taken at x; it belongs at w·x": (
                    lambda w, x: w * (1 - np.tanh(x) ** 2)
                ),
                "this is the value of the layer": lambda w, x: np.tanh(w * x),
            },
        },
    ),
    Task(
        "skip_slope",
        "stretch",
        _skip_slope,
        (
            "One round is x ↦ x + layer(x). What is its slope?",
            "1 + layer'(x): a product of such factors, each at its own x.",
            "Update the slope before x: slope *= 1 + grad(layer)(x), then x = x + layer(x).",
        ),
        {
            "points": [(_small, 0.5, 3), (_wavy, 0.7, 4), (_small, -1.0, 2)],
            "mistakes": {
                "the direct way is missing: each factor is 1 + layer'(x)": _plain_slope,
                "every factor is taken at the first x; x moves from round to round": (
                    lambda layer, x, depth: (1.0 + adlib.grad(layer)(x)) ** depth
                ),
                "the factors are added up; along a path they multiply": (
                    lambda layer, x, depth: 1.0 + depth * adlib.grad(layer)(x)
                ),
            },
        },
    ),
)

_TRIDIAGONAL = np.abs(np.subtract.outer(np.arange(7), np.arange(7))) <= 1
_ARROW = np.eye(6, dtype=bool) | (np.arange(6) == 0)
_BLOCKS = np.kron(np.eye(3, dtype=bool), np.ones((2, 2), dtype=bool))
_PATTERNS = [(_TRIDIAGONAL,), (_ARROW,), (_BLOCKS,), (_ARROW.T,)]


def _at_least(pattern: Any) -> int:
    return int(np.max(np.sum(pattern, axis=1)))


def _colouring(pattern: Any) -> list[int]:
    colours: list[int] = []
    for j in range(pattern.shape[1]):
        taken = {colours[k] for k in range(j) if np.any(pattern[:, j] & pattern[:, k])}
        colours.append(next(c for c in range(j + 1) if c not in taken))
    return colours


def _judged(attempt: Callable[..., Any]) -> Callable[..., Any]:
    """Of a colouring, how many columns have no colour, how many pairs clash, how many are spare."""

    def judged(pattern: Any) -> Any:
        colours = [int(c) for c in attempt(pattern)]
        n = pattern.shape[1]
        missing = abs(n - len(colours))
        clashes = sum(
            colours[j] == colours[k] and bool(np.any(pattern[:, j] & pattern[:, k]))
            for j in range(min(n, len(colours)))
            for k in range(j)
        )
        spare = max(0, len(set(colours)) - len(set(_colouring(pattern))))
        return np.array([float(missing), float(clashes > 0), float(spare > 0)])

    return judged


ASSEMBLY = (
    Task(
        "at_least",
        "warm-up",
        _at_least,
        (
            "Which columns cannot travel together? Those that share a row.",
            "All columns with an entry in one row need different colours.",
            "So the fullest row gives a lower bound: the largest row sum of the pattern.",
        ),
        {
            "points": _PATTERNS,
            "mistakes": {
                "this is the fullest column; columns clash within a row": (
                    lambda pattern: int(np.max(np.sum(pattern, axis=0)))
                ),
                "this is the number of columns, the price without colours": (
                    lambda pattern: pattern.shape[1]
                ),
                "this is the number of entries": lambda pattern: int(np.sum(pattern)),
            },
        },
    ),
    Task(
        "colouring",
        "stretch",
        _colouring,
        (
            "Go from column to column, and give each the first colour that is free for it.",
            "A colour is taken if an earlier column has it and shares a row with this one.",
            "Columns j and k share a row if np.any(pattern[:, j] & pattern[:, k]).",
        ),
        {
            "points": _PATTERNS,
            "through": _judged,
            "mistakes": {
                "two columns of one colour share a row": lambda pattern: np.array([0.0, 1.0, 0.0]),
                "no columns clash, but more colours are used than the simple way needs": (
                    lambda pattern: np.array(
                        [0.0, 0.0, float(len(set(_colouring(pattern))) < pattern.shape[1])]
                    )
                ),
                "one colour for each column is wanted, in a list": (
                    lambda pattern: np.array([float(pattern.shape[1] - 1), 0.0, 0.0])
                ),
            },
        },
    ),
)


def _pair_energy(x: Any) -> Any:
    return 2.0 * x.size * jnp.sum(x * x) - 2.0 * jnp.sum(x) ** 2


MEMORY = (
    Task(
        "kept",
        "warm-up",
        2.0,
        (
            "Linear operations are free.",
            "3x + 1 is affine, and so is 2·(…). What remains?",
            "exp keeps its result, sin keeps the cosine; the sum keeps nothing.",
        ),
        {
            "mistakes": {
                "there are two nonlinear operations, and both are charged: one is missing": 1.0,
                "multiplication by a constant is linear, and free": 3.0,
                "affine operations are free: only nonlinear ones keep an array": 4.0,
                "adding up is linear, and free": 5.0,
            },
        },
    ),
    Task(
        "pair_energy",
        "stretch",
        _pair_energy,
        (
            "Multiply out (xᵢ - xⱼ)², and add up each of the three terms over i and j.",
            "Σᵢⱼ xᵢ² is n·Σ xᵢ², and Σᵢⱼ xᵢxⱼ is (Σ xᵢ)².",
            "2n·Σx² - 2(Σx)²",
        ),
        {
            "points": lambda rng: (jnp.asarray(rng.normal(size=6), jnp.float32),),
            "derivative": True,
            "rtol": 1e-3,
            "terms": {
                "2n·Σx²": lambda x: 2.0 * x.size * np.sum(np.square(x)),
                "-2(Σx)²": lambda x: -2.0 * np.sum(x) ** 2,
            },
            "properties": {
                "no array of all pairs": no_array_larger_than(
                    100,
                    "an array of all pairs",
                    lambda attempt: (attempt, (jnp.linspace(0.0, 1.0, 100),)),
                )
            },
        },
    ),
)


def _log_sum(a: Any, b: Any) -> Any:
    return jnp.logaddexp(a, b)


def _share(a: Any, b: Any) -> Any:
    return 1 / (1 + np.exp(np.clip(np.float64(b) - a, -700, 700)))


def _safe_divide(n: Any, d: Any) -> Any:
    fine = d != 0
    return jnp.where(fine, n / jnp.where(fine, d, 1.0), 0.0)


def _finite_slopes(attempt: Any) -> str:
    for n, d in ((1.0, 0.0), (0.0, 0.0), (2.0, -3.0)):
        slopes = adlib.grad(attempt, argnums=(0, 1))(jnp.asarray(n), jnp.asarray(d))
        if not all(np.isfinite(float(slope)) for slope in slopes):
            return (
                f"the values are right, but at n = {n}, d = {d} the derivatives are "
                f"{float(slopes[0])} and {float(slopes[1])}: the division still happens there"
            )
    return ""


NANS = (
    Task(
        "log_sum",
        "warm-up",
        _log_sum,
        (
            "Pull the larger of the two out: log(eᵃ + eᵇ) = m + log(eᵃ⁻ᵐ + eᵇ⁻ᵐ).",
            "With m = max(a, b) no exponential is larger than 1.",
            "jnp.logaddexp does it, too; its slopes are right where a = b.",
        ),
        {
            "points": [(1.0, 2.0), (100.0, 99.0), (-100.0, -101.5), (95.0, -95.0), (0.5, 0.5)],
            "derivative": _share,
            "atol": 1e-5,
            "mistakes": {
                "this is the larger of the two: the logarithm of the rest is missing": (
                    lambda a, b: max(a, b)
                ),
                "this is a + b, the logarithm of the product": lambda a, b: a + b,
            },
        },
    ),
    Task(
        "safe_divide",
        "stretch",
        _safe_divide,
        (
            "Choosing the value afterwards is too late: the division has happened.",
            "Make the divisor harmless where it is zero, then divide, then choose.",
            "jnp.where(d != 0, n / jnp.where(d != 0, d, 1.0), 0.0)",
        ),
        {
            "points": [
                (jnp.asarray(n), jnp.asarray(d))
                for n, d in ((1.0, 2.0), (1.0, 0.0), (0.0, 0.0), (-3.0, 0.5))
            ],
            "properties": {
                "finite derivatives": _finite_slopes,
                "works under jit": works_under_jit(1.0, 0.0),
            },
            "mistakes": {
                "this is d / n": lambda n, d: d / n if n else jnp.zeros(()),
            },
        },
    ),
)
