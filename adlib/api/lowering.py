"""Compiling ahead of time, and looking at what is compiled: ``jit(f).lower(*args)``."""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

from adlib.base import tree
from adlib.base.source import here
from adlib.compile import engine, program
from adlib.compile.costs import program_costs
from adlib.compile.cuda.program import GpuProgram
from adlib.compile.dispatch import executor
from adlib.compile.loop_text import show
from adlib.compile.native import KernelPart, part_of
from adlib.compile.schedule import Schedule
from adlib.compile.simplify import simplify, simplify_steps
from adlib.compile.steps import Call, Group, Region
from adlib.core import backend as backends
from adlib.core.array import ArrayImpl, as_value
from adlib.core.avals import ShapedArray, same_type
from adlib.core.jaxpr import ClosedJaxpr
from adlib.interpreters import derive

FORMS = {
    "jaxpr": "the program as it was traced",
    "simplified": "the program after the compiler's passes",
    "loops": "the loop nests and calls that it becomes, with the reasons",
    "llvm": "LLVM's language, before its optimiser",
    "optimised llvm": "LLVM's language, after its optimiser",
    "asm": "machine code",
    "cuda": "the kernels that a GPU would run, as CUDA C; needs none",
}


class MemoryStats(NamedTuple):
    """Bytes that a compiled program works with.

    Attributes:
      argument_size_in_bytes, output_size_in_bytes: of all arguments and results.
      temp_size_in_bytes: of intermediate values, which share one arena.
      alias_size_in_bytes: of results that take over the memory of arguments.
      generated_code_size_in_bytes: of the machine code; 0 where none was made.
    """

    argument_size_in_bytes: int
    output_size_in_bytes: int
    temp_size_in_bytes: int
    alias_size_in_bytes: int
    generated_code_size_in_bytes: int


class _Program:
    """What ``Lowered`` and ``Compiled`` share: a program with the structure of its arguments."""

    def __init__(
        self,
        closed: ClosedJaxpr,
        in_tree: Any,
        out_tree: Any,
        out_info: Any,
        name: str,
        donated: tuple[int, ...] = (),
    ) -> None:
        self._closed = closed
        self._donated = donated
        self._name = name
        self.in_tree = in_tree
        self.out_tree = out_tree
        self.out_info = out_info

    @property
    def _all(self) -> tuple[Any, ...]:
        structures = self.in_tree, self.out_tree, self.out_info
        return self._closed, *structures, self._name, self._donated

    @property
    def in_avals(self) -> Any:
        """Types of the arguments: ``(args, kwargs)``."""
        return tree.unflatten(self.in_tree, self._closed.in_avals)

    @property
    def out_avals(self) -> list[ShapedArray]:
        """Types of the results, as a flat list."""
        return self._closed.out_avals

    @cached_property
    def _schedule(self) -> Schedule:
        return Schedule(simplify(self._closed))

    @cached_property
    def _native(self) -> program.Compiled:
        found = None if self._donated else self._closed.cache.get("compiled")
        return found if found is not None else program.Compiled(self._closed, self._donated)

    def _text(self, form: str) -> str:
        if form not in FORMS:
            raise ValueError(
                f"unknown dialect: {form!r}. There are "
                f"{', '.join(f'{k!r} ({v})' for k, v in FORMS.items())}.{here()}"
            )
        if form == "jaxpr":
            return str(self._closed)
        if form == "simplified":
            return str(simplify(self._closed))
        if form == "loops":
            return loops_text(self._schedule)
        if form == "cuda":
            return GpuProgram(self._closed).cuda
        text = self._native.llvm
        if not text or form == "llvm":
            return text or "nothing is native: all steps are calls"
        if not engine.available():
            raise ImportError(
                f"{form!r} needs llvmlite, which cannot be used here.{here()}\n"
                "  Repair: pip install llvmlite."
            )
        return engine.assembly(text) if form == "asm" else engine.optimised_text(text)

    def cost_analysis(self) -> dict[str, float]:
        """Work of one run: ``flops``, ``transcendentals``, ``bytes accessed`` and
        ``optimal_seconds``, the least time that this machine could take.

        >>> import adlib, adlib.numpy as jnp
        >>> cost = adlib.jit(lambda x: jnp.sin(x) * 2).lower(jnp.ones(1000)).cost_analysis()
        >>> cost["flops"], cost["transcendentals"], cost["bytes accessed"]
        (1000.0, 1000.0, 8000.0)
        """
        return program_costs(self._schedule)


