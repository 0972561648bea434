"""The record of a Jacobian: names, pattern, groups, and sizes that stay small."""

import json

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.inspect import JacobianRecord, jacobian_record
from adlib.inspect.jacobian import MOST_PLACES

X = np.arange(1.0, 6.0, dtype=np.float32)


def band(x):
    return x[1:] * x[:-1]


def test_the_matrix_is_the_jacobian():
    record = jacobian_record(band, (X,))
    dense = np.zeros(record.matrix.shape)
    for cell in record.matrix.cells:
        dense[cell.row, cell.column] = cell.value
    np.testing.assert_allclose(dense, adlib.jacfwd(band)(X))
    assert record.matrix.whole and record.entries == 8 and record.zeros == 0
    assert record.columns == ("x[0]", "x[1]", "x[2]", "x[3]", "x[4]")
    assert record.rows == ("out[0]", "out[1]", "out[2]", "out[3]")
    assert record.pushforwards == (5, 2) and record.pullbacks == (4, 2)


def test_products_by_groups_hold_every_entry():
    record = jacobian_record(band, (X,))
    sums = {(c.row, c.column): c for c in record.by_columns.cells}
    for cell in record.matrix.cells:
        found = sums[cell.row, record.column_colours[cell.column]]
        assert found.value == cell.value and found.entries == 1
    assert record.by_rows.shape == (2, 5)


def test_pytrees_and_chosen_arguments_are_named():
    def function(scale, tree):
        return {"y": tree["u"] * scale, "z": tree["v"].sum()}

    tree = {"u": X[:2], "v": np.ones((1, 2), np.float32)}
    record = jacobian_record(function, (2.0, tree), argnums=1)
    assert record.columns == (
        "tree['u'][0]",
        "tree['u'][1]",
        "tree['v'][0,0]",
        "tree['v'][0,1]",
    )
    assert record.rows == ("out['y'][0]", "out['y'][1]", "out['z']")
    assert jacobian_record(lambda x: x**2, (3.0,)).columns == ("x",)


def test_a_large_matrix_is_recorded_small():
    size = 1000
    record = jacobian_record(lambda x: x**2 + 1.0, (np.ones(size, np.float32),))
    assert max(record.matrix.picture) <= MOST_PLACES and not record.matrix.whole
    assert record.columns == () and record.entries == size
    assert sum(cell.entries for cell in record.matrix.cells) == size
    assert len(record.matrix.cells) <= 2 * MOST_PLACES


def test_json():
    record = jacobian_record(lambda x: jnp.sqrt(x), (np.zeros(2, np.float32),))
    text = json.dumps(record.to_json(), allow_nan=False)
    assert '"inf"' in text and json.loads(text)["version"] == 1


def test_a_function_without_forward_mode_is_pulled_back():
    @adlib.custom_vjp
    def doubled(x):
        return 2.0 * x

    doubled.defvjp(lambda x: (2.0 * x, None), lambda _, ct: (2.0 * ct,))
    assert jacobian_record(doubled, (X[:1],)).matrix.cells[0].value == 2.0


def test_what_the_function_raises_comes_through():
    def broken(x):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="^mine$"):
        jacobian_record(broken, (X,))


def test_an_empty_function():
    record = jacobian_record(lambda x: x[:0], (X,))
    assert isinstance(record, JacobianRecord) and record.entries == 0
    assert record.matrix.shape == (0, 5)
