"""The graph of a jaxpr in a browser: linked panes, folding, search, colours, keys, saving."""

import numpy as np
import pytest
from playwright.sync_api import expect

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib_widgets import show_jaxpr
from adlib_widgets.bundle import script, style

pytestmark = pytest.mark.browser


def loop(weights, rows):
    def body(carry, row):
        carry = jnp.tanh(carry @ weights + row)
        return carry, carry.sum()

    return lax.scan(body, jnp.zeros(3), rows)[1].sum()


def unrolled(weights, rows):
    state = jnp.zeros(3)
    for row in rows:
        state = jnp.tanh(weights @ state + row)
    return state.sum()


def steps(count):
    return np.ones((3, 3), np.float32) / 4, np.ones((count, 3), np.float32)


@pytest.fixture
def of_loop(module_page):
    explorer = show_jaxpr(loop)(*steps(5)).explore()
    return explorer, module_page.explore(explorer)


@pytest.fixture
def of_unrolled(module_page):
    explorer = show_jaxpr(adlib.grad(unrolled))(*steps(60)).explore()
    return explorer, module_page.explore(explorer)


def tile(view, path):
    return view.el.locator(f'g.adlib-j-tile[data-path="{path}"]')


def click_tile(view, path):
    tile(view, path).locator("> rect").first.click(position={"x": 20, "y": 4})


def test_a_chosen_box_is_marked_in_all_three_panes(of_loop):
    explorer, view = of_loop
    click_tile(view, "scan_0/body/tanh_0")
    assert explorer.selected == "scan_0/body/tanh_0"
    expect(view.el.locator("[role=option][aria-selected]")).to_contain_text("= tanh")
    expect(view.el.locator(".adlib-j-code.adlib-j-selected")).to_contain_text("jnp.tanh(carry")
    assert "adlib-j-maker" in tile(view, "scan_0/body/add_0").get_attribute("class")
    assert "adlib-j-reader" in tile(view, "scan_0/body/reduce_sum_0").get_attribute("class")
    expect(view.el.locator(".adlib-j-details")).to_contain_text("read by")


def test_an_equation_and_a_line_of_code_choose_boxes(of_loop):
    explorer, view = of_loop
    view.el.locator("[role=option]", has_text="dot_general").click()
    assert explorer.selected == "scan_0/body/dot_general_0"
    view.el.locator("button.adlib-j-code", has_text="carry @ weights").click()
    expect(view.el.get_by_role("status")).to_contain_text("3 equations from test_jaxpr_js.py")
    assert explorer.selected == "scan_0/body/dot_general_0"
    view.el.get_by_role("button", name="Next hit").click()
    assert explorer.selected == "scan_0/body/add_0"


def test_hovering_lights_the_other_panes(of_loop):
    _, view = of_loop
    view.el.locator("[role=option]", has_text="tanh").hover()
    expect(tile(view, "scan_0/body/tanh_0")).to_have_class("adlib-j-tile adlib-j-hover")
    expect(view.el.locator(".adlib-j-code.adlib-j-hover")).to_contain_text("jnp.tanh")
    tile(view, "scan_0/body/add_0").locator("> rect").hover()
    expect(view.el.locator(".adlib-j-row.adlib-j-hover[role=option]")).to_contain_text("= add")


def test_the_kernel_folds_and_unfolds_and_the_clicked_box_stays(of_unrolled):
    explorer, view = of_unrolled
    path = next(p for p in explorer.foldable if p.startswith("repetition"))
    before = tile(view, path).bounding_box()
    tile(view, path).locator("[data-fold]").click()
    expect(view.el.get_by_role("status")).to_have_text("step ×60 is unfolded.")
    assert explorer.unfolded == [path]
    after = tile(view, path).bounding_box()
    assert abs(after["x"] - before["x"]) < 2 and abs(after["y"] - before["y"]) < 2
    tile(view, path).locator("> [data-fold]").click()
    expect(view.el.get_by_role("status")).to_have_text("step ×60 is folded.")
    assert explorer.unfolded == []


def test_the_kernel_can_open_and_choose(of_unrolled):
    explorer, view = of_unrolled
    step = next(p for p in explorer.foldable if p.startswith("step_"))
    explorer.unfold([step])
    tile(view, step).first.wait_for(state="attached")
    explorer.selected = "tanh_0"
    expect(tile(view, "tanh_0")).to_have_class("adlib-j-tile adlib-j-selected")


