"""What can be folded, what is open at first, and links that run to and from closed parts."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.inspect import graph_record
from adlib_widgets import theme
from adlib_widgets.outline import MOST_OPEN, Outline
from adlib_widgets.scene import Curve, Painter, Placed, Rect, Stub, Text, scene_of
from adlib_widgets.theme import text_width


def unrolled(weights, rows):
    state = jnp.zeros(3)
    for row in rows:
        state = jnp.tanh(weights @ state + row)
    return state.sum()


def loop(weights, rows):
    def body(carry, row):
        carry = jnp.tanh(carry @ weights + row)
        return carry, carry.sum()

    return lax.scan(body, jnp.zeros(3), rows)[1].sum()


def many_calls(x):
    step = adlib.jit(lambda y: jnp.sin(y) * jnp.cos(y) + jnp.exp(y))
    for _ in range(50):
        x = step(x)
    return x


def steps(count):
    return np.ones((3, 3), np.float32), np.ones((count, 3), np.float32)


def outline_of(function, *args):
    return Outline(graph_record(adlib.make_jaxpr(function)(*args)))


@pytest.fixture(scope="module")
def long():
    return outline_of(adlib.grad(unrolled), *steps(100))


def seen(drawing, path=""):
    """Every tile in sight, and every level's links."""
    for tile in drawing.tiles:
        yield tile
        for piece in tile.content:
            if isinstance(piece, Placed):
                yield from seen(piece.drawing)


def test_a_small_program_has_its_nested_programs_only():
    outline = outline_of(loop, *steps(5))
    assert list(outline.foldable) == ["scan_0"]
    assert outline.to_depth(0) == frozenset()
    assert outline.to_depth(None) == outline.at_first() == outline.everything() == {"scan_0"}


def test_a_long_program_opens_folded(long):
    drawing = Painter(long).draw(long.at_first())
    tiles = list(seen(drawing))
    assert len(tiles) < 60
    assert sum(tile.foldable for tile in tiles) == 2  # the forward and the reverse steps
    assert long.to_depth(None) == frozenset()


def test_many_nested_programs_are_not_all_drawn_open():
    outline = outline_of(many_calls, 1.0)
    assert len(outline.foldable) == 50
    assert len(list(seen(Painter(outline).draw(outline.at_first())))) <= MOST_OPEN
    assert outline.to_depth(2) == outline.everything()  # who asks for a depth gets it


def test_values_between_parts_run_in_one_link(long):
    top = Painter(long).draw(frozenset())
    pairs = [(link.source, link.target) for link in top.links if link.target.startswith("rep")]
    assert len(pairs) == len(set(pairs))
    wide = max(top.links, key=lambda link: len(link.values))
    assert wide.source.startswith("repetition") and len(wide.values) > 100


def test_every_node_can_be_brought_to_sight(long):
    drawing = Painter(long).draw(long.everything())
    closed = {tile.path for tile in seen(drawing) if not tile.open}
    assert {node.id for node in long.record.nodes} == closed


def test_opening_all_keeps_boxes_apart(long):
    opened = [path for path in long.foldable if "_1_" in path or path.startswith("rep")]
    scene = scene_of(Painter(long).draw(frozenset(opened)))
    boxes = [shape for shape in scene.shapes if isinstance(shape, Rect)]
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            apart = (
                a.x + a.width < b.x or b.x + b.width < a.x
                or a.y + a.height < b.y or b.y + b.height < a.y
            )  # fmt: skip
            inside = (
                a.x < b.x and b.x + b.width < a.x + a.width
                and a.y < b.y and b.y + b.height < a.y + a.height
            )  # fmt: skip
            assert apart or inside


def test_values_from_outside_of_an_open_part_are_stubs(long):
    closed, part = frozenset(), next(iter(long.foldable))
    painter = Painter(long)

    def stubs(opened):
        return [s for s in scene_of(painter.draw(opened)).shapes if isinstance(s, Stub)]

    assert not stubs(closed)
    arriving = [stub for stub in stubs({part}) if not stub.down]
    assert arriving and all(isinstance(stub, Stub) for stub in arriving)


def test_what_stays_closed_is_not_drawn_again(long, monkeypatch):
    painter = Painter(long)
    first, *_ = long.foldable
    painter.draw({first})
    drawn = []
    draw = Painter._draw_level

    def spy(self, level, opened, depth, labels):
        drawn.append(len(level.items))
        return draw(self, level, opened, depth, labels)

    monkeypatch.setattr(Painter, "_draw_level", spy)
    painter.draw(frozenset())
    painter.draw({first})
    assert len(drawn) == 1  # only the top without anything open was new


def test_labels_have_their_room():
    outline = outline_of(loop, *steps(5))
    plain, labelled = (
        Painter(outline).draw(outline.everything(), labels=on) for on in (False, True)
    )
    assert labelled.height > plain.height
    assert not any(isinstance(piece, Curve) for tile in labelled.tiles for piece in tile.content)
    texts = [
        piece
        for tile in seen(labelled)
        for piece in tile.content
        if getattr(piece, "text", None) == "f32[3,3]" and piece.y < 0
    ]
    assert texts


def scoped(x):
    with adlib.named_scope("first"):
        x = jnp.sin(x) * 2.0
    return jnp.exp(x) + x


def many_operands(weights, x):
    def body(carry, row):
        for weight in weights:
            carry = jnp.tanh(carry * weight + row)
        return carry, carry.sum()

    return lax.scan(body, x, jnp.ones((3, 4)))[1].sum()


def test_named_scopes_are_open_at_first_and_fold():
    outline = outline_of(scoped, 1.0)
    (scope,) = outline.foldable
    assert outline.to_depth(None) == outline.at_first() == {scope}
    assert outline.to_depth(0) == frozenset()
    paths = [tile.path for tile in seen(Painter(outline).draw(frozenset()))]
    assert paths == ["in_0", scope, "exp_0", "add_0", "out_0"]


def test_labels_of_links_to_one_closed_part_are_one():
    outline = outline_of(many_operands, [jnp.ones(4)] * 40, jnp.ones(4))
    for opened in ({"scan_0"}, outline.everything()):
        scene = scene_of(Painter(outline).draw(opened, labels=True))
        labels = [
            (s.x - text_width(s.text, s.size) / 2, s.x + text_width(s.text, s.size) / 2, s.y)
            for s in scene.shapes
            if isinstance(s, Text) and s.color == theme.EDGE
        ]
        assert labels
        for i, (left, right, y) in enumerate(labels):
            for other in labels[i + 1 :]:
                assert right <= other[0] or other[1] <= left or abs(y - other[2]) >= 11
