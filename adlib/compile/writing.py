"""Equations in the place of others, as they are being written."""

from __future__ import annotations

from typing import Any

from adlib.core.array import scalar
from adlib.core.jaxpr import Atom, Eqn, Literal, Var
from adlib.core.primitive import registry


class Writing:
    """Writes equations that compute the results of another one."""

    def __init__(self, eqn: Eqn) -> None:
        self.eqn = eqn
        self.eqns: list[Eqn] = []

    def __call__(self, name: str, *operands: Atom, into: Var | None = None, **params: Any) -> Var:
        primitive = registry[name]
        (aval,) = primitive.abstract([a.aval for a in operands], params)
        out = into or Var(aval.strip_weak_type())
        self.eqns.append(Eqn(primitive, list(operands), [out], params, self.eqn.source))
        return out

    def converted(self, x: Atom, dtype: Any, into: Var | None = None) -> Atom:
        if x.aval.dtype == dtype and into is None:
            return x
        params: dict[str, Any] = dict(new_dtype=dtype, weak_type=False)
        return self("convert_element_type", x, into=into, **params)

    def number(self, value: Any, dtype: Any) -> Literal:
        return Literal(scalar(value, dtype))
