"""Bars in cells without a magic: there while a cell runs, gone after it, also after an error."""

import sys
import types

import pytest

import adlib.numpy as jnp
from adlib.inspect import flow_record


class Bar:
    made: list["Bar"] = []

    def __init__(self, items, desc, **_):
        self.items, self.desc, self.closed = items, desc, False
        Bar.made.append(self)

    def __iter__(self):
        return iter(self.items)

    def close(self):
        self.closed = True


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", types.SimpleNamespace(tqdm=Bar))
    Bar.made = []
    return Bar.made


CELL = "import adlib.numpy as jnp\nfrom adlib_widgets import show_flow\nshow_flow(jnp.sin)(1.0)"


def test_a_view_in_a_cell_reports(ipython, fake):
    ipython.run(CELL)
    assert [bar.desc for bar in fake] == ["equations, forward", "equations, in reverse"]
    assert all(bar.closed for bar in fake)


def test_between_cells_and_after_unloading_nobody_listens(ipython, fake):
    ipython.run("1 + 1")
    flow_record(jnp.sin, (1.0,))
    assert fake == []
    ipython.shell.extension_manager.unload_extension("adlib_kernel")
    ipython.run(CELL)
    assert fake == []
    ipython.shell.extension_manager.load_extension("adlib_kernel")
    ipython.run(CELL)
    assert len(fake) == 2


def test_an_error_in_the_cell_ends_its_bars(ipython, fake):
    kind, _ = ipython.error(CELL + "\n1 / 0")
    assert kind == "ZeroDivisionError" and all(bar.closed for bar in fake)
    flow_record(jnp.sin, (1.0,))
    assert len(fake) == 2


def test_a_cell_that_awaits(ipython, fake):
    ipython.run("import asyncio\nawait asyncio.sleep(0)\n" + CELL)
    assert len(fake) == 2 and all(bar.closed for bar in fake)
    flow_record(jnp.sin, (1.0,))
    assert len(fake) == 2
