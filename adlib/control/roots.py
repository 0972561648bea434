"""Solutions of equations, differentiated by the implicit function theorem.

The derivative of a solution is a linear solve with the linearized equation (Krantz & Parks,
"The Implicit Function Theorem"), whatever iteration found the solution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adlib.base import tree
from adlib.base.source import here
from adlib.base.treedef import PyTreeDef
from adlib.control.calls import (
    name_of,
    values_of,
)
from adlib.control.functions import arrays, check_same_structure, evaluate, trace
from adlib.core.avals import UndefinedPrimal, Zero
from adlib.core.jaxpr import ClosedJaxpr
from adlib.core.primitive import define_primitive
from adlib.core.program import program
from adlib.interpreters.batch import at_front, batch_jaxpr
from adlib.interpreters.jvp import jvp_flat
from adlib.interpreters.linearize import linearize_flat
from adlib.interpreters.stage import stage
from adlib.interpreters.transpose import pull_back, transpose_flat
from adlib.ops.arithmetic import neg
from adlib.ops.constructors import add_tangents

# Both primitives hold several programs. What the user's functions close over comes first
# among the operands, one group for each program, so that nothing traced hides in a program.


def _grouped(values: Sequence[Any], counts: Sequence[int]) -> list[list[Any]]:
    """``values`` cut into groups of the given sizes, and the rest."""
    groups, start = [], 0
    for count in counts:
        groups.append(list(values[start : start + count]))
        start += count
    return [*groups, list(values[start:])]


def _batched(closed: ClosedJaxpr, axis: Any, consts: Sequence[Any], variables: int) -> ClosedJaxpr:
    """A program over a batch: all results and the last inputs carry it, consts as they do."""
    mask = [*[d is not None for d in consts], *[True] * variables]
    return batch_jaxpr(closed, axis, mask, True)[0]


def _moved(axis: Any, values: Sequence[Any], dims: Sequence[Any]) -> list[Any]:
    """Batch axes first; values without one stay as they are."""
    return [v if d is None else at_front(axis, v, d) for v, d in zip(values, dims, strict=True)]


def _kernel(xp: Any, solve: ClosedJaxpr, counts: tuple[int, int, int], **_: Any) -> Any:
    """Evaluation of either primitive: its solver runs."""
    run = program(solve, xp)
    first, second, third = counts
    return lambda *args: run(*args[first : first + second], *args[first + second + third :])


# ---------------------------------------------------------------- custom_root


def _root_jvp(
    primals: Sequence[Any], tangents: Sequence[Any], **params: Any
) -> tuple[list[Any], list[Any]]:
    equation, counts = params["equation"], params["counts"]
    outs = root_p.bind(*primals, **params)
    consts, _, tangent_consts, guess = _grouped(primals, counts)
    solution, aux = outs[: len(guess)], outs[len(guess) :]
    aux_tangents = [Zero.like(a) for a in aux]
    const_tangents = list(tangents[: counts[0]])
    if all(type(t) is Zero for t in const_tangents):
        return outs, [*[Zero.like(s) for s in solution], *aux_tangents]
    # f(c, x(c)) = 0 for all c, so  (df/dx) dx = -(df/dc) dc
    _, change = jvp_flat(lambda *c: evaluate(equation, *c, *solution), consts, const_tangents)
    rhs = [neg(t) for t in arrays(change)]
    return outs, [*evaluate(params["tangent"], *tangent_consts, *solution, *rhs), *aux_tangents]


def _root_batch(
    axis: Any, args: Sequence[Any], dims: Sequence[Any], **params: Any
) -> tuple[list[Any], list[int]]:
    counts = params["counts"]
    *const_dims, guess_dims = _grouped(dims, counts)
    n = len(guess_dims)
    outs = root_p.bind(
        *_moved(axis, args[: len(args) - n], dims[: len(args) - n]),
        *[at_front(axis, v, d) for v, d in zip(args[len(args) - n :], guess_dims, strict=True)],
        equation=_batched(params["equation"], axis, const_dims[0], n),
        solve=_batched(params["solve"], axis, const_dims[1], n),
        tangent=_batched(params["tangent"], axis, const_dims[2], 2 * n),
        counts=counts,
    )
    return outs, [0] * len(outs)


root_p = define_primitive(
    "custom_root",
    shape=lambda *avals, solve, **_: solve.out_avals,
    kernel=_kernel,
    jvp=_root_jvp,
    batch=_root_batch,
    multiple_results=True,
    first_order=False,
)


def custom_root(
    f: Callable[[Any], Any],
    initial_guess: Any,
    solve: Callable[[Any, Any], Any],
    tangent_solve: Callable[[Any, Any], Any],
    has_aux: bool = False,
) -> Any:
    """A root of ``f``, differentiable with respect to what ``f`` closes over.

    Args:
      f: function of ``x`` whose root is wanted; may close over values being differentiated.
      initial_guess: where ``solve`` starts.
      solve: ``solve(f, initial_guess) -> x`` (``(x, aux)`` with ``has_aux``); need not be
        differentiable.
      tangent_solve: ``tangent_solve(g, y) -> x`` with ``g(x) = y`` for a linear function g.

    Raises TypeError where a result has another structure than ``initial_guess``.

    >>> from adlib import grad, lax
    >>> def sqrt(a):
    ...     newton = lambda f, x: lax.fori_loop(0, 20, lambda _, x: 0.5 * (x + a / x), x)
    ...     return lax.custom_root(lambda x: x**2 - a, a, newton, lambda g, y: y / g(1.0))
    >>> grad(sqrt)(4.0)
    Array(0.25, dtype=float32, weak_type=True)
    """
    guess, in_tree = values_of(initial_guess, "custom_root")
    avals = [g.aval for g in guess]
    one = _arguments_tree(in_tree, 1)
    equation, eq_consts, eq_tree = trace(f, one, avals, "custom_root")
    _check("custom_root: f's output and input", "x", in_tree, f, eq_tree)
    solver, solve_consts, out_tree = trace(lambda x: solve(f, x), one, avals, "custom_root")
    what = "custom_root: solve's output and initial_guess"
    _check(what, "initial_guess", in_tree, solve, _main_tree(out_tree, has_aux, "custom_root"))

    def linearized_solve(x: Any, y: Any) -> Any:
        leaves, _ = values_of(x, "custom_root")
        _, derivative = linearize_flat(lambda *v: evaluate(equation, *eq_consts, *v), leaves)

        def g(v: Any) -> Any:
            given, _ = values_of(v, "tangent_solve")
            return tree.unflatten(in_tree, derivative.apply(given))

        return tangent_solve(g, y)

    tangent, tangent_consts, tangent_tree = trace(
        linearized_solve, _arguments_tree(in_tree, 2), [*avals, *avals], "custom_root"
    )
    _check(
        "custom_root: tangent_solve's output and input", "y", in_tree, tangent_solve, tangent_tree
    )
    outs = root_p.bind(
        *eq_consts,
        *solve_consts,
        *tangent_consts,
        *guess,
        equation=equation,
        solve=solver,
        tangent=tangent,
        counts=(len(eq_consts), len(solve_consts), len(tangent_consts)),
    )
    return tree.unflatten(out_tree, outs)


def _arguments_tree(in_tree: tree.PyTreeDef, count: int) -> tree.PyTreeDef:
    """Structure of the arguments of a function of ``count`` values of structure ``in_tree``."""
    value = tree.unflatten(in_tree, [0] * in_tree.num_leaves)
    return tree.structure((value,) * count)


def _check(what: str, name: str, wanted: Any, function: Any, given: Any) -> None:
    check_same_structure(what, [name, name_of(function)], [wanted, given])


def _main_tree(out_tree: tree.PyTreeDef, has_aux: bool, what: str) -> tree.PyTreeDef:
    if not has_aux:
        return out_tree
    if out_tree.type not in (tuple, list) or out_tree.num_children != 2:
        raise TypeError(
            f"{what} with has_aux=True expects solve to return a pair (solution, auxiliary data), "
            f"got {PyTreeDef(out_tree)}.{here()}"
        )
    return out_tree.children()[0]


# --------------------------------------------------------- custom_linear_solve


def _solve_jvp(
    primals: Sequence[Any], tangents: Sequence[Any], **params: Any
) -> tuple[list[Any], list[Any]]:
    matvec, counts = params["matvec"], params["counts"]
    x = linear_solve_p.bind(*primals, **params)
    consts, *_, rhs = _grouped(primals, counts)
    const_tangents, *_, rhs_tangents = _grouped(tangents, counts)
    n = len(rhs)
    if any(type(t) is not Zero for t in const_tangents):
        # A x = b, so  A dx = db - dA x
        _, change = jvp_flat(lambda *c: evaluate(matvec, *c, *x[:n]), consts, const_tangents)
        rhs_tangents = [
            t if type(d) is Zero else add_tangents(t, neg(d))
            for t, d in zip(rhs_tangents, change, strict=True)
        ]
    zero = [Zero.like(v) for v in x]
    if all(type(t) is Zero for t in rhs_tangents):
        return x, zero
    dx = linear_solve_p.bind(*primals[: sum(counts)], *arrays(rhs_tangents), **params)
    return x, [*dx[:n], *zero[n:]]


def _solve_transpose(
    cts: Sequence[Any],
    *args: Any,
    matvec: ClosedJaxpr,
    solve: ClosedJaxpr,
    transpose_solve: ClosedJaxpr | None,
    counts: tuple[int, int, int],
    symmetric: bool,
) -> list[Any]:
    for_map, for_solve, for_transpose, rhs = _grouped(args, counts)
    if any(type(c) is UndefinedPrimal for c in args[: sum(counts)]):
        raise NotImplementedError("custom_linear_solve is linear in its right-hand side only")
    if symmetric:
        consts, other = [*for_map, *for_solve, *for_transpose], counts
        systems: Any = (matvec, solve, transpose_solve)
    elif transpose_solve is None:
        raise TypeError(
            "transpose_solve required for backwards mode automatic differentiation of "
            f"custom_linear_solve.{here()}"
        )
    else:
        consts = [*for_map, *for_transpose, *for_solve]
        other = (counts[0], counts[2], counts[1])
        systems = (_transposed_map(matvec, counts[0]), transpose_solve, solve)
    outs = linear_solve_p.bind(
        *consts,
        *arrays(cts[: len(rhs)]),
        matvec=systems[0],
        solve=systems[1],
        transpose_solve=systems[2],
        counts=other,
        symmetric=symmetric,
    )
    return [*[None] * len(consts), *outs[: len(rhs)]]


def _transposed_map(matvec: ClosedJaxpr, count: int) -> ClosedJaxpr:
    avals = matvec.in_avals

    def vecmat(*args: Any) -> list[Any]:
        linear = transpose_flat(lambda *v: evaluate(matvec, *args[:count], *v), avals[count:])
        return arrays(pull_back(linear, args[count:]))

    def make() -> ClosedJaxpr:
        return stage(vecmat, [*avals[:count], *matvec.out_avals])

    return matvec.cached(("transposed map", count), make)  # type: ignore[no-any-return]


def _solve_batch(
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    matvec: ClosedJaxpr,
    solve: ClosedJaxpr,
    transpose_solve: ClosedJaxpr | None,
    counts: tuple[int, int, int],
    symmetric: bool,
) -> tuple[list[Any], list[int]]:
    *const_dims, rhs_dims = _grouped(dims, counts)
    n = len(rhs_dims)
    back = transpose_solve
    outs = linear_solve_p.bind(
        *_moved(axis, args[: len(args) - n], dims[: len(args) - n]),
        *[at_front(axis, v, d) for v, d in zip(args[len(args) - n :], rhs_dims, strict=True)],
        matvec=_batched(matvec, axis, const_dims[0], n),
        solve=_batched(solve, axis, const_dims[1], n),
        transpose_solve=None if back is None else _batched(back, axis, const_dims[2], n),
        counts=counts,
        symmetric=symmetric,
    )
    return outs, [0] * len(outs)


linear_solve_p = define_primitive(
    "custom_linear_solve",
    shape=lambda *avals, solve, **_: solve.out_avals,
    kernel=_kernel,
    jvp=_solve_jvp,
    transpose=_solve_transpose,
    batch=_solve_batch,
    multiple_results=True,
    first_order=False,
)


def custom_linear_solve(
    matvec: Callable[[Any], Any],
    b: Any,
    solve: Callable[[Any, Any], Any],
    transpose_solve: Callable[[Any, Any], Any] | None = None,
    symmetric: bool = False,
    has_aux: bool = False,
) -> Any:
    """Solve ``matvec(x) = b`` by any method, with the derivatives of a linear solve.

    Args:
      matvec: linear function; may close over values being differentiated.
      b: right-hand side.
      solve: ``solve(matvec, b) -> x`` (``(x, aux)`` with ``has_aux``); need not be
        differentiable.
      transpose_solve: ``transpose_solve(vecmat, b) -> x`` for reverse mode; not needed where
        ``symmetric``.

    Raises TypeError where a result has another structure than ``b``, or where reverse mode
    needs ``transpose_solve`` and there is none.

    >>> import adlib.numpy as jnp
    >>> from adlib import grad, lax
    >>> grad(lambda a: lax.custom_linear_solve(lambda x: a * x, 6.0, lambda f, b: b / f(1.0),
    ...                                        symmetric=True))(2.0)
    Array(-1.5, dtype=float32, weak_type=True)
    """
    what = "custom_linear_solve"
    values, b_tree = values_of(b, what)
    avals = [v.aval for v in values]
    one = _arguments_tree(b_tree, 1)
    map_, consts, map_tree = trace(matvec, one, avals, what)
    _check(f"{what}: matvec's output and b", "b", b_tree, matvec, map_tree)
    solver, solve_consts, out_tree = trace(lambda y: solve(matvec, y), one, avals, what)
    _check(f"{what}: solve's output and b", "b", b_tree, solve, _main_tree(out_tree, has_aux, what))

    def vecmat(y: Any) -> Any:
        leaves, _ = values_of(y, what)
        linear = transpose_flat(lambda *v: evaluate(map_, *consts, *v), avals)
        return tree.unflatten(b_tree, arrays(pull_back(linear, leaves)))

    back, back_consts = None, []
    if transpose_solve is not None:
        back, back_consts, back_tree = trace(lambda y: transpose_solve(vecmat, y), one, avals, what)
        back_tree = _main_tree(back_tree, has_aux, what)
        _check(f"{what}: transpose_solve's output and b", "b", b_tree, transpose_solve, back_tree)
    outs = linear_solve_p.bind(
        *consts,
        *solve_consts,
        *back_consts,
        *values,
        matvec=map_,
        solve=solver,
        transpose_solve=back,
        counts=(len(consts), len(solve_consts), len(back_consts)),
        symmetric=symmetric,
    )
    return tree.unflatten(out_tree, outs)
