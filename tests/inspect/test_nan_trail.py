"""The way of bad numbers: rows, what is good and bad in them, and where in the arrays."""

import json
import math

import numpy as np
import pytest

import adlib.numpy as jnp
from adlib import lax
from adlib.inspect import nan_record
from adlib.inspect.nan_trail import picture_of


def entropy(x):
    return jnp.where(x > 0, x * jnp.log(x), 0.0).sum()


def statuses(row):
    return tuple(v and v.status for v in (row.primal, row.tangent, row.cotangent))


def test_the_trail_goes_from_the_input_to_the_output():
    record = nan_record(entropy, (np.array([1.0, 0.0, 0.5]),))
    rows = {row.id: row for row in record.trail}
    assert list(rows) == ["in_0", "gt_0", "log_0", "mul_0", "select_n_0", "reduce_sum_0"]
    assert statuses(rows["in_0"]) == ("good", "good", "nan") and rows["in_0"].text == "a = x"
    assert statuses(rows["gt_0"]) == ("good", None, None)
    assert statuses(rows["log_0"]) == ("inf", "inf", "good")
    assert statuses(rows["mul_0"]) == ("nan", "nan", "good")
    assert statuses(rows["select_n_0"]) == ("good", "good", "good")
    assert rows["reduce_sum_0"].output and not rows["mul_0"].output
    assert rows["mul_0"].reads == ("in_0", "log_0")
    assert rows["log_0"].code == "return jnp.where(x > 0, x * jnp.log(x), 0.0).sum()"


def test_the_found_equations_are_on_the_trail():
    record = nan_record(entropy, (np.array([1.0, 0.0]),))
    ids = [row.id for row in record.trail]
    found = [record.primal, record.tangent, record.cotangent, record.origin]
    assert [bad.row for bad in found] == ["mul_0", "log_0", "mul_0", "log_0"]
    assert all(bad.row in ids for bad in found)


def test_what_is_inside_of_a_loop_points_to_the_loop():
    def loop(x):
        return lax.scan(lambda c, y: (c * y, jnp.log(c)), 1.0, x)[1].sum()

    record = nan_record(loop, (np.array([1.0, 0.0, 2.0]),))
    assert (record.primal.step, record.primal.row) == ("log_0", "scan_0")
    assert "scan_0" in [row.id for row in record.trail]


def test_bad_inputs_are_rows_too():
    record = nan_record(lambda x, y: x * y, (1.0, math.nan))
    assert record.first.row == "in_1"
    assert [row.id for row in record.trail] == ["in_0", "in_1", "mul_0"]


def test_finite_functions_have_no_trail():
    assert nan_record(jnp.sin, (1.0,)).trail == ()


def test_functions_without_a_derivative_have_a_trail_of_values():
    def loop(x):
        return lax.while_loop(lambda c: c < 9, lambda c: c * 2, 1.0 - jnp.log(x))

    record = nan_record(loop, (0.0,))
    assert record.not_differentiated.startswith("Reverse-mode")
    assert [row.id for row in record.trail][:2] == ["in_0", "log_0"]


def test_long_trails_are_cut_but_keep_the_first():
    def long(x):
        for _ in range(200):
            x = x * 1.5
        return jnp.sqrt(-x)

    record = nan_record(lambda x: long(jnp.log(x)), (0.0,))
    ids = [row.id for row in record.trail]
    assert len(ids) <= 62 and "log_0" in ids and record.trail[-1].output


@pytest.mark.parametrize(
    ("array", "rows"),
    [
        (np.array([1.0, np.nan, 3.0]), ((1.0, math.nan, 3.0),)),
        (np.array([[1.0, -np.inf], [3.0, 4.0]]), ((1.0, -math.inf), (3.0, 4.0))),
        (np.array([1.0 + 1.0j, np.inf]), ((1.414, math.inf),)),
    ],
)
def test_a_picture_has_the_entries(array, rows):
    np.testing.assert_equal(picture_of(jnp.asarray(array)).rows, rows)


def test_a_picture_of_a_large_array_loses_no_bad_entry():
    array = np.zeros((5, 40, 50), np.float32)
    array[2, 7, 33] = np.nan
    array[4, 1, 2] = np.inf
    picture = picture_of(jnp.asarray(array))
    cells = [cell for row in picture.rows for cell in row]
    assert (len(picture.rows), len(picture.rows[0])) == (12, 24) and picture.shape == (5, 40, 50)
    assert sum(map(math.isnan, cells)) == 1 and cells.count(math.inf) == 1


def test_single_numbers_and_integers_have_no_picture():
    assert picture_of(jnp.asarray(1.0)) is None and picture_of(jnp.arange(3)) is None


def test_the_trail_is_json_and_repeats():
    first, second = (nan_record(entropy, (np.array([1.0, 0.0]),)) for _ in range(2))
    assert json.dumps(first.to_json(), allow_nan=False) == json.dumps(second.to_json())


def test_each_usual_repair_replaces_something():
    record = nan_record(lambda x: jnp.where(x > 0, jnp.sqrt(x), 0.0), (0.0,))
    assert record.first.repair_before == "jnp.where(x > 0, jnp.sqrt(x), 0.0)"
    record = nan_record(lambda x: jnp.log(jnp.exp(x)), (200.0,))
    assert record.first.repair_before.startswith("jnp.log(jnp.sum(jnp.exp(x)))")
