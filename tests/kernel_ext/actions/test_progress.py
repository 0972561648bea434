"""Bars where tqdm is there: late, closed in the end, closed after an interrupt."""

import io
import sys
import time
import types

import pytest
import tqdm as real

import adlib
import adlib.numpy as jnp
from adlib.inspect import flow_record, jacobian_record
from adlib.inspect.progress import progress as reported
from adlib_kernel.actions import progress as module
from adlib_kernel.actions.progress import bars, progress


class Bar:
    """A stand-in for tqdm that notes what happens to it."""

    made: list["Bar"] = []

    def __init__(self, items, desc, leave, delay, total=None):
        self.items, self.desc, self.total, self.options = items, desc, total, (leave, delay)
        self.closed, self.seen = 0, 0
        Bar.made.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __iter__(self):
        for item in self.items:
            self.seen += 1
            yield item

    def close(self):
        self.closed += 1


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", types.SimpleNamespace(tqdm=Bar))
    Bar.made = []
    return Bar.made


@pytest.fixture
def on_paper(monkeypatch):
    """The real bars, written to where they can be read."""
    paper = io.StringIO()

    class Written(real.tqdm):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, file=paper, mininterval=0.0, **kwargs)

    monkeypatch.setitem(sys.modules, "tqdm", types.SimpleNamespace(tqdm=Written))
    return paper


def test_without_tqdm_the_items_just_come(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert list(progress([1, 2, 3], "title")) == [1, 2, 3]
    with bars():
        assert list(reported([1, 2], "rows")) == [1, 2]


def test_a_bar_closes_when_one_leaves(fake):
    bar = progress([1, 2], "title")
    assert next(bar) == 1
    bar.close()
    assert [(b.desc, b.options, b.closed) for b in fake] == [("title", (False, 0.5), 1)]


def test_a_short_series_prints_nothing(capsys, on_paper):
    assert list(progress(range(3), "title")) == [0, 1, 2]
    with bars("%flow"):
        flow_record(lambda x: jnp.sin(x) * x, (1.0,))
    assert on_paper.getvalue() == "" and capsys.readouterr().err == ""


def test_a_long_series_shows_a_bar_and_wipes_it(on_paper, monkeypatch):
    monkeypatch.setattr(module, "_DELAY", 0.02)
    for _ in progress(range(4), "slow"):
        time.sleep(0.02)
    shown = on_paper.getvalue()
    assert "slow:" in shown and "/4" in shown
    assert shown.rsplit("\r", 2)[-2].strip() == "" and shown.endswith("\r")


def test_recorders_report_both_sweeps(fake):
    with bars("%flow"):
        flow_record(lambda x: jnp.sin(x) * x, (1.0,))
    assert [(b.desc, b.total, b.seen) for b in fake] == [
        ("%flow: equations, forward", 2, 2),
        ("%flow: equations, in reverse", 2, 2),
    ]
    assert all(b.closed for b in fake)


def test_jacobians_report_their_columns(fake):
    with bars("%jacobian"):
        jacobian_record(lambda x: x * x.sum(), (jnp.ones(40),))
    assert [b.desc for b in fake] == ["%jacobian: Jacobian"] and fake[0].closed


def test_outside_of_the_context_nobody_listens(fake):
    with bars():
        pass
    flow_record(jnp.sin, (1.0,))
    assert fake == []


def test_an_interrupt_closes_the_bar_at_once_and_leaves_adlib_usable(fake):
    class Impatient(Bar):
        def __iter__(self):
            yield from list(self.items)[:1]
            raise KeyboardInterrupt

    sys.modules["tqdm"].tqdm = Impatient
    kept = None
    try:
        with bars():
            flow_record(lambda x: jnp.sin(x) * x, (1.0,))
    except KeyboardInterrupt as interrupt:
        kept = interrupt  # with its traceback, as IPython keeps it
    assert kept is not None and [b.closed for b in fake] == [1]
    assert float(adlib.grad(jnp.sin)(0.0)) == 1.0
    flow_record(jnp.sin, (1.0,))
    assert len(fake) == 1


@pytest.mark.parametrize("transform", [adlib.grad, adlib.jit, adlib.make_jaxpr, adlib.vmap])
def test_an_interrupt_inside_a_transformation_leaves_no_interpreter_behind(transform):
    def interrupted(x):
        jnp.sin(x)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transform(interrupted)(jnp.ones(2) if transform is adlib.vmap else 1.0)
    assert type(jnp.sin(1.0)) is type(jnp.asarray(1.0))  # a number again, not a tracer
    assert float(adlib.grad(lambda x: x * x)(3.0)) == 6.0