class Traced(_Program):
    """A function traced for given types.

    Attributes:
      jaxpr: its program.
      fun_name: the function's name.
      in_tree, out_tree: structure of ``(args, kwargs)`` and of the result.
      out_info: the result with ``ShapeDtypeStruct`` for its arrays.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.jit(jnp.sin).trace(2.0).jaxpr
    { lambda ; a:f32[]. let b:f32[] = sin a in (b,) }
    """

    @property
    def jaxpr(self) -> ClosedJaxpr:
        return self._closed

    @property
    def fun_name(self) -> str:
        return self._name

    def lower(self) -> Lowered:
        """What the compiler plans for it."""
        return Lowered(*self._all)

    def __repr__(self) -> str:
        return f"<Traced {self._name}: {', '.join(a.str_short() for a in self._closed.in_avals)}>"


class Lowered(_Program):
    """A function traced for given types, and what the compiler plans for it.

    Attributes:
      in_tree, out_tree: structure of ``(args, kwargs)`` and of the result.
      out_info: the result with ``ShapeDtypeStruct`` for its arrays.
    """

    def as_text(self, dialect: str | None = None) -> str:
        """The program in one of its forms, from ``"jaxpr"`` (the default) over ``"simplified"``,
        ``"loops"``, ``"llvm"`` and ``"optimised llvm"`` to ``"asm"``; ``"cuda"`` is what a GPU
        would run.

        Raises:
          ValueError: another form.
          ImportError: optimised code and ``"asm"`` without llvmlite.

        >>> import adlib, adlib.numpy as jnp
        >>> lowered = adlib.jit(lambda x: jnp.sin(x) * 1.0 + jnp.sin(x)).lower(2.0)
        >>> print(lowered.as_text("simplified"))
        { lambda ; a:f32[]. let b:f32[] = sin a; c:f32[] = add b b in (c,) }
        """
        return self._text(dialect or "jaxpr")

    def compiler_ir(self, dialect: str | None = None) -> Any:
        """The program as the compiler's object: its jaxpr after simplification."""
        return simplify(self._closed) if dialect in (None, "simplified") else self._text(dialect)

    def compile(self, compiler_options: Any = None) -> Compiled:
        """Machine code for the types given, ready to be called."""
        return Compiled(*self._all)

    def show(self) -> Listing:
        """The way from the traced program to machine code, for people to read."""
        return Listing(self)

    def __repr__(self) -> str:
        return f"<Lowered {self._name}: {', '.join(a.str_short() for a in self._closed.in_avals)}>"


