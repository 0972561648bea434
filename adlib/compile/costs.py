"""Arithmetic and memory traffic of equations and of whole programs."""

from __future__ import annotations

import functools
import math
import time
from typing import Any

import numpy as np

from adlib.compile import mathfns
from adlib.compile.native import part_of
from adlib.compile.schedule import Call, Schedule
from adlib.core import ClosedJaxpr, Eqn, Var
from adlib.core.dtypes import is_complex, is_inexact
from adlib.ops.constructors import elementwise_batch

_FREE = {
    "broadcast_in_dim", "concatenate", "convert_element_type", "copy", "dynamic_slice",
    "dynamic_update_slice", "expand_dims", "gather", "iota", "pad", "reshape", "rev",
    "select_n", "slice", "split", "squeeze", "stack", "stop_gradient", "tile", "transpose",
    "unstack",
}  # fmt: skip
_OF_OPERAND = ("reduce_", "cum", "arg")


def flops(eqn: Eqn) -> int | None:
    """Arithmetic operations of an equation; None where they are not counted.

    Elementwise operations count one per entry of the result, reductions one per entry of
    the operand, contractions and convolutions a multiplication and an addition for each product
    (also with zeros around or within the input), and moving data nothing. A complex
    multiplication or division is six operations on real numbers, and what else there is two.
    Loops, branches and library calls are not counted.
    """
    name = eqn.primitive.name
    if name in _FREE:
        return 0
    if name == "dot_general":
        contracted = eqn.params["dimension_numbers"][0][0]
        shape = eqn.invars[0].aval.shape
        each = 8 if is_complex(eqn.outvars[0].aval.dtype) else 2
        return each * eqn.outvars[0].aval.size * math.prod(shape[int(d)] for d in contracted)
    if name == "conv_general_dilated":
        kernel, out = eqn.invars[1].aval, eqn.outvars[0].aval
        outputs = kernel.shape[eqn.params["dimension_numbers"].rhs_spec[0]]
        each = 8 if is_complex(out.dtype) else 2
        return each * int(out.size) * int(kernel.size // max(1, outputs))
    if name.startswith(_OF_OPERAND):
        operand = eqn.invars[0].aval
        return int(operand.size) * (1 + is_complex(operand.dtype))
    if not eqn.primitive.first_order or len(eqn.outvars) != 1:
        return None
    out = eqn.outvars[0].aval
    shapes = {atom.aval.shape for atom in eqn.invars} - {()}
    broadcast = getattr(eqn.primitive.batch, "func", None) is elementwise_batch
    entrywise = (broadcast or shapes <= {out.shape}) and is_inexact(out.dtype)
    each = 1
    if any(is_complex(atom.aval.dtype) for atom in eqn.invars):
        each = 6 if name in ("mul", "div", "square", "integer_pow") else 2
    return int(out.size) * each if entrywise else None


def bytes_read(eqn: Eqn) -> int:
    """Bytes of the operands that are variables, each counted once."""
    return sum(v.aval.nbytes for v in {v for v in eqn.invars if isinstance(v, Var)})


def bytes_written(eqn: Eqn) -> int:
    """Bytes of the results."""
    return sum(var.aval.nbytes for var in eqn.outvars)


# ------------------------------------------------------------------------ programs

_TRANSCENDENTAL = mathfns.NAMES - {"rsqrt"} | {"lgamma", "digamma", "erf_inv"}


def program_costs(schedule: Schedule) -> dict[str, float]:
    """What a compiled program does each time it runs.

    ``flops`` and ``transcendentals`` (calls of math functions, which are not among the flops)
    count operations on elements; those of a ``while`` loop, whose rounds are not known, once.
    ``bytes accessed`` is the memory that the steps read and write: what is fused stays in
    registers. ``optimal_seconds`` is the least time that this machine could take: its measured
    bandwidth and its rate in matrix products are never exceeded.
    """
    arithmetic, functions = _work(schedule.closed)
    traffic = sum(_traffic(schedule, number) for number in range(len(schedule.steps)))
    bandwidth, rate = machine_rates()
    return {
        "flops": float(arithmetic),
        "transcendentals": float(functions),
        "bytes accessed": float(traffic),
        "optimal_seconds": max(traffic / bandwidth, arithmetic / rate),
    }


def _work(closed: ClosedJaxpr) -> tuple[int, int]:
    """(flops, transcendentals) of a program."""
    arithmetic = functions = 0
    for eqn in closed.eqns:
        several = [_work(program) for program in _programs(eqn)]
        if several:
            rounds = eqn.params.get("length", 1)
            parts = list(zip(*several, strict=True))
            together = max if eqn.primitive.name == "cond" else sum
            arithmetic += rounds * together(parts[0])
            functions += rounds * together(parts[1])
        elif eqn.primitive.name in _TRANSCENDENTAL:
            functions += eqn.outvars[0].aval.size
        else:
            arithmetic += flops(eqn) or 0
    return arithmetic, functions


def _programs(eqn: Eqn) -> list[ClosedJaxpr]:
    found: list[Any] = []
    for name in ("jaxpr", "cond_jaxpr", "body_jaxpr", "branches"):
        value = eqn.params.get(name, ())
        found += value if isinstance(value, tuple) else [value]
    return [p for p in found if isinstance(p, ClosedJaxpr)]


def _traffic(schedule: Schedule, number: int) -> int:
    step = schedule.steps[number]
    if isinstance(step, Call):
        return bytes_read(step.eqn) + bytes_written(step.eqn)
    part = part_of(schedule, number, "counted")
    return sum(var.aval.nbytes for var in part.variables)


@functools.cache
def machine_rates() -> tuple[float, float]:
    """(bytes per second of a large copy, flops per second of a matrix product), measured once."""
    source = np.ones(1 << 23, np.float32)
    target = np.empty_like(source)
    square = np.ones((768, 768), np.float32)
    copying = min(_seconds(lambda: np.copyto(target, source)) for _ in range(4))
    multiplying = min(_seconds(lambda: square @ square) for _ in range(4))
    return 2 * source.nbytes / copying, 2 * 768**3 / multiplying


def _seconds(action: Any) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
