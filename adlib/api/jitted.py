"""A jitted function: from a call's arguments to the program that was traced for their types.

There are two ways. A call like an earlier one goes to a native function (``compile/calling``),
which checks types, runs and wraps. Any other is taken apart here; the second one of its kind
gives the native function a table for the next.
"""

from __future__ import annotations

import functools
import logging
import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from adlib.api.shapes import abstract, struct
from adlib.backends import cupy_
from adlib.base import tree
from adlib.base.config import config
from adlib.base.source import here
from adlib.compile.dispatch import executor
from adlib.control.calls import name_of
from adlib.control.jit import hoist_tracers, jit_p
from adlib.core import backend as backends
from adlib.core.array import Array, ArrayImpl, as_value
from adlib.core.avals import ShapedArray
from adlib.core.evaluate import EvalTrace
from adlib.core.jaxpr import ClosedJaxpr
from adlib.core.trace import state
from adlib.interpreters import derive
from adlib.interpreters.stage import stage

if TYPE_CHECKING:
    from adlib.api.lowering import Lowered, Traced
    from adlib.compile.calling import Table

_log = logging.getLogger("adlib")

# Signatures that the native function of a jitted function tries; further ones are taken apart
# in Python.
_MOST_TABLES = 8


class _Traced:
    """A program made by tracing once: what a signature maps to.

    Attributes:
      jaxpr: the program.
      out_tree: structure of the result.
      function: what runs it on ndarrays, None before the first call.
      donated: arguments whose memory is given to results.
      seen: kinds of calls that were taken apart here, by whether they have a table.
      placed: what runs it on a GPU, by array module and donated arguments.
    """

    __slots__ = ("donated", "function", "jaxpr", "out_tree", "placed", "seen")

    def __init__(self, jaxpr: ClosedJaxpr, out_tree: Any, donated: tuple[int, ...]) -> None:
        self.jaxpr = jaxpr
        self.out_tree = out_tree
        self.donated = donated
        self.function: Any = None
        self.seen: dict[Any, bool] = {}
        self.placed: dict[Any, Any] = {}


# By function, then by the choice of static and donated arguments: what every jit of the function
# has traced. A jit made anew in a loop, or in a function that is called again, finds it there.
_kept: weakref.WeakKeyDictionary[Any, dict[Any, dict[Any, _Traced]]] = weakref.WeakKeyDictionary()


def _traces_of(fun: Any) -> dict[Any, dict[Any, _Traced]]:
    try:
        return _kept.setdefault(fun, {})
    except TypeError:  # cannot be hashed or weakly referred to
        return {}


def forget_traces() -> None:
    """Forget what was traced of all functions, also by jits that are gone."""
    for chosen in list(_kept.values()):
        for traces in chosen.values():
            traces.clear()


class _Placed(NamedTuple):
    """A call on a GPU: the program, the type of its arrays, its results' types and structure."""

    function: Any
    ndarray: type
    avals: list[ShapedArray]
    out_tree: Any
    single: bool


