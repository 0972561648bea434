"""Thousands of equations open folded, few elements in the page, and their picture can be dragged.

How fast this is, ``python -m benchmarks.views`` measures.
"""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib_widgets import show_jaxpr

pytestmark = pytest.mark.browser

MOVES = 60

# Drags the picture by a pixel before each frame.
PAN = """new Promise(done => {
  const svg = el.querySelector("svg");
  const { left, top } = svg.getBoundingClientRect();
  const send = (kind, at) => svg.dispatchEvent(new PointerEvent(kind, {
    pointerId: 1, button: 0, buttons: 1, bubbles: true, clientX: left + at, clientY: top + at }));
  svg.setPointerCapture = () => {};
  let moves = 0;
  send("pointerdown", 20);
  const step = () => {
    if (moves++ < given) { send("pointermove", 20 + moves); requestAnimationFrame(step); return; }
    send("pointerup", 20 + moves);
    done();
  };
  requestAnimationFrame(step);
})"""


def unrolled(weights, rows):
    state = jnp.zeros(3)
    for row in rows:
        state = jnp.tanh(weights @ state + row)
    return state.sum()


def test_two_thousand_equations_open_folded_and_pan(module_page):
    rows = np.ones((180, 3), np.float32)
    view = show_jaxpr(adlib.grad(unrolled))(np.ones((3, 3), np.float32) / 4, rows)
    assert len(view.jaxpr.jaxpr.eqns) > 2000
    shown = module_page.explore(view.explore())
    shown.el.locator(".adlib-j-tile").first.wait_for()
    assert shown.el.locator(".adlib-j-tile").count() < 100
    # the work of a frame is bounded by what is in the picture
    assert shown.evaluate("el.querySelector('svg.adlib-j-svg').querySelectorAll('*').length") < 2000

    picture = shown.el.locator("svg.adlib-j-svg")
    before = picture.get_attribute("viewBox")
    shown.evaluate(PAN, MOVES)
    assert picture.get_attribute("viewBox") != before
