"""Exercises of 07, cost: sweeps, peaks, modes, segments, and products in the right order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib.inspect.costs import flops
from adlib_kernel.actions.exercise_sets.task import Task
from adlib_kernel.actions.properties import equations

_ROUNDS = 64


def _sweeps(n: int, m: int) -> int:
    return min(n, m)


def _peaks(depth: int) -> dict[int, int]:
    """Arrays at the peak, by the length of a segment."""
    return {k: depth // k + k for k in range(1, depth + 1) if depth % k == 0}


def _smallest_peak(depth: int) -> int:
    return min(_peaks(depth).values())


def _thrifty_jacobian(f: Callable[..., Any], x: Any) -> Any:
    rows = adlib.eval_shape(f, x).shape[0]
    return (adlib.jacfwd if x.size <= rows else adlib.jacrev)(f)(x)


def _tall(x: Any) -> Any:
    return jnp.sin(jnp.outer(jnp.array([1.0, 0.3, 2.0, -1.0, 0.7]), x).sum(1)) * x[0]


def _wide(x: Any) -> Any:
    return jnp.stack([jnp.sum(jnp.sin(x)), jnp.prod(x)])


def _in_the_cheaper_mode(attempt: Any) -> str:
    for n, m in ((60, 2), (2, 60)):
        A = jnp.ones((m, n)) / n
        f = lambda x, A=A: jnp.tanh(A @ jnp.sin(x))  # noqa: E731
        cost, best = (
            _operations(lambda x, of=of, f=f: of(f, x), jnp.ones(n))
            for of in (attempt, _thrifty_jacobian)
        )
        if cost > 3 * best:
            return (
                f"the values are right, but for {n} inputs and {m} outputs it takes "
                f"{cost / best:.0f} times the operations of the other mode"
            )
    return ""


def _operations(function: Callable[..., Any], *args: Any) -> int:
    jaxpr = adlib.make_jaxpr(function)(*args).jaxpr
    return sum(flops(eqn) or 0 for eqn in equations(jaxpr))


def _long_chain(x: Any) -> Any:
    def segment(x: Any) -> Any:
        for _ in range(8):
            x = jnp.sin(1.1 * x)
        return x

    for _ in range(_ROUNDS // 8):
        x = adlib.checkpoint(segment)(x)
    return jnp.sum(x)


def _entries(x: Any) -> Any:
    for _ in range(_ROUNDS):
        x = jnp.sin(1.1 * x)
    return x


def residual_arrays(function: Callable[..., Any], x: Any) -> float:
    """How many arrays of the size of ``x`` a function keeps for its pullback."""
    _, push = adlib.linearize(function, x)
    consts = adlib.make_jaxpr(push)(x).consts
    return sum(np.asarray(const).nbytes for const in consts) / x.nbytes


def _longest_segment(function: Callable[..., Any], x: Any) -> int:
    """The most equations that are run again at once."""
    jaxpr = adlib.make_jaxpr(function)(x).jaxpr
    inner = [eqn.params for eqn in jaxpr.eqns if eqn.primitive.name in ("checkpoint", "remat2")]
    return max((len(list(equations(p["jaxpr"]))) for p in inner), default=0)


def _remembers_little(attempt: Any) -> str:
    x = jnp.linspace(0.0, 1.0, 100)
    kept, again = residual_arrays(attempt, x), _longest_segment(attempt, x)
    if kept > 20:
        return (
            f"the values are right, but it keeps {kept:.0f} arrays for the way back; checkpoint "
            "segments of it"
        )
    if again > 50:
        return (
            f"it keeps {kept:.0f} arrays, but {again} equations are run again at once, and all "
            "their residuals live then: cut it into shorter segments"
        )
    return ""


def _chain_product(matrices: Sequence[Any], v: Any) -> Any:
    for matrix in reversed(matrices):
        v = matrix @ v
    return v


def _matrices(rng: np.random.Generator) -> tuple[Any, ...]:
    drawn = [jnp.asarray(rng.normal(size=(3, 3)), jnp.float32) for _ in range(3)]
    return tuple(drawn), jnp.asarray(rng.normal(size=3), jnp.float32)


def _in_order(attempt: Any) -> str:
    matrices = (jnp.ones((30, 30)),) * 4
    cost = _operations(lambda v: attempt(matrices, v), jnp.ones(30))
    needed = 4 * 2 * 30 * 30
    if cost <= 1.2 * needed:
        return ""
    return (
        f"the values are right, but at {cost / needed:.0f} times the price: it multiplies matrices "
        "with each other"
    )


TASKS = (
    Task(
        "sweeps",
        "warm-up",
        _sweeps,
        (
            "One pushforward gives a column, one pullback a row.",
            "jacfwd takes n pushforwards, jacrev m pullbacks.",
            "You may choose the mode that needs fewer.",
        ),
        {
            "points": [(3, 200), (200, 3), (1000, 1), (1, 50), (7, 7)],
            "mistakes": {
                "this is the price of forward mode; sometimes reverse mode is cheaper": (
                    lambda n, m: n
                ),
                "this is the price of reverse mode; sometimes forward mode is cheaper": (
                    lambda n, m: m
                ),
                "this is the dearer of the two modes": lambda n, m: max(n, m),
                "a sweep gives a whole row or column, not one entry": lambda n, m: n * m,
            },
        },
    ),
    Task(
        "smallest_peak",
        "practice",
        _smallest_peak,
        (
            "For one k: depth/k inputs of segments, and the residuals of one segment.",
            "Try every k that divides depth.",
            "min(depth // k + k for every k with depth % k == 0)",
        ),
        {
            "points": [(64,), (100,), (48,), (50,), (7,)],
            "mistakes": {
                "this is the best k; how many arrays are there at the peak?": (
                    lambda depth: min(_peaks(depth), key=lambda k: _peaks(depth)[k])
                ),
                "this is √depth; there are two terms of about that size": lambda depth: depth**0.5,
                "this is 2·√depth: right where √depth divides depth, but k has to be a divisor": (
                    lambda depth: 2 * depth**0.5
                ),
                "this is what is kept without any checkpoint": lambda depth: depth,
            },
        },
    ),
    Task(
        "thrifty_jacobian",
        "practice",
        _thrifty_jacobian,
        (
            "Few inputs: jacfwd. Few outputs: jacrev. How do you learn the number of outputs?",
            "adlib.eval_shape(f, x).shape tells it without any arithmetic; f(x).size does, too.",
            "(jacfwd if x.size <= number of outputs else jacrev)(f)(x)",
        ),
        {
            "points": [
                (_tall, jnp.array([0.5, 1.0])),
                (_wide, jnp.array([0.5, 1.0, 2.0, -1.0])),
                (jnp.sin, jnp.array([0.5, 1.0, 2.0])),
            ],
            "properties": {"in the cheaper mode": _in_the_cheaper_mode},
            "mistakes": {
                "this is the sum of the rows: the gradient of the sum of all outputs": (
                    lambda f, x: adlib.grad(lambda x: jnp.sum(f(x)))(x)
                ),
            },
        },
    ),
    Task(
        "chain_product",
        "practice",
        _chain_product,
        (
            "A matrix times a vector costs far less than a matrix times a matrix.",
            "Begin at the end where the vector stands.",
            "for A in reversed(matrices): v = A @ v",
        ),
        {
            "points": _matrices,
            "linear_in": 1,
            "rtol": 1e-3,
            "properties": {"cheap": _in_order},
            "mistakes": {
                "the matrices are applied in the wrong order: the last one comes first": (
                    lambda matrices, v: _chain_product(matrices[::-1], v)
                ),
                "this multiplies the vector from the left: a pullback, not a pushforward": (
                    lambda matrices, v: _chain_product([m.T for m in matrices[::-1]], v)
                ),
                "only the last matrix is applied": lambda matrices, v: matrices[-1] @ v,
            },
        },
    ),
    Task(
        "long_chain",
        "stretch",
        _long_chain,
        (
            "Cut the 64 rounds into segments of k rounds; which k makes 64/k + k smallest?",
            "Write a function that does 8 rounds, and call adlib.checkpoint of it 8 times.",
            "The sum at the end stands outside of every segment.",
        ),
        {
            "points": [(jnp.linspace(0.0, 1.0, 5),), (jnp.array([2.0, -1.0]),)],
            "derivative": True,
            "properties": {"few residuals": _remembers_little},
            "mistakes": {
                "these are the entries; their sum is wanted": _entries,
            },
        },
    ),
)