class JitFunction:
    """A function that is traced once for each signature and then runs as a program."""

    def __init__(
        self,
        fun: Callable[..., Any],
        static_argnums: tuple[int, ...],
        static_argnames: tuple[str, ...],
        donate_argnums: tuple[int, ...] = (),
        donate_argnames: tuple[str, ...] = (),
    ) -> None:
        functools.update_wrapper(self, fun)
        self._fun = fun
        self._name = name_of(fun)
        self._static_argnums = static_argnums
        self._static_argnames = static_argnames
        self._donate_argnums = donate_argnums
        self._donate_argnames = donate_argnames
        chosen = static_argnums, static_argnames, donate_argnums, donate_argnames
        self._traces = _traces_of(fun).setdefault(chosen, {})
        # by flags: the native function and its tables
        self._callers: dict[Any, tuple[Any, list[Table]]] = {}
        self._native: Any = None  # the one for the flags of the latest call
        # on a GPU: by flags and types of arguments that are Arrays, what the call comes to
        self._known: dict[Any, _Placed] = {}
        _functions.add(self)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # The common case: called like this before. One call.
        native = self._native
        if native is not None:
            result = native(*args, **kwargs) if kwargs else native(*args)
            if result is not NotImplemented:
                return result
        if backends.several and not kwargs:
            result = self._again(args)
            if result is not NotImplemented:
                return result
        return self._general(args, kwargs)

    def _again(self, args: tuple[Any, ...]) -> Any:
        """A call on a GPU like an earlier one, without taking it apart; NotImplemented for others.

        The arguments must be Arrays that are there, and not all of them free to move.
        """
        try:
            known = self._known[id(config.trace_key()), *[a.aval for a in args]]
            raw = [a._value for a in args]
        except (KeyError, AttributeError, TypeError, RuntimeError):
            return NotImplemented
        if type(state.trace) is not EvalTrace or state.axis_sizes or not derive.usable():
            return NotImplemented
        fixed = False
        for a, value in zip(args, raw, strict=True):
            if type(value) is not known.ndarray or type(a) is not ArrayImpl:
                return NotImplemented
            fixed = fixed or bool(a.aval.shape and not a.free)
        if not fixed:
            return NotImplemented
        outs = derive.run(known.function, raw, known.avals)
        return outs[0] if known.single else tree.unflatten(known.out_tree, outs)

    def _general(self, args: Any, kwargs: Any) -> Any:
        """Any call: traced where it is new, run where its arguments are values."""
        if config.jax_disable_jit:
            return self._fun(*args, **kwargs)
        fixed, dynamic, keywords = self._split(args, kwargs)
        leaves, in_tree = tree.flatten((dynamic, keywords))
        values: list[Any] = [
            x if type(x) is ArrayImpl else _jit_argument(x, self._name) for x in leaves
        ]
        traced, consts = self._traced(fixed, in_tree, tuple([v.aval for v in values]))
        if (
            consts
            or type(state.trace) is not EvalTrace
            or any([type(v) is not ArrayImpl for v in values])
            or not derive.usable()
        ):
            outs = jit_p.bind(*consts, *values, jaxpr=traced.jaxpr, name=self._name)
            return tree.unflatten(traced.out_tree, outs)
        if backends.several:
            on = backends.of([v._value for v in values])
            if on is not backends.cpu():
                return tree.unflatten(
                    traced.out_tree, self._placed(traced, values, leaves, args, on)
                )
            if all([v.free or not v.aval.shape for v in values]):  # so are the results
                outs = jit_p.bind(*values, jaxpr=traced.jaxpr, name=self._name)
                return tree.unflatten(traced.out_tree, outs)
        function = traced.function
        if function is None:
            function = executor(traced.jaxpr, backends.cpu().xp, traced.donated)
            traced.function = function
        if traced.donated:
            _check_donated(traced.donated, values, self._name)
        raw = [v._value for v in values]
        avals = traced.jaxpr.out_avals
        if getattr(function, "silent", False):  # native code has no warnings to switch off
            outs = [ArrayImpl(o, a) for o, a in zip(function(*raw), avals, strict=True)]
        else:
            outs = derive.run(function, raw, avals)
        for number in traced.donated:
            if values[number] is leaves[number]:  # not a copy of an array of NumPy's
                values[number].delete()
        self._note(traced, fixed, in_tree, leaves, kwargs)
        return tree.unflatten(traced.out_tree, outs)

    def _placed(
        self,
        traced: _Traced,
        values: Sequence[Any],
        leaves: Sequence[Any],
        args: Sequence[Any],
        on: backends.Backend,
    ) -> list[Any]:
        """The results of a call on a GPU."""
        donated = traced.donated
        if donated:
            _check_donated(donated, values, self._name)
            given = [n for n in donated if values[n] is leaves[n]]
            own = [type(values[n]._value) is on.ndarray for n in given]
            alone = len(given) == len(donated) and all(own)
            if not (alone and all([cupy_.unshared(values[n]._value) for n in given])):
                donated = ()
        free = [v.free or not v.aval.shape for v in values]
        _, raw = backends.place([v._value for v in values], free, self._name)
        function = traced.placed.get((on.xp, donated))
        if function is None:
            function = executor(traced.jaxpr, on.xp, donated)
            traced.placed[on.xp, donated] = function
        if not traced.donated and len(leaves) == len(args) and not state.axis_sizes:
            if all([leaf is arg for leaf, arg in zip(leaves, args, strict=True)]):
                avals, out_tree = traced.jaxpr.out_avals, traced.out_tree
                single = len(avals) == 1 and tree.unflatten(out_tree, avals) is avals[0]
                key = (id(config.trace_key()), *[v.aval for v in values])
                self._known[key] = _Placed(function, on.ndarray, avals, out_tree, single)
        try:
            outs = derive.run(function, raw, traced.jaxpr.out_avals)
        except Exception as error:
            better = on.explained(error, self._name)
            if better is None:
                raise
            raise better from error
        for n in traced.donated:
            if values[n] is leaves[n]:
                values[n].delete()
        return [out.made_from_nothing() for out in outs] if all(free) else outs

    def _note(self, traced: _Traced, fixed: Any, in_tree: Any, leaves: Any, kwargs: Any) -> None:
        """Have the second call of a kind make a table for those that follow."""
        kind = (*[type(x) for x in leaves], *kwargs)
        done = traced.seen.get(kind)
        if done is None:
            traced.seen[kind] = False
            return
        flags = config.trace_key()
        tables: list[Table] = []
        if flags in self._callers:
            self._native, tables = self._callers[flags]
        if done:
            return
        traced.seen[kind] = True
        plan = getattr(traced.function, "plan", None)
        if plan is None or state.axis_sizes:
            return
        from adlib.compile import calling  # a part of the compiler, which is imported when used

        places = tree.unflatten(in_tree, range(len(leaves)))
        positional, named = _with_fixed(places, fixed, kwargs)
        avals, outs = traced.jaxpr.in_avals, traced.jaxpr.out_avals
        result = tree.unflatten(traced.out_tree, range(len(outs)))
        made = calling.table(plan, positional, named, leaves, avals, result, outs, traced.donated)
        if made is not None and len(tables) < _MOST_TABLES:
            tables = [*tables, made]
            self._native = calling.caller(flags, tables)
            self._callers[flags] = (self._native, tables)

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
            return [jit_result(x, name) for x in out_leaves]

        closed, consts = hoist_tracers(stage(flat_fun, avals))
        donated = self._donated(in_tree, fixed, avals, closed.out_avals)
        traced = _Traced(closed, out_tree, donated if not consts else ())
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

    def _donated(
        self, in_tree: Any, fixed: Any, avals: Sequence[ShapedArray], outs: Sequence[ShapedArray]
    ) -> tuple[int, ...]:
        """Numbers of the donated leaves that a result can take the memory of."""
        if not self._donate_argnums and not self._donate_argnames:
            return ()
        dynamic, keywords = tree.unflatten(in_tree, range(len(avals)))
        statics = [i for i, _ in fixed[0]]
        count = len(dynamic) + len(statics)
        rest = [i for i in range(count) if i not in statics]  # positions of dynamic arguments
        chosen = {i % count for i in self._donate_argnums if -count <= i < count}
        given = [a for i, a in zip(rest, dynamic, strict=True) if i in chosen]
        given += [v for k, v in keywords.items() if k in self._donate_argnames]
        free = [(a.shape, a.dtype) for a in outs]
        usable, wasted = [], []
        for number in tree.leaves(given):
            aval = avals[number]
            if not aval.shape:  # numbers may be shared constants, and have no memory worth giving
                continue
            if (aval.shape, aval.dtype) in free:
                free.remove((aval.shape, aval.dtype))
                usable.append(number)
            else:
                wasted.append(aval.str_short())
        if wasted:
            warnings.warn(
                f"Some donated buffers were not usable: {', '.join(wasted)}. {self._name} has no "
                "result of that shape and dtype left to put there, so these arguments stay as "
                "they are. Repair: donate only arguments that a result replaces.",
                stacklevel=2,
            )
        return tuple(usable)

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
        out_info = tree.unflatten(traced.out_tree, map(struct, traced.jaxpr.out_avals))
        structure = tree.flatten((tuple(dynamic), keywords))[1]
        trees = structure, traced.out_tree, out_info
        return Traced(traced.jaxpr, *trees, self._name, traced.donated)

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
        """Shapes and dtypes of the results, without computing them."""
        fixed, dynamic, keywords = self._split(args, kwargs)
        leaves, in_tree = tree.flatten((dynamic, keywords))
        avals = tuple([abstract(x, self._name) for x in leaves])
        traced, _ = self._traced(fixed, in_tree, avals)
        return tree.unflatten(traced.out_tree, map(struct, traced.jaxpr.out_avals))

    def clear_cache(self) -> None:
        """Forget all traces."""
        self._traces.clear()
        self._callers.clear()
        self._known.clear()
        self._native = None

    def _cache_size(self) -> int:
        return len(self._traces)

    def __repr__(self) -> str:
        return f"<jitted {name_of(self._fun)}>"


