"""The NaN explorer in a page."""

import numpy as np
import pytest
from playwright.sync_api import expect

import adlib.numpy as jnp
from adlib.inspect import ArraySummary, BadEquation, NamedSummary, NanRecord
from adlib.inspect.nan_trail import TrailRow, TrailValue
from adlib_widgets import NanView, why_nan
from adlib_widgets.bundle import script, style

pytestmark = pytest.mark.browser


def entropy(x):
    return jnp.where(x > 0, x * jnp.log(x), 0.0).sum()


@pytest.fixture
def explorer():
    return why_nan(entropy)(np.array([1.0, 0.0, 0.5, 0.25, 0.125])).explore()


def test_the_verdict_and_the_repair_stand_on_top(module_page, explorer):
    view = module_page.explore(explorer)
    expect(view.el.locator(".nan-verdict")).to_contain_text("but its gradient holds NaN.")
    cards = view.el.locator(".nan-card")
    expect(cards).to_have_count(2)
    expect(cards.nth(1)).to_contain_text("instead of")
    expect(cards.nth(1).locator("pre").nth(1)).to_have_text(
        "jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, 1.0)), 0.0)"
    )


def test_the_trail_marks_good_and_bad(module_page, explorer):
    view = module_page.explore(explorer)
    rows = view.el.locator("tr[data-row]")
    expect(rows).to_have_count(6)
    mul = view.el.locator('tr[data-row="mul_0"]')
    assert mul.locator("button").all_text_contents() == ["NaN", "NaN", "▶✓ ↑ NaN"]
    log = view.el.locator('tr[data-row="log_0"]')
    assert log.locator("button").all_text_contents() == ["▶∞", "▶∞", "✓"]
    assert "–" in view.el.locator('tr[data-row="gt_0"]').inner_text()


def test_cells_show_their_numbers(module_page, explorer):
    view = module_page.explore(explorer)
    view.el.locator('tr[data-row="log_0"] button').first.click()
    assert (explorer.selected, explorer.sweep) == ("log_0", "primal")
    detail = view.el.locator(".nan-detail")
    expect(detail).to_contain_text("c = log a")
    expect(detail).to_contain_text("1 of 5 infinite")
    expect(detail.locator(".nan-wrong")).to_have_count(1)
    expect(view.el.locator(".adlib-status")).to_contain_text("The value of c is not finite")


def test_keys_walk_the_trail(module_page, explorer):
    view = module_page.explore(explorer)
    view.el.locator('tr[data-row="mul_0"] button').nth(2).focus()
    page = view.host.page
    page.keyboard.press("ArrowUp")
    assert (explorer.selected, explorer.sweep) == ("log_0", "cotangent")
    page.keyboard.press("ArrowLeft")
    assert explorer.sweep == "tangent"
    page.keyboard.press("Home")
    assert explorer.selected == "in_0"
    page.keyboard.press("End")
    assert explorer.selected == "reduce_sum_0"
    status = view.el.locator(".adlib-status")
    expect(status).to_contain_text("Row 6 of 6: g = sum(f). The tangent of g is finite.")


def test_a_card_leads_to_its_row(module_page, explorer):
    view = module_page.explore(explorer)
    view.el.get_by_role("button", name="Show c = log a on the trail").click()
    assert (explorer.selected, explorer.sweep) == ("log_0", "primal")


def test_copying_says_so(module_page, explorer):
    view = module_page.explore(explorer)
    view.el.get_by_role("button", name="Copy jnp.where(x > 0, jnp.log(x), 0.0)").click()
    expect(view.el.locator(".adlib-status")).to_contain_text("op")


def test_finite_functions_are_calm(module_page):
    view = module_page.explore(why_nan(jnp.sin)(1.0).explore())
    expect(view.el.locator(".nan-verdict")).to_contain_text("✓ No NaN and no infinity")
    expect(view.el.locator("table")).to_be_hidden()
    expect(view.el.locator(".nan-peace")).to_contain_text("Nothing to repair")


def test_another_view_is_drawn_in_place(module_page, explorer):
    view = module_page.explore(explorer)
    explorer.show(why_nan(entropy)(np.array([1.0])))
    expect(view.el.locator(".nan-verdict")).to_contain_text("No NaN and no infinity")
    explorer.show(why_nan(jnp.log)(np.array([0.0])))
    expect(view.el.locator(".nan-verdict")).to_contain_text("The result holds infinity.")


def test_two_views_of_one_model_and_an_end(module_page, explorer):
    view = module_page.explore(explorer)
    second = view.again()
    second.el.locator('tr[data-row="in_0"] button').nth(2).click()
    chosen = view.el.locator('tr[data-row="in_0"] button').nth(2)
    expect(chosen).to_have_attribute("aria-pressed", "true")
    second.close()
    view.close()
    assert view.listening == []


def test_names_that_hold_markup_stay_text(module_page, nasty):
    nasty = nasty.replace("\ud800", "")
    summary = ArraySummary(nasty, 1, 4, 0, 1, 0, values=(nasty,))
    named = NamedSummary(nasty, summary)
    bad = BadEquation(
        "primal", "nan", nasty, nasty, nasty, nasty, (1,), (named,), named, nasty, nasty, nasty,
        nasty, nasty, nasty,
    )  # fmt: skip
    value = TrailValue("nan", summary, None)
    row = TrailRow(nasty, nasty, nasty, nasty, nasty, value, value, value, (nasty,), True)
    record = NanRecord(bad, bad, bad, bad, "nan", "nan", nasty, (row,))
    view = module_page.explore(NanView(record).explore())
    expect(view.el.locator("tr[data-row]")).to_contain_text("<script>")
    assert view.el.locator("script").count() == 0


@pytest.mark.parametrize("last", [False, True])
def test_the_traits_of_a_new_run_come_in_any_order(module_page, explorer, last):
    view = module_page.show(script("nan"), _state(explorer), style("nan"))
    others = [why_nan(entropy)(np.array([1.0])), why_nan(jnp.log)(np.array([0.0]))]
    for other in others:
        state = _state(other.explore())
        data = {"data": state.pop("data")}
        view.update(**({**state, **data} if last else {**data, **state}))
    expect(view.el.locator(".nan-verdict")).to_contain_text("The result holds infinity.")
    expect(view.el.locator('tr[data-row="log_0"]')).to_have_class("nan-chosen")


def _state(explorer):
    names = [name for name in explorer.traits(sync=True) if name[0] != "_"]
    left_out = ("layout", "tabbable", "tooltip")
    return {name: getattr(explorer, name) for name in names if name not in left_out}
