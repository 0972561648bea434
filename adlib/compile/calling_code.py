"""Functions in LLVM's language that call the interpreter, written with blocks of Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from adlib.compile.llvm_module import Module


class Code:
    """Writes one function; loops and branches are ``with`` blocks."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.slots: list[str] = []
        self.lines: list[str] = []
        self.count = 0

    def let(self, text: str) -> str:
        self.count += 1
        self.lines.append(f"  %v{self.count} = {text}")
        return f"%v{self.count}"

    def do(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def label(self) -> str:
        self.count += 1
        return f"l{self.count}"

    def variable(self, type_: str, initial: str) -> str:
        """A place on the stack."""
        self.count += 1
        self.slots.append(f"  %s{self.count} = alloca {type_}")
        self.do(f"store {type_} {initial}, ptr %s{self.count}")
        return f"%s{self.count}"

    def at(self, base: str, offset: int | str) -> str:
        """An address, in bytes from another."""
        return self.let(f"getelementptr i8, ptr {base}, i64 {offset}")

    def load(self, base: str, offset: int | str = 0, type_: str = "ptr") -> str:
        return self.let(f"load {type_}, ptr {self.at(base, offset)}")

    def word(self, base: str, number: int) -> str:
        return self.load(base, 8 * number, "i64")

    def store(self, value: str, base: str, offset: int | str = 0, type_: str = "ptr") -> None:
        self.do(f"store {type_} {value}, ptr {self.at(base, offset)}")

    def entry(self, base: str, index: str) -> str:
        """The address of an entry in an array of words."""
        return self.let(f"getelementptr i64, ptr {base}, i64 {index}")

    def is_(self, x: str, y: str | int, type_: str = "i64") -> str:
        return self.let(f"icmp eq {type_} {x}, {y}")

    def call(self, name: str, *args: str, result: str = "ptr") -> str:
        """Call a function of the interpreter, by its address."""
        function = self.let(f"load ptr, ptr {self.module.link(name)}")
        text = f"call {result} {function}({', '.join(args)})"
        if result == "void":
            self.do(text)
            return ""
        return self.let(text)

    def object(self, name: str) -> str:
        """A Python object, by the name that it has in ``calling``."""
        return self.let(f"load ptr, ptr {self.module.link(f'object:{name}')}")

    def objects(self, *names: str) -> list[str]:
        """Python objects as arguments."""
        return [f"ptr {self.object(name)}" for name in names]

    def drop(self, thing: str) -> None:
        self.call("py:Py_DecRef", f"ptr {thing}", result="void")

    def keep(self, thing: str) -> None:
        self.call("py:Py_IncRef", f"ptr {thing}", result="void")

    def go(self, label: str) -> None:
        """Jump; what follows in the text starts with a label, or is never reached."""
        self.do(f"br label %{label}")

    def leave(self, condition: str, label: str) -> None:
        following = self.label()
        self.do(f"br i1 {condition}, label %{label}, label %{following}")
        self.lines.append(f"{following}:")

    def need(self, condition: str, otherwise: str) -> None:
        following = self.label()
        self.do(f"br i1 {condition}, label %{following}, label %{otherwise}")
        self.lines.append(f"{following}:")

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        after = self.label()
        self.need(condition, after)
        yield
        self.do(f"br label %{after}")
        self.lines.append(f"{after}:")

    @contextmanager
    def each(self, count: str) -> Iterator[str]:
        """A loop; the name of its index."""
        index = self.variable("i64", "0")
        head, after = self.label(), self.label()
        self.do(f"br label %{head}")
        self.lines.append(f"{head}:")
        now = self.load(index, 0, "i64")
        self.need(self.let(f"icmp slt i64 {now}, {count}"), after)
        yield now
        self.store(self.let(f"add i64 {now}, 1"), index, 0, "i64")
        self.do(f"br label %{head}")
        self.lines.append(f"{after}:")

    def mark(self, label: str) -> None:
        """A place to jump to, which the text also runs into."""
        self.do(f"br label %{label}")
        self.lines.append(f"{label}:")

    def function(self, signature: str) -> None:
        body = "\n".join([*self.slots, *self.lines])
        self.module.functions.append(f"define {signature} nounwind {{\nentry:\n{body}\n}}\n")