class Compiled(_Program):
    """A function compiled for arguments of given types.

    Attributes:
      in_tree, out_tree: structure of ``(args, kwargs)`` and of the result.
      out_info: the result with ``ShapeDtypeStruct`` for its arrays.
    """

    def as_text(self) -> str:
        """The machine code, as assembly."""
        return self._text("asm")

    def memory_analysis(self) -> MemoryStats:
        """Bytes of arguments, results and intermediate values."""
        native = self._native
        arena = sum(segment.arena for segment in native.segments.values())
        code = engine.object_code(native.llvm) if native.llvm and engine.available() else b""
        return MemoryStats(
            sum(a.nbytes for a in self._closed.in_avals),
            sum(a.nbytes for a in self._closed.out_avals),
            arena,
            sum(result.aval.nbytes for result in native.taken),
            len(code),
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run on arguments of the types that it was compiled for.

        Raises:
          TypeError: arguments of another structure or type, or tracers.
        """
        leaves, in_tree = tree.flatten((args, kwargs))
        if in_tree != self.in_tree:
            raise TypeError(
                f"{self._name} was compiled for arguments of another structure.{here()}\n"
                f"  compiled for {self.in_tree}\n  called with  {in_tree}\n  Repair: give the same "
                "arguments, without the static ones, or call the jitted function itself."
            )
        values = [as_value(x, self._name) for x in leaves]
        self._check_types([v.aval for v in values])
        raw = [v._value for v in values if isinstance(v, ArrayImpl)]
        if len(raw) < len(values):
            raise TypeError(
                f"{self._name} is compiled, and was called inside of a transformation, with a "
                f"traced value: machine code cannot be transformed.{here()}\n  Repair: transform "
                "the jitted function, then lower and compile the result."
            )
        function = executor(self._closed, backends.default().xp)
        outs = derive.run(function, raw, self._closed.out_avals)
        return tree.unflatten(self.out_tree, outs)

    def _check_types(self, given: Sequence[ShapedArray]) -> None:
        wanted = self._closed.in_avals
        wrong = [
            f"  {_place(path)}: compiled for {w.str_short()}, called with {g.str_short()}"
            for w, g, path in zip(wanted, given, self.in_tree.paths(), strict=True)
            if not same_type(w, g)
        ]
        if wrong:
            lines = "\n".join(wrong)
            raise TypeError(
                "Argument types differ from the types for which this computation was compiled "
                f"({self._name}):{here()}\n{lines}\n  Repair: call the jitted function itself, "
                "which compiles for new types, or lower it for these."
            )

    call = __call__

    def __repr__(self) -> str:
        return f"<Compiled {self._name}: {', '.join(a.str_short() for a in self._closed.in_avals)}>"


def _place(path: Sequence[Any]) -> str:
    """``args[0]['w']`` for where a leaf is found in ``(args, kwargs)``."""
    return ("kwargs" if path[0] else "args") + "".join(f"[{key!r}]" for key in path[1:])


# ------------------------------------------------------------------------ for people


def loops_text(schedule: Schedule) -> str:
    """The steps of a program: kernels in the loop language, calls by name, with the reasons."""
    why = {var: text for eqn, text in schedule.reasons for var in eqn.outvars}
    blocks = []
    for number, step in enumerate(schedule.steps):
        native = not isinstance(step, Call)
        part = part_of(schedule, number, f"step{number}") if native else None
        if isinstance(part, KernelPart):
            blocks.append(show(part.writer.kernel))
            continue
        assert not isinstance(step, (Group, Region))
        eqn = step.eqn
        operands = ", ".join(a.aval.str_short() for a in eqn.invars)
        results = ", ".join(v.aval.str_short() for v in eqn.outvars)
        kind = "native" if native else "call"
        reason = why.get(eqn.outvars[0], "") if eqn.outvars else ""
        blocks.append(
            f"{kind} step{number}: {eqn.primitive.name}({operands}) -> {results}\n  # {reason}"
        )
    return "\n\n".join(blocks) or "nothing to compute"


class Listing:
    """A lowered program with what each stage made of it: text, and in notebooks pages to open."""

    def __init__(self, lowered: Lowered) -> None:
        self._lowered = lowered

    @cached_property
    def _passes(self) -> str:
        lines = []
        for step in simplify_steps(self._lowered._closed):
            lines.append(f"{step.name or 'as it was traced'}: {step.summary}")
            words: dict[str, int] = {}
            for event in step.events:
                text = f"  {event.eqn.primitive.name} {event.what}"
                words[text] = words.get(text, 0) + 1
            lines += [text if n == 1 else f"{text} ({n} times)" for text, n in words.items()]
        return "\n".join(lines)

    @cached_property
    def _steps(self) -> str:
        schedule = self._lowered._schedule
        lines = [f"{eqn.primitive.name}: {text}" for eqn, text in schedule.reasons]
        return "\n".join(lines) or "nothing to compute"

    @cached_property
    def _costs(self) -> str:
        cost = self._lowered.cost_analysis()
        least = cost.pop("optimal_seconds")
        counts = ", ".join(f"{value:,.0f} {name}" for name, value in cost.items())
        return f"{counts}; at least {least * 1e6:,.3g} µs on this machine"

    def _sections(self) -> list[tuple[str, str]]:
        lowered = self._lowered
        sections = [
            ("jaxpr", lowered.as_text("jaxpr")),
            ("passes", self._passes),
            ("simplified", lowered.as_text("simplified")),
            ("fusion", self._steps),
            ("loops", lowered.as_text("loops")),
            ("work", self._costs),
        ]
        if engine.available():
            sections.append(("llvm", lowered.as_text("llvm")))
        return sections

    def __repr__(self) -> str:
        shown = [(title, text) for title, text in self._sections() if title != "llvm"]
        return "\n\n".join(f"{title}\n{'-' * len(title)}\n{text}" for title, text in shown)

    def _repr_html_(self) -> str:
        opened = {"simplified", "fusion", "work"}
        parts = [f"<p><b>{html.escape(repr(self._lowered))}</b></p>"]
        for title, text in self._sections():
            attribute = " open" if title in opened else ""
            parts.append(
                f"<details{attribute}><summary>{title}</summary><pre>{html.escape(text)}</pre>"
                "</details>"
            )
        return "".join(parts)
