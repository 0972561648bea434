"""Solutions of equations, differentiated by the implicit function theorem.

The derivative of a solution is a linear solve with the linearized equation (Krantz & Parks,
"The Implicit Function Theorem"), whatever iteration found the solution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base import tree
from adlib.base.source import here
from adlib.control.calls import name_of
from adlib.control.functions import arrays, check_same_structure, evaluate, trace, values_of
from adlib.core.array import from_numpy
from adlib.core.avals import ShapedArray, UndefinedPrimal, Zero
from adlib.core.jaxpr import ClosedJaxpr
from adlib.core.primitive import define_primitive
from adlib.core.program import program
from adlib.interpreters.batch import at_front, batch_flat
from adlib.interpreters.jvp import jvp_flat
from adlib.interpreters.linearize import LinearMap, linearize_flat
from adlib.interpreters.stage import stage
from adlib.interpreters.transpose import pull_back, transpose_flat
from adlib.ops.arithmetic import neg
from adlib.ops.constructors import add_tangents


def _call(closed: ClosedJaxpr, consts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
    return evaluate(closed, *consts, *args)


# ---------------------------------------------------------------- custom_root


def _root_kernel(xp: Any, solve: ClosedJaxpr, counts: tuple[int, int], **_: Any) -> Any:
    run = program(solve, xp)
    return lambda *args: run(*args[counts[0] :])


def _root_jvp(
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    equation: ClosedJaxpr,
    solve: ClosedJaxpr,
    counts: tuple[int, int],
    tangent_solve: Any,
    num_aux: int,
) -> tuple[list[Any], list[Any]]:
    n = counts[0]
    outs = root_p.bind(
        *primals,
        equation=equation,
        solve=solve,
        counts=counts,
        tangent_solve=tangent_solve,
        num_aux=num_aux,
    )
    solution, aux = outs[: len(outs) - num_aux], outs[len(outs) - num_aux :]
    consts, const_tangents = list(primals[:n]), list(tangents[:n])
    aux_tangents = [Zero.like(a) for a in aux]
    if all(type(t) is Zero for t in const_tangents):
        return outs, [*[Zero.like(s) for s in solution], *aux_tangents]
    # f(c, x(c)) = 0 for all c, so  (df/dx) dx = -(df/dc) dc
    _, change = jvp_flat(lambda *c: _call(equation, c, solution), consts, const_tangents)
    rhs = [neg(t) for t in arrays(change)]
    _, derivative = linearize_flat(lambda *x: _call(equation, consts, x), solution)
    return outs, [*tangent_solve(derivative.apply, rhs), *aux_tangents]


def _root_batch(
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    solve: ClosedJaxpr,
    counts: tuple[int, int],
    **params: Any,
) -> tuple[list[Any], list[Any]]:
    from_solve = args[counts[0] :]
    pairs = batch_flat(lambda *xs: evaluate(solve, *xs), axis, from_solve, dims[counts[0] :])
    return [at_front(axis, v, d) for v, d in pairs], [0] * len(pairs)


root_p = define_primitive(
    "custom_root",
    shape=lambda *avals, solve, **_: solve.out_avals,
    kernel=_root_kernel,
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

    >>> from adlib import grad, lax
    >>> def sqrt(a):
    ...     newton = lambda f, x: lax.fori_loop(0, 20, lambda _, x: 0.5 * (x + a / x), x)
    ...     return lax.custom_root(lambda x: x**2 - a, a, newton, lambda g, y: y / g(1.0))
    >>> grad(sqrt)(4.0)
    Array(0.25, dtype=float32, weak_type=True)
    """
    guess, in_tree = values_of(initial_guess, "custom_root")
    avals = [g.aval for g in guess]
    args_tree = tree.structure((tree.unflatten(in_tree, [0] * len(guess)),))
    equation, eq_consts, eq_tree = trace(f, args_tree, avals, "custom_root")
    check_same_structure("custom_root: f's output and input", ["x", name_of(f)], [in_tree, eq_tree])
    solver, solve_consts, out_tree = trace(lambda x: solve(f, x), args_tree, avals, "custom_root")
    num_aux = len(solver.out_avals) - len(guess) if has_aux else 0

    def flat_tangent_solve(linear: Any, rhs: list[Any]) -> list[Any]:
        def g(x: Any) -> Any:
            leaves, _ = values_of(x, "tangent_solve")
            return tree.unflatten(in_tree, linear(leaves))

        solution = tangent_solve(g, tree.unflatten(in_tree, rhs))
        return values_of(solution, "custom_root tangent_solve")[0]

    outs = root_p.bind(
        *eq_consts,
        *solve_consts,
        *guess,
        equation=equation,
        solve=solver,
        counts=(len(eq_consts), len(solve_consts)),
        tangent_solve=flat_tangent_solve,
        num_aux=num_aux,
    )
    return tree.unflatten(out_tree, outs)


# --------------------------------------------------------- custom_linear_solve


class _System:
    """A linear system as programs: the map, how to solve it, how to solve its transpose."""

    def __init__(
        self,
        matvec: Callable[..., list[Any]],
        solve: Callable[..., list[Any]],
        transpose_solve: Callable[..., list[Any]] | None,
        symmetric: bool,
    ) -> None:
        self.matvec = matvec
        self.solve = solve
        self.transpose_solve = transpose_solve
        self.symmetric = symmetric

    def transposed(self, avals: Sequence[ShapedArray], consts: Sequence[Any]) -> _System:
        if self.symmetric:
            return self
        if self.transpose_solve is None:
            raise TypeError(
                "transpose_solve required for backwards mode automatic differentiation of "
                f"custom_linear_solve.{here()}"
            )

        def transposed_matvec(consts: Any, x: list[Any]) -> list[Any]:
            linear: LinearMap = transpose_flat(lambda *v: self.matvec(consts, list(v)), avals)
            return arrays(pull_back(linear, x))

        return _System(transposed_matvec, self.transpose_solve, self.solve, False)


