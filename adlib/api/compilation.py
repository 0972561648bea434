"""jit, and the views of a traced program: make_jaxpr and eval_shape."""

from __future__ import annotations

import functools
import inspect
import logging
import operator
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from adlib.api.arguments import check_callable
from adlib.base import tree
from adlib.base.config import config
from adlib.base.source import here
from adlib.compile import cache
from adlib.compile.dispatch import executor
from adlib.compile.memory import pool
from adlib.control.calls import name_of
from adlib.control.jit import hoist_tracers, jit_p
from adlib.core import backend as backends
from adlib.core import dtypes
from adlib.core.array import Array, ArrayImpl, as_value
from adlib.core.avals import ShapedArray
from adlib.core.evaluate import EvalTrace
from adlib.core.jaxpr import ClosedJaxpr
from adlib.core.primitive import registry
from adlib.core.trace import named_axis, state
from adlib.interpreters import derive
from adlib.interpreters.stage import stage

if TYPE_CHECKING:
    from adlib.api.lowering import Lowered, Traced

_log = logging.getLogger("adlib")


class ShapeDtypeStruct:
    """Shape and dtype of an array, without the array.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.ShapeDtypeStruct((2, 3), jnp.float32)
    ShapeDtypeStruct(shape=(2, 3), dtype=float32)
    """

    __slots__ = ("dtype", "shape", "weak_type")

    def __init__(self, shape: Sequence[int], dtype: Any, weak_type: bool = False, **_: Any) -> None:
        self.shape = tuple(shape)
        self.dtype = dtypes.canonicalize_dtype(dtype)
        self.weak_type = weak_type

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return self.aval.size

    @property
    def aval(self) -> ShapedArray:
        return ShapedArray(self.shape, self.dtype, self.weak_type)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a shape of rank 0")
        return self.shape[0]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ShapeDtypeStruct) and self.aval is other.aval

    def __hash__(self) -> int:
        return hash(self.aval)

    def __repr__(self) -> str:
        weak = ", weak_type=True" if self.weak_type else ""
        return f"ShapeDtypeStruct(shape={self.shape}, dtype={self.dtype.name}{weak})"


def abstract(x: Any, what: str) -> ShapedArray:
    """Type of an argument: an array, a number, or a ShapeDtypeStruct."""
    if isinstance(x, (Array, ShapeDtypeStruct)):
        return x.aval
    return as_value(x, what).aval


# ------------------------------------------------------------------------ jit


class _Traced:
    """A program made by tracing once: what a signature maps to."""

    __slots__ = ("jaxpr", "out_tree")

    def __init__(self, jaxpr: ClosedJaxpr, out_tree: Any) -> None:
        self.jaxpr = jaxpr
        self.out_tree = out_tree