def test_what_is_in_a_folded_box_lights_the_box_and_can_be_unfolded_to(of_unrolled):
    explorer, view = of_unrolled
    view.el.locator("[role=option]", has_text=" tanh ").first.click()
    assert explorer.selected == "tanh_0"
    expect(view.el.get_by_role("status")).to_contain_text("It is in step ×60, folded.")
    path = next(p for p in explorer.foldable if p.startswith("repetition"))
    assert "adlib-j-selected" in tile(view, path).get_attribute("class")
    view.el.get_by_role("button", name="Unfold to it").click()
    tile(view, "tanh_0").wait_for()


def test_search_counts_and_goes_through_hits(of_loop):
    explorer, view = of_loop
    view.el.locator("svg.adlib-j-svg").focus()
    view.host.page.keyboard.press("/")
    view.host.page.keyboard.type("f32[3] dot")
    expect(view.el.locator(".adlib-j-counter")).to_have_text("1 found")
    view.host.page.keyboard.press("Enter")
    assert explorer.selected == "scan_0/body/dot_general_0"
    expect(view.el.locator(".adlib-j-counter")).to_have_text("1 of 1")
    view.el.get_by_role("searchbox").fill("no such thing")
    expect(view.el.locator(".adlib-j-counter")).to_have_text("none found")


def test_keys_walk_along_the_graph_and_fold(of_loop):
    explorer, view = of_loop
    keys = view.host.page.keyboard
    click_tile(view, "scan_0/body/tanh_0")
    view.el.locator("svg.adlib-j-svg").focus()
    keys.press("ArrowUp")
    assert explorer.selected == "scan_0/body/add_0"
    expect(view.el.get_by_role("status")).to_contain_text("scan_0/body/add_0: ")
    keys.press("ArrowDown")
    assert explorer.selected == "scan_0/body/tanh_0"
    keys.press("o")
    assert explorer.selected == "scan_0"
    keys.press("Enter")
    expect(view.el.get_by_role("status")).to_have_text("scan_0 is folded.")
    assert explorer.unfolded == []
    keys.press("Escape")
    assert explorer.selected == ""


def test_colours_count_and_measure(of_loop):
    explorer, view = of_loop
    colors = view.el.get_by_label("Colour by")
    colors.select_option("flops")
    expect(view.el.locator(".adlib-j-legend")).to_contain_text("flops")
    assert explorer.color == "flops" and not explorer.measures
    fill = tile(view, "scan_0/body/dot_general_0").locator("> rect").first.get_attribute("style")
    assert fill.startswith("fill:rgb(")
    colors.select_option("seconds")
    expect(view.el.locator(".adlib-j-legend")).to_contain_text("µs")
    assert explorer.color == "seconds"
    click_tile(view, "scan_0/body/tanh_0")
    expect(view.el.locator(".adlib-j-details")).to_contain_text("in 5 rounds")
    expect(view.el.locator(".adlib-j-details")).to_contain_text("largest magnitude")


def test_types_stand_at_the_links(of_loop):
    explorer, view = of_loop
    assert view.el.locator("svg.adlib-j-svg text.adlib-j-e").count() == 0
    view.el.get_by_role("button", name="Types").click()
    view.el.locator("svg.adlib-j-svg text.adlib-j-e").first.wait_for()
    assert explorer.labels and explorer.drawing["labels"]


def test_only_what_is_in_sight_is_in_the_page(of_unrolled):
    explorer, view = of_unrolled
    view.el.get_by_role("button", name="Unfold all").click()
    expect(view.el.get_by_role("status")).to_contain_text("boxes are unfolded.")
    total = len(explorer.data["nodes"])
    shown = "el.querySelectorAll('svg.adlib-j-svg g[data-path]').length"
    near = view.evaluate(shown)
    assert 0 < near < total / 2
    view.el.get_by_role("button", name="Fit").click()
    expect(view.el.get_by_role("status")).to_contain_text("the small map leads through it")
    view.el.locator("svg.adlib-j-svg").evaluate("() => new Promise(requestAnimationFrame)")
    assert near < view.evaluate(shown) < total
    letters = "el.querySelectorAll('svg.adlib-j-svg text').length"
    assert view.evaluate(letters) == 0  # too small to read: not drawn


