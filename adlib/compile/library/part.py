"""What native code for one equation consists of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adlib.compile.llvm_module import Module
from adlib.core.jaxpr import Eqn, Var


class LibraryPart:
    """One equation as a function ``void @name(ptr operand…, ptr result…[, ptr scratch])``.

    Attributes:
      name: of the function in the module.
      variables: operands, then results, in the order of the function's parameters.
      scratch: bytes of memory that it needs beside them; with 0 it gets no pointer to any.
      fallible: whether it returns a status instead, not 0 where a Python exception is set.
      work: about how many operations it takes.
    """

    fallible = False
    scratch = 0

    def __init__(self, eqn: Eqn, operands: Sequence[Var], name: str) -> None:
        self.eqn = eqn
        self.name = name
        self.variables: list[Var] = [*operands, *eqn.outvars]
        self.work = sum([v.aval.size for v in self.variables])

    @classmethod
    def accepts(cls, eqn: Eqn, dtypes_: frozenset[Any]) -> bool:
        """Whether the equation's types and parameters are among those that this part knows."""
        return all(v.aval.dtype in dtypes_ for v in (*eqn.invars, *eqn.outvars))

    def render(self, module: Module) -> None:
        """Add the function to the module."""
        raise NotImplementedError


# By the name of the primitive; filled by the files that define parts.
PARTS: dict[str, type[LibraryPart]] = {}
