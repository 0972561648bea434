"""jit, and the views of a traced program: make_jaxpr and eval_shape."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from adlib.api.arguments import check_callable
from adlib.api.jitted import JitFunction, forget_traces, functions, jit_result
from adlib.api.shapes import ShapeDtypeStruct, abstract, struct
from adlib.backends import cupy_
from adlib.base import tree
from adlib.base.source import here
from adlib.compile import cache
from adlib.compile.memory import pool
from adlib.control.calls import name_of
from adlib.core.array import Array
from adlib.core.jaxpr import ClosedJaxpr
from adlib.core.primitive import registry
from adlib.core.trace import named_axis
from adlib.interpreters.stage import stage

__all__ = [
    "JitFunction",
    "ShapeDtypeStruct",
    "abstract",
    "clear_caches",
    "eval_shape",
    "jit",
    "make_jaxpr",
]


def clear_caches() -> None:
    """Forget every trace of every jitted function, all programs derived from rules, and the
    machine code kept on disk; give back the memory kept for results.

    >>> import adlib
    >>> adlib.clear_caches()  # doctest: +SKIP
    """
    cache.clear()
    pool.clear()
    cupy_.release()
    forget_traces()
    for function in functions():
        function.clear_cache()
    for primitive in registry.values():
        primitive.eager_cache.clear()
        primitive.derived.clear()


def jit(
    fun: Callable[..., Any] | None = None,
    *,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Sequence[str] | None = None,
    donate_argnums: Any = None,
    donate_argnames: Any = None,
    keep_unused: bool = False,
    inline: bool = False,
    device: Any = None,
    backend: Any = None,
) -> Any:
    """A function that is traced once for each signature of its arguments, then runs compiled.

    Args:
      fun: a function of arrays (pytrees of them) without side effects.
      static_argnums, static_argnames: arguments that are constants of the trace; they must
        be hashable, and every new value is a new trace.
      donate_argnums, donate_argnames: arguments whose memory is given to results of the same
        shape and dtype. Such an argument is deleted by the call: using it again raises
        RuntimeError. Where no result fits, a warning says so and the argument stays.

    Raises:
      TypeError: an argument or result that is no array and not declared static.
      ValueError: a static argument that cannot be hashed; an argument that is donated and
        static, or donated and passed twice.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.jit(lambda x: jnp.sum(x**2))(jnp.arange(3.0))
    Array(5., dtype=float32)
    """
    if fun is None:
        return functools.partial(
            jit,
            static_argnums=static_argnums,
            static_argnames=static_argnames,
            donate_argnums=donate_argnums,
            donate_argnames=donate_argnames,
        )
    check_callable(fun, "jit")
    static = _resolve(fun, "static", _as_tuple(static_argnums), _as_tuple(static_argnames))
    donated = _resolve(fun, "donate", _as_tuple(donate_argnums), _as_tuple(donate_argnames))
    both = [*(set(static[0]) & set(donated[0])), *(set(static[1]) & set(donated[1]))]
    if both:
        raise ValueError(
            f"{name_of(fun)} is jitted with arguments that are static and donated: "
            f"{', '.join(map(repr, both))}.{here()}\n  A static argument is a constant of the "
            "trace and has no memory to give. Repair: leave it out of donate_argnums and "
            "donate_argnames."
        )
    return JitFunction(fun, *static, *donated)


def _as_tuple(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, (int, str)) else tuple(value)


def _resolve(fun: Any, what: str, nums: Any, names: Any) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Parameters that are chosen by position or by name, both ways."""
    if not nums and not names:
        return (), ()
    try:
        parameters = list(inspect.signature(fun).parameters.values())
    except (TypeError, ValueError):
        return nums, names
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    plain = [p.name for p in parameters if p.kind in kinds]
    open_ended = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
    for n in nums:
        if not open_ended and not -len(plain) <= n < len(plain):
            raise ValueError(
                f"jitted function {name_of(fun)} has {what}_argnums={nums}, but only "
                f"{len(plain)} positional parameters.{here()}"
            )
    named = {*names, *(plain[n] for n in nums if -len(plain) <= n < len(plain))}
    numbered = {*nums, *(plain.index(n) for n in names if n in plain)}
    return tuple(sorted(numbered)), tuple(sorted(named))


# ----------------------------------------------------------- looking at programs


def make_jaxpr(
    fun: Callable[..., Any],
    static_argnums: int | Sequence[int] = (),
    axis_env: Sequence[tuple[Any, int]] | None = None,
    return_shape: bool = False,
) -> Callable[..., Any]:
    """A function that returns the jaxpr of ``fun`` for its arguments' types.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.make_jaxpr(lambda x: jnp.sin(x) * 2.0)(1.0)
    { lambda ; a:f32[]. let b:f32[] = sin a; c:f32[] = mul b 2.0:f32[] in (c,) }
    """
    check_callable(fun, "make_jaxpr")
    static = _as_tuple(static_argnums)

    @functools.wraps(fun, updated=())
    def jaxpr_maker(*args: Any, **kwargs: Any) -> Any:
        closed, out_tree = _trace_to_jaxpr(fun, args, kwargs, static, axis_env)
        if not return_shape:
            return closed
        return closed, tree.unflatten(out_tree, map(struct, closed.out_avals))

    return jaxpr_maker


def _trace_to_jaxpr(
    fun: Any, args: Any, kwargs: Any, static: Any, axis_env: Any
) -> tuple[ClosedJaxpr, Any]:
    fixed = {n % len(args): args[n] for n in static}
    dynamic = [a for i, a in enumerate(args) if i not in fixed]
    leaves, in_tree = tree.flatten((dynamic, kwargs))
    avals = [abstract(x, name_of(fun)) for x in leaves]
    out_tree: Any = None

    def flat_fun(*flat: Any) -> list[Array]:
        nonlocal out_tree
        inner, keywords = tree.unflatten(in_tree, flat)
        positional = list(inner)
        for i in sorted(fixed):
            positional.insert(i, fixed[i])
        out_leaves, out_tree = tree.flatten(fun(*positional, **keywords))
        return [jit_result(x, name_of(fun)) for x in out_leaves]

    env = list(axis_env or ())
    if not env:
        return stage(flat_fun, avals), out_tree
    with named_axis(*env[0]):
        return _trace_to_jaxpr(fun, args, kwargs, static, env[1:])


def eval_shape(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Shapes and dtypes of the results of ``fun``, without computing them.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.eval_shape(jnp.dot, jnp.ones((2, 3)), jnp.ones(3))
    ShapeDtypeStruct(shape=(2,), dtype=float32)
    """
    check_callable(fun, "eval_shape")
    closed, out_tree = _trace_to_jaxpr(fun, args, kwargs, (), None)
    return tree.unflatten(out_tree, map(struct, closed.out_avals))
