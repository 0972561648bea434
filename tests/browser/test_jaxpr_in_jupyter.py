"""The graph of a jaxpr in Jupyter: choosing, folding, searching, dragging, colours, sliders."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.lab import shown

pytestmark = pytest.mark.browser

NOTEBOOK = "views/10_jaxpr_graph.ipynb"
LOOP = """
import adlib.numpy as jnp
from adlib import lax
from adlib_widgets import show_jaxpr


def total(rows):
    def body(carry, row):
        carry = jnp.tanh(carry + row)
        return carry, carry.sum()

    return lax.scan(body, jnp.zeros(3), rows)[1].sum()


explorer = show_jaxpr(total)(jnp.ones((5, 3))).explore()
explorer
"""


def tile(view, path):
    return view.locator(f'g.adlib-j-tile[data-path="{path}"]')


def test_the_notebook_s_explorer(open_notebook, open_saved):
    page = open_notebook(NOTEBOOK)
    page.run_all()
    assert page.unseen() == []
    view = page.widget("explorer = show_jaxpr")
    expect(view.locator("select").first).to_have_value("flops")  # a later cell has set it

    row = view.locator("[role=option]", has_text="dot_general").first
    row.click()
    page.expect_kernel("explorer.selected != ''", True)
    selected = page.kernel.evaluate("explorer.selected")
    expect(tile(view, selected)).to_have_class(re.compile("adlib-j-selected"))
    expect(view.locator(".adlib-j-details")).to_contain_text("read by")
    view.locator("svg.adlib-j-svg").focus()
    page.page.keyboard.press("ArrowDown")
    page.expect_kernel(f"explorer.selected not in ('', {selected!r})", True)

    search = view.get_by_role("searchbox")
    search.fill("exp")
    search.press("Enter")
    expect(view.locator(".adlib-j-counter")).to_have_text(re.compile("1 of [0-9]+"))
    hit = view.locator("[role=option][aria-selected=true]")
    expect(hit).to_have_class(re.compile("adlib-j-hit"))
    view.locator("select").first.select_option("seconds")
    page.expect_kernel("[explorer.color, bool(explorer.measures)]", ["seconds", True])
    page.both_themes("jaxpr", view)

    code = "setattr(explorer, 'selected', '')"
    page.kernel.evaluate(code)
    expect(view.locator(".adlib-j-tile.adlib-j-selected")).to_have_count(0)

    box = shown("Interactive")
    knob = page.cell("interact(of_size").locator(".noUi-handle").first
    before = page.kernel.evaluate(f"{box}.arguments['n']")
    knob.press("ArrowRight")
    page.expect_kernel(f"{box}.arguments['n']", before + 1)
    expect(page.cell("interact(of_size").locator(".adlib-view")).to_contain_text(
        f"f32[{before + 1},4]"
    )

    saved = open_saved(page.kernel.evaluate("explorer.to_html()"))
    saved.locator("[role=option]", has_text="dot_general").first.click()
    expect(saved.locator(".adlib-j-details")).to_contain_text("read by")


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_folding_asks_the_kernel(open_code, app):
    page = open_code(LOOP, app=app)
    view = page.widget(".explore()")
    page.expect_kernel("explorer.unfolded", ["scan_0"])
    tile(view, "scan_0").locator("> [data-fold]").first.click()
    page.expect_kernel("explorer.unfolded", [])
    expect(tile(view, "scan_0/body/tanh_0")).to_have_count(0)
    page.kernel.evaluate("explorer.unfold()")
    expect(tile(view, "scan_0/body/tanh_0")).to_be_visible()
    page.screenshot(f"jaxpr_{app}")


def view_box(picture):
    return [float(number) for number in picture.get_attribute("viewBox").split()]


def test_dragging_and_zooming(open_code):
    page = open_code(LOOP)
    view = page.widget(".explore()")
    picture = view.locator("svg.adlib-j-svg")
    box = picture.bounding_box()
    x, y, width, height = view_box(picture)
    page.page.mouse.move(box["x"] + 15, box["y"] + box["height"] - 15)
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + 75, box["y"] + box["height"] - 55, steps=4)
    page.page.mouse.up()
    moved_x, moved_y, *size = view_box(picture)
    assert moved_x < x and moved_y > y and size == [width, height]
    page.expect_kernel("explorer.selected", "")  # the end of a drag is no click
    view.get_by_role("button", name="Zoom in").click()
    assert view_box(picture)[2] < width
    picture.focus()
    page.page.keyboard.press("-")
    page.page.keyboard.press("-")
    assert view_box(picture)[2] > width