class JitFunction:
    """A function that is traced once for each signature and then runs as a program."""

    def __init__(
        self,
        fun: Callable[..., Any],
        static_argnums: tuple[int, ...],
        static_argnames: tuple[str, ...],
    ) -> None:
        functools.update_wrapper(self, fun)
        self._fun = fun
        self._name = name_of(fun)
        self._static_argnums = static_argnums
        self._static_argnames = static_argnames
        self._traces: dict[Any, _Traced] = {}
        self._flat: dict[Any, Any] = {}
        _functions.add(self)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # The common case: concrete arrays by position, seen before. One look-up, one call.
        if type(state.trace) is EvalTrace and not kwargs:
            try:
                key = (tuple([a.aval for a in args]), config.trace_key())
                function, avals, out_tree, silent = self._flat[key]
                values = [a._value for a in args]
            except (KeyError, AttributeError, TypeError):
                pass
            else:
                if derive.usable():
                    if silent:
                        made = function(*values)
                        outs = [ArrayImpl(o, a) for o, a in zip(made, avals, strict=True)]
                    else:
                        outs = derive.run(function, values, avals)
                    return outs[0] if out_tree is None else tree.unflatten(out_tree, outs)
        if config.jax_disable_jit:
            return self._fun(*args, **kwargs)
        traced, consts, values = self._trace(args, kwargs)
        concrete = not consts and all([type(v) is ArrayImpl for v in values])
        if concrete and type(state.trace) is EvalTrace and derive.usable():
            function = executor(traced.jaxpr, backends.default().xp)
            raw = [v._value for v in values]
            outs: list[Any] = derive.run(function, raw, traced.jaxpr.out_avals)
            if not kwargs and len(values) == len(args) and all(map(operator.is_, values, args)):
                self._remember(args, traced)
        else:
            outs = jit_p.bind(*consts, *values, jaxpr=traced.jaxpr, name=self._name)
        return tree.unflatten(traced.out_tree, outs)

    def _remember(self, args: Sequence[Any], traced: _Traced) -> None:
        """Note the program for concrete arrays given by position."""
        single = traced.out_tree.num_nodes == 1 == traced.out_tree.num_leaves
        key = (tuple([a.aval for a in args]), config.trace_key())
        xp = backends.default().xp
        function = executor(traced.jaxpr, xp)
        self._flat[key] = (
            function,
            traced.jaxpr.out_avals,
            None if single else traced.out_tree,
            getattr(function, "silent", False),  # native code has no warnings to switch off
        )

    def _trace(self, args: Any, kwargs: Any) -> tuple[_Traced, list[Any], list[Array]]:
        """The program for these arguments, traced where it is new; consts that are tracers."""
        fixed, dynamic, keywords = self._split(args, kwargs)
        leaves, in_tree = tree.flatten((dynamic, keywords))
        values = [_jit_argument(x, self._name) for x in leaves]
        traced, consts = self._traced(fixed, in_tree, tuple([v.aval for v in values]))
        return traced, consts, values

    def _traced(
        self, fixed: Any, in_tree: Any, avals: tuple[ShapedArray, ...]
    ) -> tuple[_Traced, list[Any]]:
        name = self._name
        axes = tuple(state.axis_sizes.items())
        # 1 and True are equal, but they are not the same constant
        kinds = tuple([type(value) for _, value in (*fixed[0], *fixed[1])])
        key = (in_tree, avals, fixed, kinds, config.trace_key(), axes)
        try:
            found = self._traces.get(key)
        except TypeError as error:
            raise _unhashable_static(name, fixed, error) from None
        if found is not None:
            return found, []
        if config.jax_no_tracing:
            raise RuntimeError(
                f"{name} would be traced for {', '.join(a.str_short() for a in avals)}, but "
                f"no_tracing is set.{here()}\n  Repair: call it with these types once before."
            )
        if config.jax_log_compiles:
            _log.warning("Tracing %s for %s", name, ", ".join(a.str_short() for a in avals))
        out_tree: Any = None

        def flat_fun(*flat: Any) -> list[Array]:
            nonlocal out_tree
            inner, inner_keywords = tree.unflatten(in_tree, flat)
            out = self._fun(*self._merge(inner, fixed), **inner_keywords, **dict(fixed[1]))
            out_leaves, out_tree = tree.flatten(out)
            return [_jit_result(x, name) for x in out_leaves]

        closed, consts = hoist_tracers(stage(flat_fun, avals))
        traced = _Traced(closed, out_tree)
        if not consts:  # a trace that captured a tracer is good for this call only
            self._traces[key] = traced
        return traced, consts

    def _split(self, args: Any, kwargs: Any) -> tuple[Any, list[Any], dict[str, Any]]:
        nums = {n % len(args) for n in self._static_argnums if -len(args) <= n < len(args)}
        fixed = tuple([(i, args[i]) for i in sorted(nums)])
        dynamic = [a for i, a in enumerate(args) if i not in nums]
        named = tuple(sorted((k, v) for k, v in kwargs.items() if k in self._static_argnames))
        keywords = {k: v for k, v in kwargs.items() if k not in self._static_argnames}
        return (fixed, named), dynamic, keywords

    def _merge(self, dynamic: Sequence[Any], fixed: Any) -> list[Any]:
        args = list(dynamic)
        for i, value in fixed[0]:
            args.insert(i, value)
        return args

    def trace(self, *args: Any, **kwargs: Any) -> Traced:
        """The program for arguments of these types; ``ShapeDtypeStruct`` stands for an array.

        Returns a ``Traced``, with the jaxpr as ``.jaxpr``, to be lowered.
        """
        from adlib.api.lowering import Traced  # the whole compiler, which few sessions look at

        fixed, dynamic, keywords = self._split(args, kwargs)
        leaves, in_tree = tree.flatten((dynamic, keywords))
        avals = tuple([abstract(x, self._name) for x in leaves])
        traced, consts = self._traced(fixed, in_tree, avals)
        if consts:
            raise TypeError(
                f"{self._name} uses a traced value of a function around it, so it cannot be "
                f"compiled by itself.{here()}\n  Repair: lower the outermost jitted function."
            )
        out_info = tree.unflatten(traced.out_tree, map(_struct, traced.jaxpr.out_avals))
        structure = tree.flatten((tuple(dynamic), keywords))[1]
        return Traced(traced.jaxpr, structure, traced.out_tree, out_info, self._name)

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """What the compiler makes of the function for arguments of these types, to be looked at
        (``.show()``, ``.as_text("loops")``, ``.cost_analysis()``) or compiled ahead of time.

        >>> import adlib, adlib.numpy as jnp
        >>> lowered = adlib.jit(lambda x: jnp.sin(x) * 2).lower(jnp.ones(3))
        >>> lowered.out_info
        ShapeDtypeStruct(shape=(3,), dtype=float32)
        >>> lowered.compile()(jnp.zeros(3))
        Array([0., 0., 0.], dtype=float32)
        """
        return self.trace(*args, **kwargs).lower()

    def eval_shape(self, *args: Any, **kwargs: Any) -> Any:
        return eval_shape(self._fun, *args, **kwargs)

    def clear_cache(self) -> None:
        """Forget all traces."""
        self._traces.clear()
        self._flat.clear()

    def _cache_size(self) -> int:
        return len(self._traces)

    def __repr__(self) -> str:
        return f"<jitted {name_of(self._fun)}>"


