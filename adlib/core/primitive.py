"""Primitives: the operations that interpreters know, each defined in one call.

A primitive carries its rules with it, one signature for each kind of rule:

======== =============================================================================
shape    ``shape(*avals, **params)`` → aval (a list where ``multiple_results``)
impl     ``impl(xp, *ndarrays, **params)`` → ndarray(s); ``xp`` is numpy or cupy
kernel   ``kernel(xp, **params)`` → function of ndarrays: instead of impl where a
         function can be prepared once
jvp      ``jvp(primals, tangents, **params)`` → (out, tangent_out); tangents may be
         symbolic ``Zero``; lists where ``multiple_results``
transpose ``transpose(ct, *args, **params)`` → one cotangent or None for each argument;
         linear arguments are ``UndefinedPrimal``
batch    ``batch(axis, args, dims, **params)`` → (out, out_dim); ``dims`` holds an int or
         None for each argument, ``axis`` has ``.size`` and ``.name``
======== =============================================================================

The rules below are for primitives that contain programs or Python functions:

============ =========================================================================
partial_eval ``partial_eval(trace, args, **params)`` → out: splits into a known part,
             computed now, and an unknown part, recorded
stage        ``stage(trace, args, **params)`` → out: how it enters a jaxpr
python_impl  ``python_impl(*arrays, **params)`` → out: evaluation that works on Arrays
inline       ``inline(*args, **params)`` → list: every interpreter but the evaluator
             replaces the primitive by what this applies
unfold       ``unfold(*args, **params)`` → list: the program inside, equation by equation,
             for the evaluator while every result is inspected (``debug_nans``)
============ =========================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from adlib.base.source import here
from adlib.core import backend
from adlib.core.array import ArrayImpl
from adlib.core.avals import ShapedArray
from adlib.core.trace import state


class Sample(NamedTuple):
    """Arguments on which the registry-driven tests run a primitive.

    Attributes:
      args: functions of a ``numpy.random.Generator`` that give ndarrays, or ndarrays.
      params: the primitive's parameters.
      name: tells samples of one primitive apart.
    """

    args: tuple[Any, ...]
    params: dict[str, Any] = {}
    name: str = ""


class Absent:
    """Declares that a rule does not exist, with the error the user gets."""

    __slots__ = ("error", "message")

    def __init__(self, message: str, error: type[Exception] = NotImplementedError) -> None:
        self.message = message
        self.error = error

    def __call__(self, *args: Any, **params: Any) -> Any:
        raise self.error(f"{self.message}{here()}")


class Primitive:
    """An operation with all its rules; see the module's docstring for their signatures.

    >>> import adlib
    >>> from adlib.core import Primitive
    >>> Primitive("my_operation").name
    'my_operation'
    """

    def __init__(self, name: str, multiple_results: bool = False) -> None:
        self.name = name
        self.multiple_results = multiple_results
        self.shape_rule: Callable[..., Any] = Absent(f"{name} has no shape rule")
        self.kernel_rule: Callable[..., Any] | None = None
        self.jvp: Callable[..., Any] = Absent(f"Differentiation rule for '{name}' not implemented")
        self.transpose: Callable[..., Any] = _no_transpose(name)
        self.batch: Callable[..., Any] = Absent(f"Batching rule for '{name}' not implemented")
        self.partial_eval: Callable[..., Any] | None = None
        self.stage: Callable[..., Any] | None = None
        self.python_impl: Callable[..., Any] | None = None
        self.inline: Callable[..., Any] | None = None
        self.unfold: Callable[..., Any] | None = None
        self.infix: str | None = None
        self.first_order = True
        self.effect = False
        self.samples: Callable[[], list[Sample]] = list
        # what dispatch remembers: results' types and ready kernels by argument types, and
        # programs derived from the rules (interpreters/derive.py)
        self.eager_cache: dict[Any, Any] = {}
        self.derived: dict[Any, Any] = {}

    def bind(self, *args: Any, **params: Any) -> Any:
        """Apply the primitive under the current interpreter; arguments are Arrays."""
        return state.trace.process(self, args, params)

    def abstract(self, avals: list[ShapedArray], params: dict[str, Any]) -> list[ShapedArray]:
        """Types of the results, always as a list. Raises the user's shape and dtype errors."""
        out = self.shape_rule(*avals, **params)
        return list(out) if self.multiple_results else [out]

    def kernel(self, xp: Any, params: dict[str, Any]) -> Callable[..., Any]:
        """A function of the backend's ndarrays that computes the primitive."""
        if self.kernel_rule is None:
            raise NotImplementedError(f"Evaluation rule for '{self.name}' not implemented")
        if backend.several:
            own = backend.of_module(xp).implementations.get(self.name)
            if own is not None:
                return partial(own, xp, **params)
        return self.kernel_rule(xp, **params)  # type: ignore[no-any-return]

    # The way to give rules to a primitive made by hand, in a notebook, also as decorators. A
    # rule given again, by a cell that is run again, replaces what followed from the old one.

    def def_impl(self, impl: Callable[..., Any]) -> Callable[..., Any]:
        """Evaluate with ``impl(*ndarrays, **params)``."""

        def kernel(xp: Any, **params: Any) -> Callable[..., Any]:
            return partial(_on_ndarrays, impl, self.multiple_results, params)

        self._give("kernel_rule", kernel)
        return impl

    def def_abstract_eval(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Types of results: ``rule(*avals, **params)``."""
        return self._give("shape_rule", rule)

    def def_jvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Derivatives: ``rule(primals, tangents, **params) -> (out, tangent_out)``."""
        return self._give("jvp", rule)

    def def_transpose(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Reverse mode of a linear primitive: ``rule(ct, *args, **params)`` → cotangents."""
        return self._give("transpose", rule)

    def def_batch(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Vectorization: ``rule(axis, args, dims, **params) -> (out, out_dim)``."""
        return self._give("batch", rule)

    def _give(self, kind: str, rule: Callable[..., Any]) -> Callable[..., Any]:
        setattr(self, kind, rule)
        self.eager_cache.clear()
        self.derived.clear()
        return rule

    def __repr__(self) -> str:
        return self.name


def _no_transpose(name: str) -> Absent:
    return Absent(
        f"Transpose rule (for reverse-mode differentiation) for '{name}' not implemented: "
        f"the function that was transposed applies '{name}' to a value it must be linear in. "
        "A custom_jvp rule that is not linear in its tangents does this.",
    )


def _on_ndarrays(impl: Callable[..., Any], several: bool, params: Any, *values: Any) -> Any:
    """An implementation made by hand may compute with Arrays; kernels return ndarrays."""
    out = impl(*values, **params)
    if several:
        return [o._value if isinstance(o, ArrayImpl) else o for o in out]
    return out._value if isinstance(out, ArrayImpl) else out


registry: dict[str, Primitive] = {}


def define_primitive(
    name: str,
    *,
    shape: Callable[..., Any],
    impl: Callable[..., Any] | None = None,
    kernel: Callable[..., Any] | None = None,
    jvp: Callable[..., Any] | None = None,
    transpose: Callable[..., Any] | None = None,
    batch: Callable[..., Any] | None = None,
    samples: Callable[[], list[Sample]] | None = None,
    multiple_results: bool = False,
    **rules: Any,
) -> Primitive:
    """Define a primitive with all its rules and register it for the registry-driven tests.

    Args:
      name: its name in jaxprs; must be new.
      shape, impl, kernel, jvp, transpose, batch: the rules, with the signatures in this
        module's docstring. One that is left out raises an explanation when it is needed;
        pass ``Absent("...")`` to give the reason.
      samples: function returning a list of ``Sample``.
      multiple_results: whether results are lists.
      **rules: partial_eval, stage, python_impl, inline, unfold, infix, first_order, effect.

    >>> import numpy as np
    >>> from adlib.core import define_primitive, registry
    >>> double = define_primitive("_doc_double", shape=lambda x: x, impl=lambda xp, x: 2 * x)
    >>> import adlib.numpy as jnp
    >>> double.bind(jnp.arange(3))
    Array([0, 2, 4], dtype=int32)
    >>> _ = registry.pop("_doc_double")
    """
    if name in registry:
        raise ValueError(f"a primitive named {name!r} exists already")
    primitive = Primitive(name, multiple_results)
    primitive.shape_rule = shape
    if kernel is not None:
        primitive.kernel_rule = kernel
    elif impl is not None:
        primitive.kernel_rule = partial(_kernel_of_impl, impl)
    for kind, rule in (("jvp", jvp), ("transpose", transpose), ("batch", batch)):
        if rule is not None:
            setattr(primitive, kind, rule)
    if samples is not None:
        primitive.samples = samples
    for kind, rule in rules.items():
        if not hasattr(primitive, kind):
            raise TypeError(f"{kind!r} is no rule of a primitive")
        setattr(primitive, kind, rule)
    registry[name] = primitive
    return primitive


def _kernel_of_impl(impl: Callable[..., Any], xp: Any, **params: Any) -> Callable[..., Any]:
    return partial(impl, xp, **params)
