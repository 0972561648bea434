"""Compiled programs on a GPU: fused kernels, with CuPy's kernels for the steps between.

The schedule is the CPU's, with other choices: products, factorizations, sorts and the like are
calls of CuPy (cuBLAS, cuSOLVER, …), as are loops and branches, whose conditions the host has to
see. What is left are groups of equations, one or a few CUDA kernels each.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from adlib.compile import failures
from adlib.compile.cuda.expressions import PRELUDE
from adlib.compile.cuda.kernels import CudaGroup
from adlib.compile.cuda.rows import CudaRegion, by_rows
from adlib.compile.program import Writer
from adlib.compile.schedule import Schedule
from adlib.compile.simplify import simplify
from adlib.compile.steps import Group, Region, groups_of
from adlib.core.jaxpr import ClosedJaxpr, Eqn, Var
from adlib.core.program import Program
from adlib.core.program import program as reference

# Every operation as it stands: multiplications and additions are not contracted.
ALIGNMENT = 16  # bytes
OPTIONS = ("--fmad=false", "-std=c++17")


class GpuSchedule(Schedule):
    """The steps of a program on a GPU."""

    def _dot(self, eqn: Eqn) -> None:
        self._call(eqn, "a matrix product by cuBLAS")

    def _control(self, eqn: Eqn) -> None:
        self._call(eqn, "the host decides how it goes on")

    def _pieces(self, eqn: Eqn) -> None:
        self._call(eqn, "CuPy puts arrays together")

    def _library(self, eqn: Eqn) -> None:
        self._call(eqn, f"{eqn.primitive.name} runs as CuPy's kernel")


class Segment:
    """One step of loops: ``read`` and ``written`` are its variables, in the order of a call."""

    arena = 0

    def __init__(self, schedule: Schedule, number: int) -> None:
        self.name = f"step{number}"
        step = schedule.steps[number]
        assert isinstance(step, (Group, Region))
        self.groups: list[CudaGroup | CudaRegion]
        if isinstance(step, Region) and by_rows(step):
            self.groups = [CudaRegion(schedule, number, self.name)]
        else:
            self.groups = [
                CudaGroup(schedule, number, f"{self.name}_{i}", group)
                for i, group in enumerate(groups_of(step))
            ]
        made = {v for group in groups_of(step) for v in group.members}
        touched = dict.fromkeys([g.variables[i] for g in self.groups for i in g.given])
        self.read: list[Var] = [v for v in touched if v not in made]
        self.written: list[Var] = [v for v in touched if v in made]

    @property
    def source(self) -> str:
        """The text of its kernels."""
        return "\n".join([launch.source for g in self.groups for launch in g.launches])


class GpuProgram:
    """A program as it was compiled: its parts can be looked at.

    Attributes:
      function: ``(*ndarrays) -> tuple of ndarrays``.
      simplified: the jaxpr that was scheduled.
      schedule: its steps, with the reasons.
      segments: the steps that are kernels of ours, by their numbers.
      cuda: CUDA C of all kernels.

    Without an array module (``xp`` is None) there is no function, only the rest to look at.
    """

    def __init__(self, closed: ClosedJaxpr, xp: Any = None) -> None:
        self.simplified = simplify(closed)
        self.schedule = GpuSchedule(self.simplified)
        self.segments = {
            i: Segment(self.schedule, i)
            for i, step in enumerate(self.schedule.steps)
            if isinstance(step, (Group, Region))
        }
        self.taken: dict[Var, Var] = {}  # results over donated arguments: none
        self.cuda = PRELUDE + "\n".join([s.source for s in self.segments.values()])
        if xp is None:
            return
        self.source, names = Writer(self, xp).write()
        if self.segments:
            module = xp.RawModule(code=self.cuda, options=OPTIONS)
            for segment in self.segments.values():
                names[f"run_{segment.name}"] = _launcher(segment, module, xp)
        exec(compile(self.source, "<adlib GPU program>", "exec"), names)
        self.function: Program = names["program"]


def _launcher(segment: Segment, module: Any, xp: Any) -> Callable[..., None]:
    """A function of arrays, those that are read and those that are written, that starts the
    kernels."""
    place = {v: i for i, v in enumerate((*segment.read, *segment.written))}
    plans = []
    partials: list[tuple[int, np.dtype[Any]]] = []
    for group in segment.groups:
        first = len(partials)
        partials += group.partials
        for launch in group.launches:
            plans.append(
                (
                    module.get_function(launch.name),
                    (launch.blocks,),
                    (launch.threads,),
                    [place[group.variables[i]] for i in launch.buffers],
                    [first + p for p in launch.partials],
                )
            )
    read = len(segment.read)

    def run(*arrays: Any) -> None:
        given = [*[_as_kernels_read(a, xp) for a in arrays[:read]], *arrays[read:]]
        room = [xp.empty(size, dtype) for size, dtype in partials]
        for function, blocks, threads, buffers, parts in plans:
            arguments = (*[given[i] for i in buffers], *[room[i] for i in parts])
            function(blocks, threads, arguments)

    return run


def _as_kernels_read(array: Any, xp: Any) -> Any:
    """An array in row-major order that begins where several elements can be read at once."""
    if array.flags.c_contiguous:
        if not getattr(array.data, "ptr", 0) % ALIGNMENT:
            return array
        return array.copy()
    return xp.ascontiguousarray(array)


def executable(closed: ClosedJaxpr, xp: Any) -> Program:
    """The function ``(*ndarrays) -> tuple of ndarrays`` for a closed jaxpr on a GPU.

    Where the compiler fails, which gives one warning, this is the reference executor.
    """
    if not hasattr(xp, "RawModule"):  # an array module without kernels
        return reference(closed, xp)

    def compiled() -> Program:
        return GpuProgram(closed, xp).function

    make = functools.partial(failures.or_reference, closed, xp, compiled)
    return closed.cached(("executable", xp), make)  # type: ignore[no-any-return]