def test_the_map_leads_through_a_long_drawing(of_unrolled):
    _, view = of_unrolled
    view.el.get_by_role("button", name="Unfold all").click()
    expect(view.el.get_by_role("status")).to_contain_text("boxes are unfolded.")
    canvas = view.el.locator("canvas.adlib-j-map")
    size = canvas.bounding_box()
    canvas.click(position={"x": size["width"] / 2, "y": size["height"] - 1.2})
    view.el.locator('[data-path="out_0"]').wait_for(state="attached")


def test_dragging_moves_the_view_and_chooses_nothing(of_loop):
    explorer, view = of_loop
    svg = view.el.locator("svg.adlib-j-svg")
    before = svg.get_attribute("viewBox")
    box = svg.bounding_box()
    mouse = view.host.page.mouse
    mouse.move(box["x"] + 200, box["y"] + 200)
    mouse.down()
    mouse.move(box["x"] + 120, box["y"] + 150, steps=4)
    mouse.up()
    assert svg.get_attribute("viewBox") != before and explorer.selected == ""


def test_the_drawing_is_saved_whole(of_unrolled, tmp_path):
    explorer, view = of_unrolled
    view.el.get_by_role("button", name="Unfold all").click()
    expect(view.el.get_by_role("status")).to_contain_text("boxes are unfolded.")
    with view.host.page.expect_download() as found:
        view.el.get_by_label("Save").select_option("svg")
    text = found.value.path().read_text(encoding="utf-8")
    assert text.startswith("<svg") and text.count(">tanh<") == 60
    with view.host.page.expect_download() as found:
        view.el.get_by_label("Save").select_option("dot")
    assert found.value.path().read_text(encoding="utf-8") == explorer.view.to_dot()


def test_a_page_without_a_kernel_folds_what_it_knows(module_page):
    explorer = show_jaxpr(loop)(*steps(5)).explore()
    state = {name: getattr(explorer, name) for name in explorer.keys if name[0] != "_"}
    plain = {k: v for k, v in state.items() if k not in ("layout", "tabbable", "tooltip")}
    view = module_page.show(script("jaxpr"), plain, style("jaxpr"), kernel=False)
    view.el.get_by_role("button", name="Fold all", exact=True).click()
    expect(view.el.get_by_role("status")).to_have_text("The only foldable box is folded.")
    assert view.get("unfolded") == []
    view.el.get_by_label("Colour by").select_option("seconds")
    expect(view.el.get_by_role("status")).to_contain_text("This page has no kernel")
    assert view.get("color") == "none"


def test_another_view_is_drawn_in_place(module_page):
    explorer = show_jaxpr(loop)(*steps(5)).explore()
    view = module_page.explore(explorer)
    explorer.selected = "scan_0"
    view.el.get_by_role("button", name="Zoom in").click()
    svg, box = view.el.locator("svg.adlib-j-svg"), "scan_0/body/tanh_0"
    size = svg.get_attribute("viewBox").split()[2:]
    explorer.show(show_jaxpr(loop)(*steps(7)))
    expect(view.el.locator("[role=listbox]")).to_contain_text("f32[7,3]")
    assert explorer.selected == "scan_0"
    assert svg.get_attribute("viewBox").split()[2:] == size
    expect(tile(view, box)).to_be_visible()


def test_names_from_user_code_stay_text(module_page, nasty_graph, nasty):
    view_of = show_jaxpr(loop)(*steps(5))
    view_of.record = nasty_graph
    explorer = view_of.explore()
    view = module_page.explore(explorer)
    assert view.evaluate("el.querySelectorAll('script').length") == 0
    expect(view.el.locator("svg.adlib-j-svg text").first).to_contain_text("<script>")


def test_two_views_of_one_model_and_taking_one_away(of_loop):
    explorer, view = of_loop
    second = view.again()
    click_tile(view, "scan_0/body/tanh_0")
    expect(second.el.locator("[role=option][aria-selected]")).to_contain_text("= tanh")
    second.close()
    view.close()
    assert view.listening == []