_functions: weakref.WeakSet[JitFunction] = weakref.WeakSet()


def functions() -> list[JitFunction]:
    """All jitted functions that are alive."""
    return list(_functions)


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


def jit_result(x: Any, name: str) -> Array:
    if isinstance(x, Array):
        return x
    try:
        return as_value(x)
    except TypeError:
        raise TypeError(
            f"{name} was jitted, and returned {x!r} of type {type(x)}, which is not a valid JAX "
            f"type: a jitted function returns arrays and numbers (or pytrees of them).{here()}"
        ) from None


def _with_fixed(places: Any, fixed: Any, kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
    """Arguments as they were passed, with static ones as ``Fixed``."""
    from adlib.compile import calling

    positional, keywords = list(places[0]), places[1]
    for i, value in fixed[0]:
        positional.insert(i, calling.Fixed(value))
    statics = {name: calling.Fixed(value) for name, value in fixed[1]}
    return positional, {k: statics[k] if k in statics else keywords[k] for k in kwargs}


def _check_donated(donated: Sequence[int], values: Sequence[Any], name: str) -> None:
    """Raise ValueError where memory that is given away is also another argument."""
    for number in donated:
        for other, value in enumerate(values):
            if other != number and value._value is values[number]._value:
                raise ValueError(
                    f"{name} was given the same array twice, and donates it: leaves {number} and "
                    f"{other} of its arguments, of type {value.aval.str_short()}.{here()}\n"
                    "  Memory that is donated is overwritten, so nothing else may read it. "
                    "Repair: pass a copy (jnp.array(x)), or do not donate the argument."
                )


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
