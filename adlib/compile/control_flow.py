"""Loops and branches as native functions around the bodies of their programs.

A carried value that its program can overwrite as it reads it (see ``in_place``) lives where the
loop's result will be, and updating a part of it touches that part alone. The others live in two
copies that take turns: a round reads one and writes the other, the first round reads the initial
values where they are. What a scan reads and stacks is read and written in place, at an address
that moves on with each round. Every few milliseconds a long loop looks whether Python has been
interrupted; between two looks it is a loop without calls of unknown functions, so that LLVM keeps
numbers in registers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adlib.compile.llvm_module import Module
from adlib.compile.memory import ALIGN
from adlib.compile.steps import Control
from adlib.core.jaxpr import Var

# Operations between two looks at interrupts: about a millisecond.
_BETWEEN_LOOKS = 1 << 20


class ControlPart:
    """A ``scan``, ``while`` or ``cond`` of native programs."""

    def __init__(self, step: Control, name: str, whole: Callable[..., Any]) -> None:
        self.name = name
        self.step = step
        self.variables: list[Var] = [*step.operands, *step.eqn.outvars]
        self._whole_program = whole
        self.bodies = self._written()
        self.nesting = 1 + max([b.nesting for b in self.bodies], default=0)
        self.kind = step.eqn.primitive.name
        # how often a while loop goes round is not known: often enough to be worth compiling well
        length: int = step.eqn.params.get("length", 1)
        self.rounds = {"scan": length, "while": 10_000}.get(self.kind, 1)
        self.work = max(1, sum(b.work for b in self.bodies)) * self.rounds
        self.looks = self.kind == "while" or self.kind == "scan" and self.work > _BETWEEN_LOOKS
        self.fallible = self.looks or any(b.fallible for b in self.bodies)
        self.in_place = self._shared()
        self.pairs: list[tuple[int, int]] = []  # operands and results of branches in one place
        self.scratch = 0
        self.layout: dict[Any, int] = {}
        self._lay_out()

    def _written(self) -> list[Any]:
        programs = enumerate(self.step.programs)
        return [self._whole_program(p, f"{self.name}_{letter(i)}") for i, p in programs]

    def _place(self, key: Any, size: int) -> None:
        self.layout[key] = self.scratch
        self.scratch += -(-max(size, 1) // ALIGN) * ALIGN

    def _lay_out(self) -> None:
        """Memory: copies of what is carried, the condition, and the programs' own arenas."""
        if self.kind != "cond":
            for i, var in enumerate(self.carried()):
                if i not in self.in_place:
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

    def _initial(self) -> int:
        """The number of the operand that is the first carried value."""
        params = self.step.eqn.params
        if self.kind == "while":
            return int(params["cond_nconsts"] + params["body_nconsts"])
        return int(params["num_consts"])

    def _shared(self) -> set[int]:
        """The numbers of the carried values that are updated where they are."""
        if self.kind == "cond":
            return set()
        body = self.bodies[-1]
        consts = self._initial()
        if self.kind == "while":
            consts -= self.step.eqn.params["cond_nconsts"]
        count = len(self.carried())
        inputs, results = body.read[consts : consts + count], body.written[:count]
        return {i for i in range(count) if body.share(inputs[i], results[i])}

    def share(self, read: Var, written: Var) -> bool:
        """Whether a result may lie where an operand does: as its initial value, or where every
        branch can overwrite what it reads."""
        if self.kind == "cond":
            return self._share_in_branches(read, written)
        carried = self.carried()
        if written not in carried or self.step.operands.count(read) != 1:
            return False
        number = carried.index(written)
        return number in self.in_place and self.step.operands[self._initial() + number] is read

    def _share_in_branches(self, read: Var, written: Var) -> bool:
        if self.step.operands.count(read) != 1 or self.step.operands[0] is read:
            return False
        pair = self.step.operands.index(read) - 1, self.step.eqn.outvars.index(written)
        if all([body.share(*_ends(body, pair)) for body in self.bodies]):
            self.pairs.append(pair)
            return True
        self.bodies = self._written()  # as they were: some may have been changed
        for before in self.pairs:
            for body in self.bodies:
                body.share(*_ends(body, before))
        return False

    # ----------------------------------------------------------------- rendering

    def render(self, module: Module) -> None:
        outside = module.rounds
        module.rounds = outside * self.rounds
        before = len(module.functions)
        for body in self.bodies:
            body.render(module)
        attributes = module.around(before)
        module.rounds = outside
        inputs = len(self.step.operands)
        outs = len(self.step.eqn.outvars)
        names = [*[f"%a{i}" for i in range(inputs)], *[f"%o{i}" for i in range(outs)]]
        params = ", ".join([f"ptr noalias {n}" for n in [*names, "%scratch"]])
        kind = "i32" if self.fallible else "void"
        lines = [f"define internal {kind} @{self.name}({params}) {attributes} {{", "entry:"]
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

    # ------------------------------------------------------------------- loops

    def _places(self, which: str) -> list[str]:
        """Where carried values are read (``now``) or written (``new``) in a round."""
        count = len(self.carried())
        return [f"%o{i}" if i in self.in_place else f"%{which}{i}" for i in range(count)]

    def _start(self) -> list[str]:
        """Initial values go to where they will be updated, unless they are there."""
        lines = []
        for i, var in enumerate(self.carried()):
            if i in self.in_place:
                initial = f"%a{self._initial() + i}"
                lines += [
                    f"  %there{i} = icmp eq ptr {initial}, %o{i}",
                    f"  br i1 %there{i}, label %started{i}, label %start{i}",
                    f"start{i}:",
                    _copy(f"%o{i}", initial, var),
                    f"  br label %started{i}",
                    f"started{i}:",
                ]
        return [*lines, "  br label %enter", "enter:"]

    def _finish(self) -> list[str]:
        """The last carried values become the results."""
        rest = [(i, v) for i, v in enumerate(self.carried()) if i not in self.in_place]
        lines = [_copy(f"%o{i}", f"%now{i}", v) for i, v in rest]
        return [*lines, "  ret i32 0" if self.fallible else "  ret void"]

    def _turns(self, suffix: str, edges: Sequence[tuple[str, str]]) -> list[str]:
        """Phi nodes: where a carried value is read, is written, and will be written next.

        ``edges`` are the ways into a block: its predecessor, and what the values are there.
        """
        lines = []
        for i in range(len(self.carried())):
            if i in self.in_place:
                continue
            ways: dict[str, tuple[str, str, str]] = {
                "first": (
                    f"%a{self._initial() + i}",
                    self.at(("copy", i, 0)),
                    self.at(("copy", i, 1)),
                ),
                "outer": (f"%now{i}_outer", f"%new{i}_outer", f"%next{i}_outer"),
                "turned": (f"%new{i}", f"%next{i}", f"%new{i}"),
            }
            for k, name in enumerate(("now", "new", "next")):
                found = ", ".join([f"[ {ways[what][k]}, %{block} ]" for block, what in edges])
                lines.append(f"  %{name}{i}{suffix} = phi ptr {found}")
        return lines

    def _rounds(self, module: Module, more: list[str], round_: list[str]) -> list[str]:
        """Rounds, and looks at interrupts every so many of them.

        Args:
          more: lines that go to ``body`` or to ``done``, in the block ``head``.
          round_: lines of a round.
        """
        turn = ["  %following = add nuw i64 %round, 1"]
        if not self.looks:
            return [
                "  br label %head",
                "head:",
                *self._turns("", [("enter", "first"), ("again", "turned")]),
                "  %round = phi i64 [ 0, %enter ], [ %following, %again ]",
                *more,
                "body:",
                *round_,
                *turn,
                "  br label %again",
                "again:",
                "  br label %head",
            ]
        every = 1
        while every * max(sum(b.work for b in self.bodies), 1) < _BETWEEN_LOOKS:
            every *= 2
        return [
            "  br label %outer",
            "outer:",
            *self._turns("_outer", [("enter", "first"), ("rested", "turned")]),
            "  %from = phi i64 [ 0, %enter ], [ %following, %rested ]",
            f"  %until = add nuw i64 %from, {every}",
            "  br label %head",
            "head:",
            *self._turns("", [("outer", "outer"), ("again", "turned")]),
            "  %round = phi i64 [ %from, %outer ], [ %following, %again ]",
            *more,
            "body:",
            *round_,
            *turn,
            "  %due = icmp eq i64 %following, %until",
            "  br i1 %due, label %look, label %again",
            "again:",
            "  br label %head",
            "look:",
            f"  %stop = call i32 {module.interrupted()}()",
            "  %stopped = icmp ne i32 %stop, 0",
            "  br i1 %stopped, label %fail, label %rested",
            "rested:",
            "  br label %outer",
        ]

    def _while(self, module: Module) -> list[str]:
        module.memcpy()
        conds = self.step.eqn.params["cond_nconsts"]
        consts = [f"%a{i}" for i in range(self._initial())]
        now, new = self._places("now"), self._places("new")
        more = [
            *self.call(0, [*consts[:conds], *now, "%condition"], "sc", "fail"),
            "  %go = load i8, ptr %condition",
            "  %going = icmp ne i8 %go, 0",
            "  br i1 %going, label %body, label %done",
        ]
        round_ = self.call(1, [*consts[conds:], *now, *new], "sb", "fail")
        return self._whole(module, more, round_)

    def _scan(self, module: Module) -> list[str]:
        module.memcpy()
        eqn = self.step.eqn
        consts, carry = eqn.params["num_consts"], eqn.params["num_carry"]
        length = eqn.params["length"]
        xs = range(consts + carry, len(self.step.operands))
        ys = range(carry, len(eqn.outvars))
        more = [
            f"  %more = icmp ult i64 %round, {length}",
            "  br i1 %more, label %body, label %done",
        ]
        round_ = []
        at = "%round"
        if eqn.params["reverse"]:
            round_.append(f"  %at = sub i64 {length - 1}, %round")
            at = "%at"
        for i in xs:
            round_ += self._slice(f"%x{i}", f"%a{i}", at, self.step.operands[i])
        for i in ys:
            round_ += self._slice(f"%y{i}", f"%o{i}", at, eqn.outvars[i])
        pointers = [f"%a{i}" for i in range(consts)]
        pointers += [*self._places("now"), *[f"%x{i}" for i in xs]]
        pointers += [*self._places("new"), *[f"%y{i}" for i in ys]]
        return self._whole(module, more, [*round_, *self.call(0, pointers, "sb", "fail")])

    def _whole(self, module: Module, more: list[str], round_: list[str]) -> list[str]:
        lines = [*self._start(), *self._rounds(module, more, round_), "done:", *self._finish()]
        return [*lines, *(["fail:", "  ret i32 1"] if self.fallible else [])]

    def _slice(self, name: str, array: str, at: str, var: Var) -> list[str]:
        """The address of one entry of the first axis."""
        # memory may hold the array under another shape: rounds, not its first axis, count
        step = var.aval.nbytes // max(self.step.eqn.params["length"], 1)
        return [
            f"  {name}_by = mul i64 {at}, {step}",
            f"  {name} = getelementptr i8, ptr {array}, i64 {name}_by",
        ]


def _ends(body: Any, pair: tuple[int, int]) -> tuple[Var, Var]:
    """An operand and a result of a branch's program, by their numbers."""
    return body.read[pair[0]], body.written[pair[1]]


def _copy(target: str, source: str, var: Var) -> str:
    size = var.aval.nbytes
    return f"  call void @llvm.memcpy.p0.p0.i64(ptr {target}, ptr {source}, i64 {size}, i1 false)"


def letter(number: int) -> str:
    """Names of the programs of one step: a, b, …, then numbered."""
    return chr(ord("a") + number) if number < 26 else f"p{number}"
