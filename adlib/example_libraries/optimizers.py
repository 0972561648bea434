"""First-order optimizers as triples of functions.

An optimizer is ``(init_fun, update_fun, get_params)``:

- ``init_fun(params)`` → state,
- ``update_fun(step, grads, state)`` → state,
- ``get_params(state)`` → params,

where params are any pytree. Each rule below is written for one array; ``optimizer`` lifts it
to trees. A step size is a number or a schedule, a function of the step.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from adlib import numpy as jnp
from adlib import tree_util
from adlib.base.source import here

Schedule = Callable[[Any], Any]


class OptimizerState(NamedTuple):
    """State of an optimizer: the arrays, and the structures that they came in.

    Attributes:
      packed_state: for each leaf of the parameters the tuple of its state's arrays.
      tree_def: structure of the parameters.
      subtree_defs: structure of each leaf's state.

    >>> import adlib, adlib.numpy as jnp
    >>> from adlib.example_libraries import optimizers
    >>> init, update, get_params = optimizers.momentum(0.1, mass=0.9)
    >>> init(jnp.array([1.0])).packed_state
    [[Array([1.], dtype=float32), Array([0.], dtype=float32)]]
    """

    packed_state: Any
    tree_def: Any
    subtree_defs: Any


tree_util.register_pytree_node(
    OptimizerState,
    lambda s: ((s.packed_state,), (s.tree_def, tuple(s.subtree_defs))),
    lambda data, children: OptimizerState(children[0], data[0], data[1]),
)


class Optimizer(NamedTuple):
    """The three functions of an optimizer."""

    init_fn: Callable[[Any], OptimizerState]
    update_fn: Callable[[Any, Any, OptimizerState], OptimizerState]
    params_fn: Callable[[OptimizerState], Any]


def optimizer(opt_maker: Callable[..., Any]) -> Callable[..., Optimizer]:
    """Decorator that lifts an optimizer of one array to one of pytrees.

    ``opt_maker(...)`` returns ``(init, update, get_params)`` for a single array, whose state
    may be any pytree.

    >>> import adlib.numpy as jnp
    >>> from adlib.example_libraries import optimizers
    >>> init_fun, update_fun, get_params = optimizers.sgd(0.1)
    >>> state = update_fun(0, {"w": jnp.array(1.0)}, init_fun({"w": jnp.array(2.0)}))
    >>> get_params(state)
    {'w': Array(1.9, dtype=float32, weak_type=True)}
    """

    @functools.wraps(opt_maker)
    def tree_opt_maker(*args: Any, **kwargs: Any) -> Optimizer:
        init, update, get_params = opt_maker(*args, **kwargs)

        @functools.wraps(init)
        def tree_init(params: Any) -> OptimizerState:
            leaves, treedef = tree_util.tree_flatten(params)
            flat = [tree_util.tree_flatten(init(leaf)) for leaf in leaves]
            return OptimizerState([s for s, _ in flat], treedef, tuple(d for _, d in flat))

        def states(state: OptimizerState) -> list[Any]:
            return [
                tree_util.tree_unflatten(d, s)
                for d, s in zip(state.subtree_defs, state.packed_state, strict=True)
            ]

        @functools.wraps(update)
        def tree_update(i: Any, grads: Any, state: OptimizerState) -> OptimizerState:
            flat_grads, treedef = tree_util.tree_flatten(grads)
            if treedef != state.tree_def:
                raise TypeError(
                    f"optimizer update function was passed a gradient tree that did not match the "
                    f"parameter tree structure with which it was initialized: parameter tree "
                    f"{state.tree_def} and grad tree {treedef}.{here()}"
                )
            flat = [
                tree_util.tree_flatten(update(i, g, s))
                for g, s in zip(flat_grads, states(state), strict=True)
            ]
            for (_, new), old in zip(flat, state.subtree_defs, strict=True):
                if new != old:
                    raise TypeError(
                        "optimizer update function produced an output structure that did not "
                        f"match its input structure: input {old} and output {new}.{here()}"
                    )
            return OptimizerState([s for s, _ in flat], state.tree_def, state.subtree_defs)

        @functools.wraps(get_params)
        def tree_get_params(state: OptimizerState) -> Any:
            params = [get_params(s) for s in states(state)]
            return tree_util.tree_unflatten(state.tree_def, params)

        return Optimizer(tree_init, tree_update, tree_get_params)

    return tree_opt_maker


# ----------------------------------------------------------------------- optimizers


@optimizer
def sgd(step_size: Any) -> Any:
    """Stochastic gradient descent: ``x - step_size * g``.

    Args:
      step_size: float or schedule.

    >>> from adlib.example_libraries import optimizers
    >>> init_fun, update_fun, get_params = optimizers.sgd(0.1)
    >>> state = update_fun(0, 4.0, init_fun(1.0))
    >>> float(round(get_params(state), 4))
    0.6
    """
    step_size = make_schedule(step_size)

    def init(x0: Any) -> Any:
        return x0

    def update(i: Any, g: Any, x: Any) -> Any:
        return x - step_size(i) * g

    def get_params(x: Any) -> Any:
        return x

    return init, update, get_params


@optimizer
def momentum(step_size: Any, mass: float) -> Any:
    """Gradient descent with momentum: a velocity that decays by ``mass`` collects gradients.

    Args:
      step_size: float or schedule.
      mass: how much of the velocity is kept, in [0, 1).

    >>> from adlib.example_libraries import optimizers
    >>> init_fun, update_fun, get_params = optimizers.momentum(0.1, 0.9)
    >>> state = update_fun(0, 4.0, init_fun(1.0))
    >>> float(round(get_params(state), 4))
    0.6000000238418579
    """
    step_size = make_schedule(step_size)

    def init(x0: Any) -> Any:
        return x0, jnp.zeros_like(x0)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, velocity = state
        velocity = mass * velocity + g
        return x - step_size(i) * velocity, velocity

    return init, update, _first


@optimizer
def nesterov(step_size: Any, mass: float) -> Any:
    """Gradient descent with Nesterov's momentum. Args as for ``momentum``.

    >>> from adlib.example_libraries import optimizers
    >>> init_fun, update_fun, get_params = optimizers.nesterov(0.1, 0.9)
    >>> state = update_fun(0, 4.0, init_fun(1.0))
    >>> float(round(get_params(state), 4))
    0.23999999463558197
    """
    step_size = make_schedule(step_size)

    def init(x0: Any) -> Any:
        return x0, jnp.zeros_like(x0)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, velocity = state
        velocity = mass * velocity + g
        return x - step_size(i) * (mass * velocity + g), velocity

    return init, update, _first


@optimizer
def adagrad(step_size: Any, momentum: float = 0.9) -> Any:
    """Adagrad: steps are divided by the root of the sum of all squared gradients so far.

    Args:
      step_size: float or schedule.
      momentum: decay of the running mean of steps.

    Source: Duchi, Hazan, Singer (2011).

    >>> from adlib.example_libraries import optimizers
    >>> init_fun, update_fun, get_params = optimizers.adagrad(0.1)
    >>> state = update_fun(0, 4.0, init_fun(1.0))
    >>> float(round(get_params(state), 4))
    0.9900000095367432
    """
    step_size = make_schedule(step_size)

    def init(x0: Any) -> Any:
        return x0, jnp.zeros_like(x0), jnp.zeros_like(x0)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, squares, mean = state
        squares = squares + jnp.square(g)
        mean = (1.0 - momentum) * (g * _inverse_root(squares)) + momentum * mean
        return x - step_size(i) * mean, squares, mean

    return init, update, _first


@optimizer
def rmsprop(step_size: Any, gamma: float = 0.9, eps: float = 1e-8) -> Any:
    """RMSProp: steps are divided by the root of a running mean of squared gradients.

    Args:
      step_size: float or schedule.
      gamma: decay of the running mean.
      eps: added below the root.

    Source: Tieleman and Hinton, lecture 6.5 (2012).

    >>> from adlib.example_libraries import optimizers
    >>> init_fun, update_fun, get_params = optimizers.rmsprop(0.1)
    >>> state = update_fun(0, 4.0, init_fun(1.0))
    >>> float(round(get_params(state), 4))
    0.6837999820709229
    """
    step_size = make_schedule(step_size)

    def init(x0: Any) -> Any:
        return x0, jnp.zeros_like(x0)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, squares = state
        squares = squares * gamma + jnp.square(g) * (1.0 - gamma)
        return x - step_size(i) * g / jnp.sqrt(squares + eps), squares

    return init, update, _first


@optimizer
def rmsprop_momentum(
    step_size: Any, gamma: float = 0.9, eps: float = 1e-8, momentum: float = 0.9
) -> Any:
    """RMSProp with momentum on its steps.

    Args as for ``rmsprop``, and ``momentum``, how much of the last step is kept.

    >>> from adlib.example_libraries import optimizers
    >>> init_fun, update_fun, get_params = optimizers.rmsprop_momentum(0.1)
    >>> state = update_fun(0, 4.0, init_fun(1.0))
    >>> float(round(get_params(state), 4))
    0.6837999820709229
    """
    step_size = make_schedule(step_size)

    def init(x0: Any) -> Any:
        return x0, jnp.zeros_like(x0), jnp.zeros_like(x0)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, squares, step = state
        squares = squares * gamma + jnp.square(g) * (1.0 - gamma)
        step = momentum * step + step_size(i) * g / jnp.sqrt(squares + eps)
        return x - step, squares, step

    return init, update, _first


@optimizer
def adam(step_size: Any, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Any:
    """Adam: running means of gradients and of their squares, both corrected for their start.

    Args:
      step_size: float or schedule.
      b1, b2: decays of the two means.
      eps: added to the root.

    Source: Kingma and Ba (2015).

    >>> from adlib.example_libraries import optimizers
    >>> init_fun, update_fun, get_params = optimizers.adam(0.1)
    >>> state = update_fun(0, 4.0, init_fun(1.0))
    >>> float(round(get_params(state), 4))
    0.8999999761581421
    """
    step_size = make_schedule(step_size)

    def init(x0: Any) -> Any:
        return x0, jnp.zeros_like(x0), jnp.zeros_like(x0)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, m, v = state
        m = (1 - b1) * g + b1 * m
        v = (1 - b2) * jnp.square(g) + b2 * v
        m_hat = m / (1 - jnp.asarray(b1, m.dtype) ** (i + 1))
        v_hat = v / (1 - jnp.asarray(b2, m.dtype) ** (i + 1))
        return x - step_size(i) * m_hat / (jnp.sqrt(v_hat) + eps), m, v

    return init, update, _first


@optimizer
def adamax(step_size: Any, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Any:
    """Adamax: Adam with the greatest recent gradient in place of the root of the mean square.

    Args and source as for ``adam``.

    >>> from adlib.example_libraries import optimizers
    >>> init_fun, update_fun, get_params = optimizers.adamax(0.1)
    >>> state = update_fun(0, 4.0, init_fun(1.0))
    >>> float(round(get_params(state), 4))
    0.8999999761581421
    """
    step_size = make_schedule(step_size)

    def init(x0: Any) -> Any:
        return x0, jnp.zeros_like(x0), jnp.zeros_like(x0)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, m, u = state
        m = (1 - b1) * g + b1 * m
        u = jnp.maximum(b2 * u, jnp.abs(g))
        corrected = step_size(i) / (1 - jnp.asarray(b1, m.dtype) ** (i + 1))
        return x - corrected * m / (u + eps), m, u

    return init, update, _first


@optimizer
def sm3(step_size: Any, momentum: float = 0.9) -> Any:
    """SM3: Adagrad whose squares are kept along each axis only, not for each element.

    Args:
      step_size: float or schedule.
      momentum: decay of the running mean of steps.

    Source: Anil, Gupta, Koren, Singer, "Memory-Efficient Adaptive Optimization" (2019).

    >>> from adlib.example_libraries import optimizers
    >>> init_fun, update_fun, get_params = optimizers.sm3(0.1)
    >>> state = update_fun(0, 4.0, init_fun(1.0))
    >>> float(round(get_params(state), 4))
    0.9900000095367432
    """
    step_size = make_schedule(step_size)

    def init(x0: Any) -> Any:
        x0 = jnp.asarray(x0)
        sizes = x0.shape or (1,)
        return x0, jnp.zeros_like(x0), [jnp.zeros(n, x0.dtype) for n in sizes]

    def update(i: Any, g: Any, state: Any) -> Any:
        x, mean, along = state
        axes = range(len(along))
        spread = [
            v[tuple(slice(None) if a == b else None for b in axes)] for a, v in enumerate(along)
        ]
        # a scalar is taken as an array of one axis
        squares = functools.reduce(jnp.minimum, spread) + jnp.square(g).reshape(x.shape or (1,))
        scaled = g * _inverse_root(squares.reshape(x.shape))
        mean = (1.0 - momentum) * scaled + momentum * mean
        along = [jnp.max(squares, axis=tuple(b for b in axes if b != a)) for a in axes]
        return x - step_size(i) * mean, mean, along

    return init, update, _first


def _first(state: Any) -> Any:
    return state[0]


def _inverse_root(squares: Any) -> Any:
    """``1/sqrt``, and 0 where no gradient has come yet."""
    return jnp.where(squares > 0, 1.0 / jnp.sqrt(squares), 0.0)


# ------------------------------------------------------------------------ schedules


def make_schedule(scalar_or_schedule: Any) -> Schedule:
    """A schedule as it is; a number as the constant schedule.

    Raises TypeError for anything else.

    >>> from adlib.example_libraries import optimizers
    >>> optimizers.make_schedule(0.1)(5)
    0.1
    """
    if callable(scalar_or_schedule):
        return scalar_or_schedule  # type: ignore[no-any-return]
    if jnp.ndim(scalar_or_schedule) == 0:
        return constant(scalar_or_schedule)
    raise TypeError(
        f"a step size is a number or a function of the step, got {type(scalar_or_schedule)}{here()}"
    )


def constant(step_size: Any) -> Schedule:
    """The schedule that is always ``step_size``.

    >>> from adlib.example_libraries import optimizers
    >>> optimizers.constant(0.1)(5)
    0.1
    """
    return lambda i: step_size


def exponential_decay(step_size: Any, decay_steps: Any, decay_rate: Any) -> Schedule:
    """``step_size * decay_rate ** (i / decay_steps)``.

    >>> from adlib.example_libraries import optimizers
    >>> optimizers.exponential_decay(1.0, 10, 0.5)(20)
    0.25
    """
    return lambda i: step_size * decay_rate ** (i / decay_steps)


def inverse_time_decay(
    step_size: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False
) -> Schedule:
    """``step_size / (1 + decay_rate * i / decay_steps)``, in whole steps with ``staircase``.

    >>> from adlib.example_libraries import optimizers
    >>> optimizers.inverse_time_decay(1.0, 10, 1.0)(10)
    0.5
    """
    if staircase:
        return lambda i: step_size / (1 + decay_rate * jnp.floor(i / decay_steps))
    return lambda i: step_size / (1 + decay_rate * i / decay_steps)


def polynomial_decay(
    step_size: Any, decay_steps: Any, final_step_size: Any, power: Any = 1.0
) -> Schedule:
    """From ``step_size`` to ``final_step_size`` in ``decay_steps``, by a power of what is left.

    >>> from adlib.example_libraries import optimizers
    >>> float(optimizers.polynomial_decay(1.0, 10, 0.0)(5))
    0.5
    """

    def schedule(step: Any) -> Any:
        step = jnp.minimum(step, decay_steps)
        left = (1 - step / decay_steps) ** power
        return left * (step_size - final_step_size) + final_step_size

    return schedule


def piecewise_constant(boundaries: Any, values: Any) -> Schedule:
    """``values[k]`` after ``k`` of the boundaries have been passed.

    Raises ValueError unless there is one value more than boundaries.

    >>> from adlib.example_libraries import optimizers
    >>> float(optimizers.piecewise_constant([10], [1.0, 0.5])(11))
    0.5
    """
    boundaries, values = jnp.array(boundaries), jnp.array(values)
    if not boundaries.ndim == values.ndim == 1:
        raise ValueError(f"boundaries and values must be sequences{here()}")
    if not boundaries.shape[0] == values.shape[0] - 1:
        raise ValueError(f"boundaries length must be one shorter than values length{here()}")
    return lambda i: values[jnp.sum(i > boundaries)]


# ------------------------------------------------------------------------ gradients


def l2_norm(tree: Any) -> Any:
    """The Euclidean length of all leaves together.

    >>> from adlib.example_libraries import optimizers
    >>> float(optimizers.l2_norm({"a": 3.0, "b": 4.0}))
    5.0
    """
    return jnp.sqrt(sum(jnp.vdot(x, x) for x in tree_util.tree_leaves(tree)))


def clip_grads(grad_tree: Any, max_norm: Any) -> Any:
    """Gradients scaled down so that their ``l2_norm`` is at most ``max_norm``.

    >>> from adlib.example_libraries import optimizers
    >>> float(optimizers.clip_grads(4.0, 1.0).round(4))
    1.0
    """
    norm = l2_norm(grad_tree)
    factor = max_norm / (norm + 1e-9)
    return tree_util.tree_map(lambda g: jnp.where(norm < max_norm, g, g * factor), grad_tree)


# ------------------------------------------------------------- saving and restoring


class JoinPoint:
    """Marks, in an unpacked state, where a parameter's own state begins."""

    def __init__(self, subtree: Any) -> None:
        self.subtree = subtree


