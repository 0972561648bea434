"""A bar where tqdm is there."""

import importlib
import sys
import types

from adlib_kernel.actions.progress import progress


def test_without_tqdm_the_items_just_come(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert list(progress([1, 2, 3], "title")) == [1, 2, 3]


def test_with_tqdm_there_is_a_bar_that_closes_when_one_leaves(monkeypatch):
    seen = []

    class Bar:
        def __init__(self, items, desc, leave, delay):
            seen.append((desc, leave, delay))
            self.items = items

        def __enter__(self):
            return self

        def __exit__(self, *_):
            seen.append("closed")

        def __iter__(self):
            return iter(self.items)

    monkeypatch.setitem(sys.modules, "tqdm", types.SimpleNamespace(tqdm=Bar))
    bar = progress([1, 2], "title")
    assert next(bar) == 1
    bar.close()
    assert seen == [("title", False, 1.0), "closed"]


def test_the_bar_of_a_short_series_prints_nothing(capsys):
    importlib.import_module("adlib_kernel.actions.progress")
    list(progress(range(3), "title"))
    assert "title" not in capsys.readouterr().err
