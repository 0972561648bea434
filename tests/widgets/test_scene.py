"""Scenes: every text inside of its box, nested graphs inside of their equation."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.inspect import graph_record
from adlib_widgets import theme
from adlib_widgets.scene import Curve, Rect, Text, graph_scene


@adlib.custom_jvp
def rectified(x):
    return jnp.maximum(x, 0.0)


rectified.defjvp(lambda x, t: (rectified(*x), jnp.where(x[0] > 0, t[0], 0.0)))


def loop(weights, rows):
    def body(carry, row):
        carry = jnp.tanh(carry @ weights + row)
        return carry, carry.sum()

    return lax.scan(body, jnp.zeros(3), rows)[1].sum()


def choice(x):
    return lax.cond(x > 0, lambda y: lax.fori_loop(0, 3, lambda i, z: z * y, y), jnp.cos, x)


CONSTANT = np.arange(3.0)

PROGRAMS = {
    "gradient": (adlib.grad(lambda x: jnp.log(1.0 + jnp.exp(x))), (1.0,)),
    "loop": (loop, (np.ones((3, 3)), np.ones((5, 3)))),
    "gradient of loop": (adlib.grad(loop), (np.ones((3, 3)), np.ones((5, 3)))),
    "choice": (choice, (1.0,)),
    "calls": (adlib.jit(lambda x: rectified(adlib.jit(jnp.sin)(x))), (np.ones(4),)),
    "constants": (lambda x: (x * jnp.asarray(CONSTANT), 1.0, x), (np.ones(3),)),
}


@pytest.fixture(params=PROGRAMS, ids=str)
def record(request):
    function, args = PROGRAMS[request.param]
    return graph_record(adlib.make_jaxpr(function)(*args))


def extent(text: Text) -> tuple[float, float]:
    width = theme.text_width(text.text, text.size)
    start = {"start": 0.0, "middle": width / 2, "end": width}[text.anchor]
    return text.x - start, text.x - start + width


def test_every_text_lies_in_a_box(record):
    scene = graph_scene(record)
    boxes = [shape for shape in scene.shapes if isinstance(shape, Rect)]
    for text in (shape for shape in scene.shapes if isinstance(shape, Text)):
        left, right = extent(text)
        assert any(
            box.x <= left and right <= box.x + box.width and box.y < text.y < box.y + box.height
            for box in boxes
        ), text


def test_boxes_are_apart_or_one_inside_the_other(record):
    boxes = [shape for shape in graph_scene(record).shapes if isinstance(shape, Rect)]
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            apart = (
                a.x + a.width < b.x or b.x + b.width < a.x
                or a.y + a.height < b.y or b.y + b.height < a.y
            )  # fmt: skip
            b_in_a = (
                a.x < b.x and b.x + b.width < a.x + a.width
                and a.y < b.y and b.y + b.height < a.y + a.height
            )  # fmt: skip
            assert apart or b_in_a


def test_links_run_downward(record):
    for curve in (s for s in graph_scene(record).shapes if isinstance(s, Curve)):
        heights = [y for _, y in curve.points]
        assert heights == sorted(heights) and heights[0] < heights[-1]


def test_everything_lies_in_the_scene(record):
    scene = graph_scene(record)
    for shape in scene.shapes:
        if isinstance(shape, Rect):
            assert -0.1 <= shape.x and shape.x + shape.width <= scene.width + 0.1
            assert -0.1 <= shape.y and shape.y + shape.height <= scene.height + 0.1


def test_links_into_a_loop_end_above_the_inputs_that_they_feed():
    function, args = PROGRAMS["loop"]
    record = graph_record(adlib.make_jaxpr(function)(*args), input_names=["weights", "rows"])
    scene = graph_scene(record)
    texts = {shape.text: shape for shape in scene.shapes if isinstance(shape, Text)}
    ends = {round(s.points[-1][0], 1) for s in scene.shapes if isinstance(s, Curve)}
    for inside in ("const ← a", "slice ← b"):
        assert round(texts[inside].x, 1) in ends


def test_depth_zero_keeps_nested_graphs_closed():
    function, args = PROGRAMS["loop"]
    record = graph_record(adlib.make_jaxpr(function)(*args))
    closed, opened = graph_scene(record, depth=0), graph_scene(record)
    assert closed.height < opened.height
    texts = [shape.text for shape in closed.shapes if isinstance(shape, Text)]
    assert "scan" in texts and "tanh" not in texts


def test_inputs_go_by_the_names_of_the_function():
    record = graph_record(adlib.make_jaxpr(jnp.sin)(1.0), input_names=["angle"])
    texts = [s for s in graph_scene(record).shapes if isinstance(s, Text)]
    assert texts[0].text == "angle" and texts[0].bold
    assert texts[1].text == "a:f32[]"


def test_what_nothing_reads_is_dashed():
    function, args = PROGRAMS["gradient"]
    scene = graph_scene(graph_record(adlib.make_jaxpr(function)(*args)))
    assert sum(isinstance(s, Rect) and s.style is theme.UNREAD for s in scene.shapes) == 1


def test_drawing_again_gives_an_equal_scene(record):
    assert graph_scene(record) == graph_scene(record)
