"""Arithmetic and memory traffic of one equation, as the compiler counts them."""

from __future__ import annotations

from adlib.compile.costs import bytes_read, bytes_written, flops
from adlib.core import Eqn
from adlib.inspect.texts import nested_programs

__all__ = ["bytes_read", "bytes_written", "flops", "total_flops"]


def total_flops(eqn: Eqn) -> int:
    """Arithmetic operations of an equation and of the programs inside of it.

    Of branches the dearest counts, of a loop all rounds where their number is known, else one.
    What ``flops`` does not count is nothing.
    """
    programs = [program for _, _, program in nested_programs(eqn.params)]
    if not programs:
        return flops(eqn) or 0
    inner = [sum(map(total_flops, program.eqns)) for program in programs]
    name = eqn.primitive.name
    if name == "cond":
        return max(inner)
    return sum(inner) * int(eqn.params["length"]) if name == "scan" else sum(inner)
