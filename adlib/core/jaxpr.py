"""Jaxprs: programs as data. Straight-line, typed, in single-assignment form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from adlib.base.source import SourceLocation
from adlib.core.array import ArrayImpl, as_value, to_numpy
from adlib.core.avals import ShapedArray
from adlib.core.primitive import Primitive


class Var:
    """A variable of a jaxpr; identity is its name, ``aval`` its type.

    >>> import adlib, adlib.numpy as jnp
    >>> jaxpr = adlib.make_jaxpr(jnp.sin)(jnp.ones(3)).jaxpr
    >>> jaxpr.invars[0].aval
    ShapedArray(float32[3])
    """

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray) -> None:
        self.aval = aval

    def __repr__(self) -> str:
        return f"Var(id={id(self)}):{self.aval.str_short()}"


class Literal:
    """A scalar constant in an equation; it lies on the CPU, wherever it was computed.

    >>> import adlib
    >>> (eqn,) = adlib.make_jaxpr(lambda x: x * 2)(1.0).jaxpr.eqns
    >>> eqn.invars[1].val
    np.float32(2.0)
    """

    __slots__ = ("array",)

    def __init__(self, array: ArrayImpl) -> None:
        on_cpu = isinstance(array._value, (np.ndarray, np.generic))
        self.array = array if on_cpu else ArrayImpl(to_numpy(array), array.aval)

    @property
    def aval(self) -> ShapedArray:
        return self.array.aval

    @property
    def val(self) -> Any:
        """The constant as a NumPy scalar."""
        return self.array._value[()]

    def __repr__(self) -> str:
        return f"Literal({self.val})"


Atom = Var | Literal


class Eqn:
    """``outvars = primitive[params] invars``, with the user's line that applied it.

    >>> import adlib, adlib.numpy as jnp
    >>> (eqn,) = adlib.make_jaxpr(jnp.sin)(1.0).jaxpr.eqns
    >>> eqn.primitive, eqn.params
    (sin, {})
    """

    __slots__ = ("invars", "outvars", "params", "primitive", "source")

    def __init__(
        self,
        primitive: Primitive,
        invars: list[Atom],
        outvars: list[Var],
        params: dict[str, Any],
        source: SourceLocation | None = None,
    ) -> None:
        self.primitive = primitive
        self.invars = invars
        self.outvars = outvars
        self.params = params
        self.source = source

    @property
    def has_effect(self) -> bool:
        """Whether running it does more than compute: itself, or an equation within it."""
        if self.primitive.effect:
            return True
        if self.primitive.first_order:
            return False
        return any(jaxpr.has_effect for _, jaxpr in subjaxprs(self.params))

    def replace(self, **changes: Any) -> Eqn:
        """The same equation with some fields changed."""
        fields = {name: changes.get(name, getattr(self, name)) for name in self.__slots__}
        return Eqn(
            fields["primitive"],
            fields["invars"],
            fields["outvars"],
            fields["params"],
            fields["source"],
        )

    def __repr__(self) -> str:
        from_ = " ".join(map(repr, self.invars))
        return f"{' '.join(map(repr, self.outvars))} = {self.primitive.name} {from_}"


class Jaxpr:
    """A function: variables for constants and inputs, equations, outputs.

    Attributes:
      constvars, invars: list of Var.
      eqns: list of Eqn in order of execution.
      outvars: list of Var or Literal.

    >>> import adlib, adlib.numpy as jnp
    >>> jaxpr = adlib.make_jaxpr(lambda x: jnp.sin(x) * 2)(1.0).jaxpr
    >>> len(jaxpr.invars), [str(eqn.primitive) for eqn in jaxpr.eqns]
    (1, ['sin', 'mul'])
    """

    __slots__ = ("__weakref__", "_effect", "constvars", "eqns", "invars", "outvars")

    def __init__(
        self, constvars: list[Var], invars: list[Var], outvars: list[Atom], eqns: list[Eqn]
    ) -> None:
        self.constvars = constvars
        self.invars = invars
        self.outvars = outvars
        self.eqns = eqns
        self._effect: bool | None = None

    @property
    def has_effect(self) -> bool:
        """Whether an equation has an effect, at any depth."""
        if self._effect is None:
            self._effect = any(eqn.has_effect for eqn in self.eqns)
        return self._effect

    @property
    def in_avals(self) -> list[ShapedArray]:
        return [v.aval for v in self.invars]

    @property
    def out_avals(self) -> list[ShapedArray]:
        return [v.aval for v in self.outvars]

    def __str__(self) -> str:
        return format_jaxpr[0](self)

    __repr__ = __str__

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


class ClosedJaxpr:
    """A jaxpr with the values of its constants.

    ``cache`` holds what has been derived from it (its programs, its jvp, …) and lives and
    dies with it.

    >>> import adlib
    >>> closed = adlib.make_jaxpr(lambda x: x * 2)(1.0)
    >>> closed.in_avals, closed.consts
    ([ShapedArray(float32[], weak_type=True)], [])
    """

    __slots__ = ("__weakref__", "cache", "consts", "jaxpr")

    def __init__(self, jaxpr: Jaxpr, consts: list[Any]) -> None:
        self.jaxpr = jaxpr
        self.consts = consts
        self.cache: dict[Any, Any] = {}

    @property
    def eqns(self) -> list[Eqn]:
        return self.jaxpr.eqns

    @property
    def in_avals(self) -> list[ShapedArray]:
        return self.jaxpr.in_avals

    @property
    def out_avals(self) -> list[ShapedArray]:
        return self.jaxpr.out_avals

    @property
    def literals(self) -> list[Any]:
        return self.consts

    def cached(self, key: Any, make: Callable[[], Any]) -> Any:
        """``make()``, computed once for this jaxpr and ``key``."""
        found = self.cache.get(key)
        if found is None:
            found = self.cache[key] = make()
        return found

    def __str__(self) -> str:
        return format_jaxpr[0](self.jaxpr)

    __repr__ = __str__

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


# The printer stands in a later file of this floor, and puts itself here.
format_jaxpr: list[Callable[[Jaxpr], str]] = [object.__repr__]


def subjaxprs(params: dict[str, Any]) -> Iterator[tuple[str, Jaxpr]]:
    """(name, jaxpr) of every jaxpr among the parameters of an equation."""
    for name, value in params.items():
        several = value if isinstance(value, (tuple, list)) else (value,)
        for item in several:
            if isinstance(item, ClosedJaxpr):
                yield name, item.jaxpr
            elif isinstance(item, Jaxpr):
                yield name, item


def dead_code_eliminated(jaxpr: Jaxpr) -> Jaxpr:
    """The jaxpr without equations whose results nobody uses (effects are kept)."""
    needed: set[Var] = {v for v in jaxpr.outvars if isinstance(v, Var)}
    kept = []
    for eqn in reversed(jaxpr.eqns):
        if eqn.has_effect or any(v in needed for v in eqn.outvars):
            kept.append(eqn)
            needed.update(v for v in eqn.invars if isinstance(v, Var))
    return Jaxpr(jaxpr.constvars, jaxpr.invars, jaxpr.outvars, kept[::-1])


# ----------------------------------------------------------------- evaluation


def eval_jaxpr(jaxpr: Jaxpr, consts: list[Any], *args: Any) -> list[Any]:
    """Run a jaxpr equation by equation under the current interpreter.

    Values are dropped after their last use, so that running needs no more memory than
    the program does.

    >>> import adlib, adlib.numpy as jnp
    >>> from adlib.core import eval_jaxpr
    >>> closed = adlib.make_jaxpr(lambda x: x * 2)(1.0)
    >>> eval_jaxpr(closed.jaxpr, closed.consts, jnp.array([1.0, 3.0]))
    [Array([2., 6.], dtype=float32)]
    """
    env: dict[Var, Any] = dict(zip(jaxpr.constvars, map(as_value, consts), strict=True))
    env.update(zip(jaxpr.invars, map(as_value, args), strict=True))
    last = last_uses(jaxpr)
    for i, eqn in enumerate(jaxpr.eqns):
        values = [env[v] if type(v) is Var else v.array for v in eqn.invars]  # type: ignore[union-attr]
        for v in last[i]:
            env.pop(v, None)
        out = eqn.primitive.bind(*values, **eqn.params)
        del values
        if eqn.primitive.multiple_results:
            env.update(zip(eqn.outvars, out, strict=True))
        else:
            env[eqn.outvars[0]] = out
    return [env[v] if type(v) is Var else v.array for v in jaxpr.outvars]  # type: ignore[union-attr]


def last_uses(jaxpr: Jaxpr) -> list[list[Var]]:
    """For each equation the variables that nothing after it reads."""
    seen: set[Var] = {v for v in jaxpr.outvars if isinstance(v, Var)}
    result: list[list[Var]] = []
    for eqn in reversed(jaxpr.eqns):
        final = []
        for v in eqn.invars:
            if type(v) is Var and v not in seen:
                seen.add(v)
                final.append(v)
        result.append(final)
    return result[::-1]


def jaxpr_as_fun(closed: ClosedJaxpr) -> Callable[..., list[Any]]:
    """The function of flat arguments that a closed jaxpr stands for.

    >>> import adlib, adlib.numpy as jnp
    >>> from adlib.core import jaxpr_as_fun
    >>> f = jaxpr_as_fun(adlib.make_jaxpr(lambda x: x * 2)(jnp.ones(2)))
    >>> f(jnp.array([1.0, 3.0]))
    [Array([2., 6.], dtype=float32)]
    """
    return lambda *args: eval_jaxpr(closed.jaxpr, closed.consts, *args)
