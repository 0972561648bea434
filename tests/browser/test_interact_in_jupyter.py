"""interact in JupyterLab: sliders that move the picture, fast ones too, and errors in its place."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

CODE = """
import time
import adlib.numpy as jnp
from adlib_widgets import interact, show_flow, show_jacobian, show_memory

runs = []

def f(x, kind, y):
    runs.append(x)
    time.sleep(0.06)
    if kind == "broken":
        raise ValueError("this <kind> is broken")
    return jnp.sin(x) * y

box = interact(show_flow(f), x=(0.0, 3.0), kind=["plain", "broken"], y=2.0)
box
"""
EVERY = """
import numpy as np
from adlib_widgets import show_derivation, show_jaxpr, why_nan

def layer(scale, x):
    return jnp.tanh(scale * x) * x[::-1]

X = np.linspace(0.5, 1.5, 4).astype(np.float32)
shows = [show_flow, show_jacobian, show_memory, show_jaxpr, why_nan]
shows.append(lambda f: show_derivation(f, "jvp"))
boxes = [interact(show(layer), scale=(0.1, 2.0), x=X) for show in shows]
import ipywidgets
ipywidgets.VBox(boxes)
"""


def test_a_dragged_slider_moves_the_picture_and_nothing_queues_up(open_code):
    page = open_code(CODE)
    cell = page.cell("interact(")
    view = page.widget("interact(")
    expect(view.locator('.flow-row[data-row="0"] .flow-primal')).to_have_text("1.5")
    knob = cell.locator(".noUi-handle").first
    track = cell.locator(".noUi-target").first.bounding_box()
    mouse, y = page.page.mouse, track["y"] + track["height"] / 2
    knob.hover()
    mouse.down()
    moves = 60
    for i in range(moves):  # to and fro, faster than the function
        mouse.move(track["x"] + track["width"] * (0.5 + 0.4 * ((-1) ** i) * i / moves), y)
    mouse.move(track["x"] + track["width"] + 20, y)
    mouse.up()
    page.expect_kernel("box.arguments['x']", 3.0)
    expect(view.locator('.flow-row[data-row="0"] .flow-primal')).to_have_text("3")
    assert page.kernel.evaluate("len(runs)") < moves
    assert cell.locator(".adlib-view").count() == 1


def test_an_error_takes_the_pictures_place_and_goes_again(open_code):
    page = open_code(CODE)
    cell = page.cell("interact(")
    page.widget("interact(")
    kind = cell.locator("select").first
    kind.select_option("broken")
    alert = cell.get_by_role("alert")
    expect(alert).to_contain_text("ValueError")
    expect(alert).to_contain_text("this <kind> is broken")
    expect(alert).to_contain_text(":11: raise ValueError")
    expect(cell.locator(".adlib-view")).to_be_hidden()
    page.screenshot("interact_error", cell)
    kind.select_option("plain")
    expect(alert).to_be_hidden()
    expect(cell.locator(".adlib-view")).to_be_visible()


def test_every_view_follows_a_slider(open_code):
    page = open_code(CODE.replace("box\n", ""), EVERY)
    cell = page.cell("VBox(boxes)")
    expect(cell.locator(".adlib-view")).to_have_count(6)
    assert page.kernel.evaluate("[box.error for box in boxes]") == [None] * 6
    for i in range(6):
        knob = cell.locator(".noUi-handle").nth(i)
        knob.scroll_into_view_if_needed()
        knob.press("ArrowRight")
        page.expect_kernel(
            f"boxes[{i}].arguments['scale'] > 1.05 and boxes[{i}].error is None", True
        )