def _solve_shape(*avals: ShapedArray, count: int, out_avals: Any, **_: Any) -> list[ShapedArray]:
    return list(out_avals)


def _solve_eval(*args: Any, system: _System, count: int, **_: Any) -> list[Any]:
    return system.solve(list(args[:count]), list(args[count:]))


def _solve_jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, system: _System, count: int, **params: Any
) -> tuple[list[Any], list[Any]]:
    consts, rhs = list(primals[:count]), list(primals[count:])
    x = linear_solve_p.bind(*primals, system=system, count=count, **params)
    const_tangents, rhs_tangents = list(tangents[:count]), list(tangents[count:])
    n = len(rhs)
    if any(type(t) is not Zero for t in const_tangents):
        # A x = b, so  A dx = db - dA x
        _, change = jvp_flat(lambda *c: system.matvec(list(c), x[:n]), consts, const_tangents)
        rhs_tangents = [
            t if type(d) is Zero else add_tangents(t, neg(d))
            for t, d in zip(rhs_tangents, change, strict=True)
        ]
    zero = [Zero.like(v) for v in x]
    if all(type(t) is Zero for t in rhs_tangents):
        return x, zero
    dx = linear_solve_p.bind(*consts, *arrays(rhs_tangents), system=system, count=count, **params)
    return x, [*dx[:n], *zero[n:]]


def _solve_transpose(
    cts: Sequence[Any], *args: Any, system: _System, count: int, out_avals: Any
) -> list[Any]:
    consts = list(args[:count])
    n = len(args) - count
    if any(type(c) is UndefinedPrimal for c in consts):
        raise NotImplementedError("custom_linear_solve is linear in its right-hand side only")
    other = system.transposed([a.aval for a in args[count:]], consts)
    outs = linear_solve_p.bind(
        *consts, *arrays(cts[:n]), system=other, count=count, out_avals=out_avals[:n]
    )
    return [*[None] * count, *outs]


def _solve_batch(
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    system: _System,
    count: int,
    out_avals: Any,
) -> tuple[list[Any], list[Any]]:
    def body(*values: Any) -> list[Any]:
        return system.solve(list(values[:count]), list(values[count:]))

    pairs = batch_flat(body, axis, args, dims)
    return [at_front(axis, v, d) for v, d in pairs], [0] * len(pairs)


linear_solve_p = define_primitive(
    "custom_linear_solve",
    shape=_solve_shape,
    kernel=lambda xp, system, count, **_: _array_solver(system, count),
    jvp=_solve_jvp,
    transpose=_solve_transpose,
    batch=_solve_batch,
    python_impl=_solve_eval,
    multiple_results=True,
    first_order=False,
)


def _array_solver(system: _System, count: int) -> Any:
    """Evaluation inside of a program, whose values are bare ndarrays."""

    def run(*values: Any) -> list[Any]:
        boxed = [from_numpy(np.asarray(v), copy=False) for v in values]
        outs = system.solve(boxed[:count], boxed[count:])
        return [o._value for o in outs]

    return run


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
      solve: ``solve(matvec, b) -> x``; need not be differentiable.
      transpose_solve: ``transpose_solve(vecmat, b) -> x`` for reverse mode; not needed where
        ``symmetric``.

    >>> import adlib.numpy as jnp
    >>> from adlib import grad, lax
    >>> grad(lambda a: lax.custom_linear_solve(lambda x: a * x, 6.0, lambda f, b: b / f(1.0),
    ...                                        symmetric=True))(2.0)
    Array(-1.5, dtype=float32, weak_type=True)
    """
    values, b_tree = values_of(b, "custom_linear_solve")
    avals = [v.aval for v in values]
    args_tree = tree.structure((tree.unflatten(b_tree, [0] * len(values)),))
    map_, consts, out_tree = trace(matvec, args_tree, avals, "custom_linear_solve")
    check_same_structure(
        "custom_linear_solve: matvec's output and b", ["b", name_of(matvec)], [b_tree, out_tree]
    )
    structure: list[Any] = []

    def run_matvec(consts: list[Any], x: list[Any]) -> list[Any]:
        return _call(map_, consts, x)

    def solver(method: Any, transposed: bool) -> Any:
        def run(consts: list[Any], rhs: list[Any]) -> list[Any]:
            def f(x: Any) -> Any:
                leaves, _ = values_of(x, "custom_linear_solve")
                if transposed:
                    linear = transpose_flat(lambda *v: run_matvec(consts, list(v)), avals)
                    return tree.unflatten(b_tree, arrays(pull_back(linear, leaves)))
                return tree.unflatten(b_tree, run_matvec(consts, leaves))

            leaves, out = values_of(method(f, tree.unflatten(b_tree, rhs)), "custom_linear_solve")
            structure[:] = [out]
            return leaves

        return run

    back = (
        solver(solve, True)
        if symmetric and transpose_solve is None
        else (None if transpose_solve is None else solver(transpose_solve, True))
    )
    system = _System(run_matvec, solver(solve, False), back, symmetric)
    shapes = _out_avals(system, consts, values)
    outs = linear_solve_p.bind(
        *consts, *values, system=system, count=len(consts), out_avals=tuple(shapes)
    )
    return tree.unflatten(structure[0], outs)


def _out_avals(system: _System, consts: list[Any], values: list[Any]) -> list[ShapedArray]:
    return stage(
        lambda *a: system.solve(list(a[: len(consts)]), list(a[len(consts) :])),
        [x.aval for x in [*consts, *values]],
    ).out_avals
