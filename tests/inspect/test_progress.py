"""The hook through which long recordings say how far they are."""

import numpy as np
import pytest

from adlib.inspect import jacobian_record, reporting
from adlib.inspect.progress import progress

X = np.ones(40, np.float32)


def dense(x):
    return x * x.sum()


def test_without_a_reporter_the_items_pass_unchanged():
    items = [1, 2]
    assert progress(items, "columns") is items


def test_a_jacobian_by_columns_is_reported():
    heard = []

    def reporter(items, total, what):
        heard.append((total, what))
        for item in items:
            heard.append(item)
            yield item

    with reporting(reporter):
        record = jacobian_record(dense, (X,))
    assert heard[0] == (3, "Jacobian") and heard[1:] == [(0, 16), (16, 32), (32, 40)]
    whole = jacobian_record(dense, (X,))
    assert record == whole
    assert progress([1], "columns") == [1], "the reporter is gone"


def test_a_small_jacobian_is_not_reported():
    def reporter(items, total, what):
        raise AssertionError("one part needs no bar")

    with reporting(reporter):
        jacobian_record(dense, (X[:4],))


def test_an_interrupt_ends_the_work_and_the_report():
    def reporter(items, total, what):
        yield next(iter(items))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), reporting(reporter):
        jacobian_record(dense, (X,))
    assert progress([1], "columns") == [1]
