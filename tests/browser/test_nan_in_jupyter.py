"""Why NaN, explored in Jupyter: the trail of the bad numbers, their repair, sliders."""

import pytest
from playwright.sync_api import expect

from tests.browser.lab import shown

pytestmark = pytest.mark.browser

NOTEBOOK = "views/15_why_nan.ipynb"
CODE = """
import adlib.numpy as jnp
from adlib_widgets import why_nan

explorer = why_nan(lambda x: jnp.where(x > 0, jnp.sqrt(x), 0.0))(0.0).explore()
explorer
"""
EXPLORER = f"{shown('Interactive')}.explorer"


def test_the_notebook_s_sliders_lead_to_the_trail(open_notebook, open_saved):
    page = open_notebook(NOTEBOOK)
    page.run_all()
    assert page.unseen() == []
    view = page.widget("interact(why_nan(log_probability)")
    verdict = view.locator(".nan-verdict")
    expect(verdict).to_contain_text("No NaN and no infinity")  # at 0, the middle
    page.cell("interact(why_nan(log_probability)").locator(".noUi-handle").press("End")
    page.expect_kernel(f"{shown('Interactive')}.arguments['score']", 120.0)
    expect(verdict).to_contain_text("holds")

    first, *others = page.kernel.evaluate(f"[row.id for row in {EXPLORER}.view.record.trail]")
    view.locator(f'tr[data-row="{others[-1]}"] button').first.click()
    page.expect_kernel(f"{EXPLORER}.selected", others[-1])
    page.page.keyboard.press("Home")
    page.expect_kernel(f"{EXPLORER}.selected", first)
    page.kernel.evaluate(f"setattr({EXPLORER}, 'selected', {others[0]!r})")
    chosen = view.locator(f'tr[data-row="{others[0]}"] button[aria-pressed="true"]')
    expect(chosen).to_have_count(1)
    page.both_themes("nan", view)

    saved = open_saved(page.kernel.evaluate(f"{EXPLORER}.to_html()"))
    saved.locator(f'tr[data-row="{first}"] button').first.click()
    expect(saved.locator(".nan-detail")).to_be_visible()


def test_notebook_7_shows_it_too(open_code):
    page = open_code(CODE, app="notebook")
    view = page.widget(".explore()")
    expect(view.locator(".nan-verdict")).to_contain_text("its gradient holds")
    view.locator("tr[data-row] button").last.click()
    page.page.keyboard.press("Home")
    page.expect_kernel("explorer.selected == explorer.view.record.trail[0].id", True)
