"""The record of a Jacobian: names, pattern, groups, and sizes that stay small."""

import json

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.inspect import AssembledJacobian, JacobianRecord, jacobian, jacobian_record
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


def parameters():
    return {"w": np.ones((2, 3), np.float32), "b": X[:2]}


def affine(p, x):
    return {"y": p["w"] @ x + p["b"], "n": (x**2).sum()}


def test_leaves_are_blocks():
    found = AssembledJacobian(affine, (parameters(), X[:3]), argnums=(0, 1))
    assert [(leaf.name, leaf.start, leaf.size) for leaf in found.inputs] == [
        ("p['b']", 0, 2),
        ("p['w']", 2, 6),
        ("x", 8, 3),
    ]
    assert [(leaf.name, leaf.type) for leaf in found.outputs] == [
        ("out['n']", "f32[]"),
        ("out['y']", "f32[2]"),
    ]
    i, j, positions = found.block(1, 0)
    values = found.values[positions]
    assert sorted(zip(i.tolist(), j.tolist(), values.tolist(), strict=True)) == [
        (0, 0, 1.0),
        (1, 1, 1.0),
    ]
    columns, rows = found.block_colours(1, 0)
    assert columns.tolist() == [0, 0] and rows.tolist() == [0, 0]
    assert found.row_name(2) == "out['y'][1]" and found.column_name(5) == "p['w'][1,0]"


def test_entries_and_their_place_outside_of_the_pattern():
    found = AssembledJacobian(band, (X,))
    assert found.entry(0, 1) == 1.0 and found.entry(0, 4) == 0.0


def test_costs_are_of_the_chosen_arguments():
    one = AssembledJacobian(affine, (parameters(), X[:3]), argnums=1).costs
    both = AssembledJacobian(affine, (parameters(), X[:3]), argnums=(0, 1)).costs
    assert one.function == both.function and one.jvp < both.jvp


def test_empty_leaves_share_their_start_with_what_follows():
    found = AssembledJacobian(lambda p: p["b"] * 2.0, ({"a": X[:0], "b": X[:2]},))
    assert found.column_name(0) == "p['b'][0]" and found.paths(1, 1).value == 2.0


def test_modes_that_a_function_lacks_are_known():
    def loop(x):
        return adlib.lax.while_loop(lambda c: c.sum() < 50.0, lambda c: c * 2.0, x)

    assert AssembledJacobian(loop, (X,)).restricted == "fwd"
    assert AssembledJacobian(band, (X,)).restricted == ""


def test_both_modes_agree_but_for_what_where_leaves_out():
    found = AssembledJacobian(band, (X,))
    assert found.by_mode[0] is found.by_mode[1] is found.values

    def unsafe(x):
        return jnp.where(x > 0, jnp.sqrt(x), 0.0)

    point = np.array([0.0, 4.0], np.float32)
    forward, reverse = AssembledJacobian(unsafe, (point,)).by_mode
    np.testing.assert_allclose(forward, [0.0, 0.25])
    np.testing.assert_allclose(reverse, [np.nan, 0.25])
    np.testing.assert_allclose(adlib.jacfwd(unsafe)(point).diagonal(), forward)
    np.testing.assert_allclose(adlib.jacrev(unsafe)(point).diagonal(), reverse)


def test_large_blocks_keep_the_groups_of_the_whole(monkeypatch):
    found = AssembledJacobian(affine, (parameters(), X[:3]), argnums=(0, 1))
    monkeypatch.setattr(jacobian, "_MOST_COLOURED", 0)
    columns, rows = found.block_colours(1, 1)
    i, j, _ = found.block(1, 1)
    for colours, mine, others in ((columns, j, i), (rows, i, j)):
        pairs = list(zip(colours[mine].tolist(), others.tolist(), strict=True))
        assert len(set(pairs)) == len(pairs)
        assert set(colours.tolist()) == set(range(colours.max() + 1))


def test_a_second_mode_that_would_take_long_is_not_asked(monkeypatch):
    monkeypatch.setattr(jacobian, "_MOST_WORK", 0)

    def unsafe(x):
        return jnp.where(x > 0, jnp.sqrt(x), 0.0)

    found = AssembledJacobian(unsafe, (X[:2] * 0.0,))
    assert found.by_mode[0] is found.by_mode[1] is found.values
