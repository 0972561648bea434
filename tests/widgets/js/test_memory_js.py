"""The memory explorer in a page."""

import json

import numpy as np
import pytest
from playwright.sync_api import expect

import adlib
import adlib.numpy as jnp
from adlib.inspect import MemoryRecord, MomentRecord
from adlib.inspect.memory import BufferRecord
from adlib_widgets import MemoryView, show_memory
from adlib_widgets.bundle import script, style

pytestmark = pytest.mark.browser


def chain(x):
    for _ in range(6):
        x = jnp.sin(x)
    return x.sum()


@pytest.fixture
def explorer():
    return show_memory(chain)(np.ones(1000)).explore()


def test_arrows_move_the_cursor_and_say_what_is_alive(module_page, explorer):
    view = module_page.explore(explorer)
    plot = view.el.get_by_role("slider", name="moment").nth(1)
    plot.focus()
    view.host.page.keyboard.press("Home")
    assert explorer.moment == 0
    view.host.page.keyboard.press("ArrowRight")
    assert explorer.moment == 1
    status = view.el.locator(".adlib-status")
    expect(status).to_contain_text("Moment 2 of 14: sin_1 (test_memory_js.py:")
    expect(status).to_contain_text("KiB are alive")
    expect(plot).to_have_attribute("aria-valuetext", "forward sin_1, 19.5 KiB")
    explorer.moment = 13
    expect(status).to_contain_text("Moment 14 of 14: sin_0")


def test_the_list_is_what_is_alive_the_largest_first(module_page, explorer):
    view = module_page.explore(explorer)
    explorer.moment = 2
    rows = view.el.locator(".memory-row .memory-name")
    alive = [b for b in explorer.data["plain"]["buffers"] if b[7] <= 2 <= b[8]]
    expect(rows).to_have_count(len(alive))
    assert {text[1:] for text in rows.all_text_contents()} == {b[0] for b in alive}


def test_a_click_on_the_curve_moves_the_cursor(module_page, explorer):
    view = module_page.explore(explorer)
    plot = view.el.locator(".memory-plot")
    plot.click(position={"x": plot.bounding_box()["width"] - 20, "y": 100})
    expect(plot).to_have_attribute("aria-valuenow", "13")
    assert explorer.moment == 13


def test_pointing_at_a_residual_shows_its_life(module_page, explorer):
    view = module_page.explore(explorer)
    chip = view.el.locator(".memory-chip", has_text="sin_2′").first
    expect(view.el.locator(".memory-bar")).to_have_count(0)
    chip.hover()
    expect(view.el.locator(".memory-bar")).to_have_count(1)
    expect(view.el.locator(".memory-read")).to_have_count(1)
    chip.click()
    assert explorer.selected == "sin_2′"
    view.el.get_by_role("button", name="Go to the peak").click()
    view.host.page.keyboard.press("Escape")
    assert explorer.selected == ""


def test_the_checkpoint_slider_asks_the_kernel(module_page, explorer):
    view = module_page.explore(explorer)
    view.el.get_by_role("slider", name="checkpoint").focus()
    for _ in range(3):
        view.host.page.keyboard.press("ArrowRight")
    assert explorer.equations == 3
    text = view.el.locator(".memory-trial")
    expect(text).to_contain_text("a checkpoint around the first 3 of 7 equations; 3 run twice")
    expect(view.el.get_by_text("second run →")).to_be_visible()
    view.el.get_by_role("slider", name="in parts").focus()
    view.host.page.keyboard.press("ArrowRight")
    assert explorer.segments == 2
    expect(text).to_contain_text("2 checkpoints, one after the other")
    assert len(explorer.trial.moments) > 14
    explorer.equations = 0
    expect(text).to_contain_text("Reverse mode needs")


def test_a_point_of_the_trade_plot_is_a_checkpoint(module_page, explorer):
    view = module_page.explore(explorer)
    view.el.locator(".memory-point").nth(3).click()
    assert explorer.equations == 4
    expect(view.el.locator(".memory-now")).to_have_count(1)


def test_a_saved_page_slides_without_a_kernel(module_page, explorer):
    state = json.loads(explorer.to_html().split('id="state">')[1].split("</script>")[0])
    view = module_page.show(script("memory"), state, style("memory"), kernel=False)
    slider = view.el.get_by_role("slider", name="checkpoint")
    slider.focus()
    view.host.page.keyboard.press("End")
    expect(view.el.locator(".memory-trial")).to_contain_text("the first 7 of 7 equations")
    state["data"]["plans"] = {"1/1": state["data"]["plans"]["1/1"]}
    view = module_page.show(script("memory"), state, style("memory"), kernel=False)
    view.el.get_by_role("slider", name="checkpoint").focus()
    view.host.page.keyboard.press("End")
    expect(view.el.locator(".adlib-status")).to_contain_text("run the notebook to try it")


