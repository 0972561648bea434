"""Special functions of SciPy as native steps: their loops over whole arrays, by address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from adlib.compile import ufuncs
from adlib.compile.library.part import PARTS, LibraryPart
from adlib.compile.llvm_module import Module
from adlib.compile.loopir import Buffer, Kernel, LoopBuilder, Store
from adlib.compile.memory import ALIGN
from adlib.compile.nests import loop_nest
from adlib.compile.render_llvm import render
from adlib.core.jaxpr import Eqn, Var

_SPECIAL = "scipy.special"


class Function(NamedTuple):
    """A ufunc, and which of its results is meant (of ``results``)."""

    module: str
    name: str
    result: int = 0
    results: int = 1


FUNCTIONS = {
    "lgamma": Function(_SPECIAL, "gammaln"),
    "digamma": Function(_SPECIAL, "psi"),
    "zeta": Function("scipy.special._ufuncs", "_zeta"),
    "igamma": Function(_SPECIAL, "gammainc"),
    "igammac": Function(_SPECIAL, "gammaincc"),
    "regularized_incomplete_beta": Function(_SPECIAL, "betainc"),
    "bessel_i0e": Function(_SPECIAL, "i0e"),
    "bessel_i1e": Function(_SPECIAL, "i1e"),
    "log_ndtr": Function(_SPECIAL, "log_ndtr"),
    "ndtri": Function(_SPECIAL, "ndtri"),
    "erfcx": Function(_SPECIAL, "erfcx"),
    "dawsn": Function(_SPECIAL, "dawsn"),
    "wofz": Function(_SPECIAL, "wofz"),
    "exp1": Function(_SPECIAL, "exp1"),
    "expi": Function(_SPECIAL, "expi"),
    "spence": Function(_SPECIAL, "spence"),
    "owens_t": Function(_SPECIAL, "owens_t"),
    "hyp1f1": Function(_SPECIAL, "hyp1f1"),
    "hyp2f1": Function(_SPECIAL, "hyp2f1"),
    "sine_integral": Function(_SPECIAL, "sici", 0, 2),
    "cosine_integral": Function(_SPECIAL, "sici", 1, 2),
    "fresnel_s": Function(_SPECIAL, "fresnel", 0, 2),
    "fresnel_c": Function(_SPECIAL, "fresnel", 1, 2),
    "expn": Function(_SPECIAL, "expn"),
    "bessel_jn": Function(_SPECIAL, "jv"),
}
# Parameters of an equation that are arguments of the function, before its operands.
_PARAMETERS = {"bessel_jn": ("n",)}
# Where the primitive's value is not the function's: (at which operand, the value).
_EXCEPT: dict[str, tuple[float, float]] = {
    "lgamma": (-np.inf, np.inf),
    "digamma": (0.0, np.nan),
}


def _types(eqn: Eqn) -> str:
    function = FUNCTIONS[eqn.primitive.name]
    parameters = len(_PARAMETERS.get(eqn.primitive.name, ()))
    given = eqn.invars[0].aval.dtype.char * parameters
    given += "".join([v.aval.dtype.char for v in eqn.invars])
    return f"{given}->{eqn.outvars[0].aval.dtype.char * function.results}"


class Special(LibraryPart):
    """A function of operands that have the result's shape, or are scalars."""

    def __init__(self, eqn: Eqn, operands: Sequence[Var], name: str) -> None:
        super().__init__(eqn, operands, name)
        self.function = FUNCTIONS[eqn.primitive.name]
        out = eqn.outvars[0].aval
        self.each = -(-max(out.nbytes, 1) // ALIGN) * ALIGN
        self.scratch = (self.function.results - 1) * self.each
        self.work = 50 * out.size

    @classmethod
    def accepts(cls, eqn: Eqn, dtypes_: frozenset[Any]) -> bool:
        shape = eqn.outvars[0].aval.shape
        if not super().accepts(eqn, dtypes_) or any(
            a.aval.shape not in ((), shape) for a in eqn.invars
        ):
            return False
        function = FUNCTIONS[eqn.primitive.name]
        return ufuncs.loop(function.module, function.name, _types(eqn)) is not None

    def render(self, module: Module) -> None:
        f, eqn = self.function, self.eqn
        count = len(eqn.invars)
        names = [*[f"%a{i}" for i in range(count)], "%out", *(["%scratch"] * bool(self.scratch))]
        lines = [
            f"define internal void @{self.name}({', '.join([f'ptr {n}' for n in names])}) "
            "noinline nounwind {",
            "entry:",
        ]
        size = eqn.outvars[0].aval.size
        given = [(f"%a{i}", a.aval) for i, a in enumerate(eqn.invars)]
        dtype = eqn.invars[0].aval.dtype
        fixed = [eqn.params[name] for name in _PARAMETERS.get(eqn.primitive.name, ())]
        arguments = [(module.table(np.array([value], dtype)), 0) for value in fixed]
        arguments += [
            (n, 0 if not aval.shape and size != 1 else aval.dtype.itemsize) for n, aval in given
        ]
        other = 0
        for result in range(f.results):
            pointer = "%out"
            if result != f.result:
                pointer = f"%other{other}"
                lines.append(
                    f"  {pointer} = getelementptr i8, ptr %scratch, i64 {other * self.each}"
                )
                other += 1
            arguments.append((pointer, eqn.outvars[0].aval.dtype.itemsize))
        if size:
            names_ = (f.module, f.name, _types(eqn))
            lines += loop_call(module, names_, arguments, [size], [step for _, step in arguments])
        if eqn.primitive.name in _EXCEPT and size:
            lines.append(f"  call void @{self._exception(module)}(ptr %a0, ptr %out)")
        module.functions.append("\n".join([*lines, "  ret void", "}\n"]))

    def _exception(self, module: Module) -> str:
        where, value = _EXCEPT[self.eqn.primitive.name]
        aval = self.eqn.outvars[0].aval
        name = f"{self.name}_except"
        b = LoopBuilder()
        hit = b.compare("eq", b.load(0, (1, 0), aval.dtype), b.constant(where, aval.dtype))
        old = b.load(1, (1, 0), aval.dtype)
        new = b.select(hit, b.constant(value, aval.dtype), old)
        buffers = [
            Buffer("x", aval.dtype, aval.size, False),
            Buffer("y", aval.dtype, aval.size, True),
        ]
        nest = loop_nest((aval.size,), [*b.items, Store(1, (1, 0), new)], "special values")
        render(Kernel(name, buffers, [nest]), module)
        return name


def loop_call(
    module: Module,
    names: tuple[str, str, str],
    arguments: Sequence[tuple[str, Any]],
    dimensions: Sequence[int],
    steps: Sequence[int],
) -> list[str]:
    """Lines that call a ufunc's loop once: pointers to arrays, sizes, and steps in bytes."""
    word = "i64"
    lines = []
    for what, type_, values in (
        ("args", "ptr", [pointer for pointer, _ in arguments]),
        ("sizes", word, list(dimensions)),
        ("steps", word, list(steps)),
    ):
        lines.append(f"  %{what} = alloca [{len(values)} x {type_}], align 16")
        for i, value in enumerate(values):
            lines.append(f"  %{what}{i} = getelementptr {type_}, ptr %{what}, i64 {i}")
            lines.append(f"  store {type_} {value}, ptr %{what}{i}")
    function = module.link(ufuncs.link(*names, "function"))
    data = module.link(ufuncs.link(*names, "data"))
    lines += [
        f"  %function = load ptr, ptr {function}",
        f"  %data = load ptr, ptr {data}",
        "  call void %function(ptr %args, ptr %sizes, ptr %steps, ptr %data)",
    ]
    return lines


PARTS.update(dict.fromkeys(FUNCTIONS, Special))
