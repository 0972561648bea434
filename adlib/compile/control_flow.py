"""Loops and branches as native functions around the bodies of their programs.

Carried values live in two copies that take turns: a round reads one and writes the other, the
first round reads the initial values where they are. What a scan reads and stacks is read and
written in place, at an address that moves on with each round. Every few milliseconds a loop
looks whether Python has been interrupted, and lets other threads have a turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adlib.compile.memory import ALIGN
from adlib.compile.render_llvm import Module
from adlib.compile.schedule import Control
from adlib.core.jaxpr import Var

# Operations between two looks at interrupts: about a millisecond.
_BETWEEN_LOOKS = 1 << 20


class ControlPart:
    """A ``scan``, ``while`` or ``cond`` of native programs."""

    def __init__(self, step: Control, name: str, whole: Callable[..., Any]) -> None:
        self.name = name
        self.step = step
        self.variables: list[Var] = [*step.operands, *step.eqn.outvars]
        self.bodies = [whole(p, f"{name}_{letter(i)}") for i, p in enumerate(step.programs)]
        self.kind = step.eqn.primitive.name
        # how often a while loop goes round is not known: often enough to be worth compiling well
        rounds = {"scan": step.eqn.params.get("length"), "while": 10_000}.get(self.kind, 1)
        self.work = max(1, sum(b.work for b in self.bodies)) * rounds
        self.fallible = self.kind != "cond" or any(b.fallible for b in self.bodies)
        self.scratch = 0
        self.layout: dict[Any, int] = {}
        self._lay_out()

    def _place(self, key: Any, size: int) -> None:
        self.layout[key] = self.scratch
        self.scratch += -(-max(size, 1) // ALIGN) * ALIGN

    def _lay_out(self) -> None:
        """Memory: copies of what is carried, the condition, and the programs' own arenas."""
        if self.kind != "cond":
            for i, var in enumerate(self.carried()):
                self._place(("copy", i, 0), var.aval.nbytes)
                self._place(("copy", i, 1), var.aval.nbytes)
            self._place("condition", 1)
        arenas = [b.arena for b in self.bodies]
        if self.kind == "while":
            self._place(("arena", 0), arenas[0])
            self._place(("arena", 1), arenas[1])
        else:  # one program runs at a time
            self._place(("arena", 0), max(arenas))

    def carried(self) -> list[Var]:
        """The results that are carried from round to round."""
        params, outs = self.step.eqn.params, self.step.eqn.outvars
        return list(outs if self.kind == "while" else outs[: params["num_carry"]])

    # ----------------------------------------------------------------- rendering

    def render(self, module: Module) -> None:
        for body in self.bodies:
            body.render(module)
        inputs = len(self.step.operands)
        outs = len(self.step.eqn.outvars)
        names = [*[f"%a{i}" for i in range(inputs)], *[f"%o{i}" for i in range(outs)]]
        params = ", ".join([f"ptr {n}" for n in [*names, "%scratch"]])
        kind = "i32" if self.fallible else "void"
        lines = [f"define internal {kind} @{self.name}({params}) nounwind {{", "entry:"]
        for key, offset in self.layout.items():
            lines.append(f"  {self.at(key)} = getelementptr i8, ptr %scratch, i64 {offset}")
        if self.kind == "cond":
            lines += self._cond()
        else:
            lines += self._while(module) if self.kind == "while" else self._scan(module)
        module.functions.append("\n".join([*lines, "}\n"]))

    def at(self, key: Any) -> str:
        """The name of a place in the scratch memory."""
        if isinstance(key, str):
            return f"%{key}"
        return "%" + "_".join([str(k) for k in key])

    def call(self, number: int, pointers: Sequence[str], name: str, fail: str) -> list[str]:
        """Lines that run a program, and leave for ``fail`` where it is interrupted."""
        body = self.bodies[number]
        arena = self.at(("arena", number if self.kind == "while" else 0))
        arguments = ", ".join([f"ptr {p}" for p in [*pointers, arena]])
        lines = [f"  %{name} = call i32 @{body.name}({arguments})"]
        if body.fallible:
            lines += [
                f"  %{name}_bad = icmp ne i32 %{name}, 0",
                f"  br i1 %{name}_bad, label %{fail}, label %{name}_good",
                f"{name}_good:",
            ]
        return lines

    def _cond(self) -> list[str]:
        count = len(self.bodies)
        index = self.step.operands[0].aval.dtype
        width = 8 * index.itemsize
        arguments = [f"%a{i}" for i in range(1, len(self.step.operands))]
        arguments += [f"%o{i}" for i in range(len(self.step.eqn.outvars))]
        sign = "s" if index.kind == "i" else "u"
        cases = " ".join([f"i{width} {i}, label %case{i}" for i in range(count - 1)])
        below = f"icmp {sign}lt i{width} %index, 0"
        lines = [
            f"  %index = load i{width}, ptr %a0",
            f"  %below = {below}",
            f"  %chosen = select i1 %below, i{width} 0, i{width} %index",
            f"  switch i{width} %chosen, label %case{count - 1} [ {cases} ]",
        ]
        done = "  ret i32 0" if self.fallible else "  ret void"
        for i in range(count):
            lines += [f"case{i}:", *self.call(i, arguments, f"s{i}", "fail"), done]
        if any(b.fallible for b in self.bodies):
            lines += ["fail:", "  ret i32 1"]
        return lines

    def _rotation(self, initial: Sequence[str], last: str) -> list[str]:
        """Phi nodes: where each carried value is read, is written, and will be written next."""
        lines = []
        for i, start in enumerate(initial):
            first, second = self.at(("copy", i, 0)), self.at(("copy", i, 1))
            lines += [
                f"  %now{i} = phi ptr [ {start}, %entry ], [ %new{i}, %{last} ]",
                f"  %new{i} = phi ptr [ {first}, %entry ], [ %next{i}, %{last} ]",
                f"  %next{i} = phi ptr [ {second}, %entry ], [ %new{i}, %{last} ]",
            ]
        return lines

    def _look(self, module: Module, work: int, label: str) -> list[str]:
        """Look at interrupts every so many rounds; ``%round`` counts them."""
        every = 1
        while every * max(work, 1) < _BETWEEN_LOOKS:
            every *= 2
        look = module.interrupted()
        return [
            f"  %masked = and i64 %round, {every - 1}",
            f"  %due = icmp eq i64 %masked, {every - 1}",
            f"  br i1 %due, label %look, label %{label}",
            "look:",
            f"  %stop = call i32 {look}()",
            "  %stopped = icmp ne i32 %stop, 0",
            f"  br i1 %stopped, label %fail, label %{label}",
        ]

    def _results(self) -> list[str]:
        return [
            f"  call void @llvm.memcpy.p0.p0.i64(ptr %o{i}, ptr %now{i}, i64 {v.aval.nbytes}, "
            "i1 false)"
            for i, v in enumerate(self.carried())
        ]

    def _while(self, module: Module) -> list[str]:
        module.memcpy()
        params = self.step.eqn.params
        conds, bodies = params["cond_nconsts"], params["body_nconsts"]
        carried = range(len(self.carried()))
        consts = [f"%a{i}" for i in range(conds + bodies)]
        initial = [f"%a{conds + bodies + i}" for i in carried]
        now = [f"%now{i}" for i in carried]
        new = [f"%new{i}" for i in carried]
        lines = ["  br label %loop", "loop:"]
        lines += self._rotation(initial, "again")
        lines.append("  %round = phi i64 [ 0, %entry ], [ %following, %again ]")
        lines += self.call(0, [*consts[:conds], *now, "%condition"], "sc", "fail")
        lines += [
            "  %go = load i8, ptr %condition",
            "  %going = icmp ne i8 %go, 0",
            "  br i1 %going, label %body, label %done",
            "body:",
            *self.call(1, [*consts[conds:], *now, *new], "sb", "fail"),
            "  %following = add i64 %round, 1",
            *self._look(module, sum(b.work for b in self.bodies), "again"),
            "again:",
            "  br label %loop",
            "done:",
            *self._results(),
            "  ret i32 0",
            "fail:",
            "  ret i32 1",
        ]
        return lines

    def _scan(self, module: Module) -> list[str]:
        module.memcpy()
        eqn = self.step.eqn
        consts, carry = eqn.params["num_consts"], eqn.params["num_carry"]
        length = eqn.params["length"]
        xs = range(consts + carry, len(self.step.operands))
        ys = range(carry, len(eqn.outvars))
        initial = [f"%a{consts + i}" for i in range(carry)]
        lines = ["  br label %head", "head:"]
        lines += self._rotation(initial, "again")
        lines += [
            "  %round = phi i64 [ 0, %entry ], [ %following, %again ]",
            f"  %more = icmp ult i64 %round, {length}",
            "  br i1 %more, label %loop, label %done",
            "loop:",
        ]
        at = "%round"
        if eqn.params["reverse"]:
            lines.append(f"  %at = sub i64 {length - 1}, %round")
            at = "%at"
        for i in xs:
            lines += self._slice(f"%x{i}", f"%a{i}", at, self.step.operands[i])
        for i in ys:
            lines += self._slice(f"%y{i}", f"%o{i}", at, eqn.outvars[i])
        pointers = [f"%a{i}" for i in range(consts)]
        pointers += [f"%now{i}" for i in range(carry)] + [f"%x{i}" for i in xs]
        pointers += [f"%new{i}" for i in range(carry)] + [f"%y{i}" for i in ys]
        lines += [
            *self.call(0, pointers, "sb", "fail"),
            "  %following = add i64 %round, 1",
            *self._look(module, self.bodies[0].work, "again"),
            "again:",
            "  br label %head",
            "done:",
            *self._results(),
            "  ret i32 0",
            "fail:",
            "  ret i32 1",
        ]
        return lines

    def _slice(self, name: str, array: str, at: str, var: Var) -> list[str]:
        """The address of one entry of the first axis."""
        # memory may hold the array under another shape: rounds, not its first axis, count
        step = var.aval.nbytes // max(self.step.eqn.params["length"], 1)
        return [
            f"  {name}_by = mul i64 {at}, {step}",
            f"  {name} = getelementptr i8, ptr {array}, i64 {name}_by",
        ]


def letter(number: int) -> str:
    """Names of the programs of one step: a, b, …, then numbered."""
    return chr(ord("a") + number) if number < 26 else f"p{number}"