def unpack_optimizer_state(opt_state: OptimizerState) -> Any:
    """The state as a tree of the parameters' structure with a ``JoinPoint`` at each leaf.

    Such a tree can be pickled, and ``pack_optimizer_state`` takes it back.

    >>> from adlib.example_libraries import optimizers
    >>> state = optimizers.sgd(0.1)[0]({"w": 2.0})
    >>> optimizers.unpack_optimizer_state(state)["w"].subtree
    2.0
    """
    points = [
        JoinPoint(tree_util.tree_unflatten(d, s))
        for d, s in zip(opt_state.subtree_defs, opt_state.packed_state, strict=True)
    ]
    return tree_util.tree_unflatten(opt_state.tree_def, points)


def pack_optimizer_state(marked_pytree: Any) -> OptimizerState:
    """The state from what ``unpack_optimizer_state`` gave.

    Raises TypeError where a leaf is no ``JoinPoint``.

    >>> from adlib.example_libraries import optimizers
    >>> state = optimizers.sgd(0.1)[0]({"w": 2.0})
    >>> optimizers.pack_optimizer_state(optimizers.unpack_optimizer_state(state)) == state
    True
    """
    points, treedef = tree_util.tree_flatten(marked_pytree)
    if not all(isinstance(p, JoinPoint) for p in points):
        raise TypeError(
            f"pack_optimizer_state takes what unpack_optimizer_state gave: a tree whose leaves "
            f"are JoinPoints.{here()}"
        )
    flat = [tree_util.tree_flatten(p.subtree) for p in points]
    return OptimizerState([s for s, _ in flat], treedef, tuple(d for _, d in flat))