def test_two_views_of_one_model_and_an_end(module_page, explorer):
    view = module_page.explore(explorer)
    second = view.again()
    view.host.page.keyboard.press("Tab")
    second.el.get_by_role("button", name="Next moment").click()
    expect(view.el.locator(".adlib-status")).to_contain_text(f"Moment {explorer.moment + 1} of")
    second.close()
    view.close()
    assert view.listening == []


def test_another_view_is_drawn_in_place(module_page, explorer):
    view = module_page.explore(explorer)
    explorer.moment = 3
    explorer.show(show_memory(chain)(np.ones(10)))
    expect(view.el.locator(".adlib-status")).to_contain_text("Moment 4 of 14")
    explorer.show(show_memory(lambda x: x)(1.0))
    expect(view.el.locator(".adlib-status")).to_contain_text("There are no equations")


def test_names_that_hold_markup_stay_text(module_page, nasty):
    nasty = nasty.replace("\ud800", "")
    record = MemoryRecord(
        steps=((nasty, nasty, nasty),),
        moments=(MomentRecord(0, "forward", 8, 4, 4), MomentRecord(0, "reverse", 8, 4, 0)),
        residuals=(),
        argument_bytes=4,
        peak_bytes=8,
        primal_peak_bytes=4,
        checkpoints=(),
        buffers=(BufferRecord(nasty, nasty, 8, "residual", 0, nasty, nasty, 0, 1, (0,)),),
    )
    view = module_page.explore(MemoryView(record).explore())
    expect(view.el.locator(".memory-name")).to_contain_text("<script>")
    assert view.el.locator("script").count() == 0


def test_a_slider_that_passes_many_places_asks_for_one_at_a_time(module_page, explorer):
    state = {"title": "t", "data": explorer.data, "moment": 0, "equations": 0, "segments": 1}
    view = module_page.show(script("memory"), {**state, "selected": ""}, style("memory"))
    view.el.get_by_role("slider", name="checkpoint").focus()
    for _ in range(4):
        view.host.page.keyboard.press("ArrowRight")
    assert [sent["arguments"]["equations"] for sent in view.sent] == [1]
    answer = explorer.requests()["checkpoint"](1, 1)
    view.receive({"reply": view.sent[0]["id"], "value": answer})
    expect(view.el.locator(".memory-trial")).to_contain_text("Running it")
    assert [sent["arguments"]["equations"] for sent in view.sent] == [1, 4]
    view.receive({"reply": view.sent[1]["id"], "error": "ValueError: no"})
    expect(view.el.locator(".adlib-status")).to_have_text("ValueError: no")


def test_a_checkpoint_is_tried_again_on_another_view(module_page, explorer):
    view = module_page.explore(explorer)
    explorer.equations = 3
    text = view.el.locator(".memory-trial")
    expect(text).to_contain_text("KiB instead of")
    explorer.show(show_memory(chain)(np.ones(10)))
    expect(text).to_contain_text(" B instead of")
    assert explorer.equations == 3


def test_a_function_with_checkpoints_of_its_own(module_page):
    def own(x):
        return (adlib.checkpoint(chain)(x) * x).sum()

    explorer = show_memory(own)(np.ones(1000)).explore()
    view = module_page.explore(explorer)
    expect(view.el.get_by_text("2nd run").or_(view.el.get_by_text("second run"))).to_be_visible()
    expect(view.el.locator(".memory-tradebox")).to_contain_text("has checkpoints of its own")
    expect(view.el.locator(".memory-trial")).to_contain_text("Its own checkpoints run 6 of 9")


@pytest.mark.parametrize("last", [False, True])
def test_the_traits_of_a_new_run_come_in_any_order(module_page, explorer, last):
    view = module_page.show(script("memory"), _state(explorer), style("memory"))
    others = [show_memory(lambda x: x)(1.0), show_memory(chain)(np.ones(10))]
    for other in others:
        state = _state(other.explore())
        data = {"data": state.pop("data")}
        view.update(**({**state, **data} if last else {**data, **state}))
    expect(view.el.locator(".adlib-status")).to_contain_text("of 14")


def _state(explorer):
    names = [name for name in explorer.traits(sync=True) if name[0] != "_"]
    left_out = ("layout", "tabbable", "tooltip")
    return {name: getattr(explorer, name) for name in names if name not in left_out}