_functions: weakref.WeakSet[JitFunction] = weakref.WeakSet()


def clear_caches() -> None:
    """Forget every trace of every jitted function, all programs derived from rules, and the
    machine code kept on disk; give back the memory kept for results."""
    cache.clear()
    pool.clear()
    for function in list(_functions):
        function.clear_cache()
    for primitive in registry.values():
        primitive.eager_cache.clear()
        primitive.derived.clear()


def _jit_argument(x: Any, name: str) -> Array:
    if isinstance(x, Array):
        return x
    try:
        return as_value(x)
    except TypeError:
        raise TypeError(
            f"{name} was jitted, and called with {x!r} of type {type(x)}, which is not a valid "
            f"JAX type.{here()}\n  A jitted function takes arrays and numbers. Repair: declare "
            "the argument static (jit(f, static_argnums=...) or static_argnames=...), so that "
            "it is a constant of the trace."
        ) from None


def _jit_result(x: Any, name: str) -> Array:
    if isinstance(x, Array):
        return x
    try:
        return as_value(x)
    except TypeError:
        raise TypeError(
            f"{name} was jitted, and returned {x!r} of type {type(x)}, which is not a valid JAX "
            f"type: a jitted function returns arrays and numbers (or pytrees of them).{here()}"
        ) from None


def _unhashable_static(name: str, fixed: Any, error: TypeError) -> Exception:
    for _, value in [*fixed[0], *fixed[1]]:
        try:
            hash(value)
        except TypeError:
            return ValueError(
                f"Non-hashable static arguments are not supported: {name} was given {value!r} of "
                f"type {type(value)} for a static argument.{here()}\n  A static argument is part "
                "of the key under which the trace is kept. Repair: pass a hashable value (a "
                "tuple instead of a list), or make the argument an array."
            )
    return error


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
      donate_argnums, donate_argnames: accepted; memory of donated arguments may be reused.

    Raises:
      TypeError: an argument or result that is no array and not declared static.
      ValueError: a static argument that cannot be hashed.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.jit(lambda x: jnp.sum(x**2))(jnp.arange(3.0))
    Array(5., dtype=float32)
    """
    if fun is None:
        return functools.partial(
            jit, static_argnums=static_argnums, static_argnames=static_argnames
        )
    check_callable(fun, "jit")
    nums = _as_tuple(static_argnums)
    names = _as_tuple(static_argnames)
    nums, names = _resolve_static(fun, nums, names)
    return JitFunction(fun, nums, names)


def _as_tuple(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, (int, str)) else tuple(value)


def _resolve_static(fun: Any, nums: Any, names: Any) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Static parameters count as such both by position and by name."""
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
                f"jitted function {name_of(fun)} has static_argnums={nums}, but only "
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
        return closed, tree.unflatten(out_tree, map(_struct, closed.out_avals))

    return jaxpr_maker


def _struct(aval: ShapedArray) -> ShapeDtypeStruct:
    return ShapeDtypeStruct(aval.shape, aval.dtype, aval.weak_type)


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
        return [_jit_result(x, name_of(fun)) for x in out_leaves]

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
    return tree.unflatten(out_tree, map(_struct, closed.out_avals))
