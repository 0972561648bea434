"""The derivation in Jupyter: programs one after the other, and an equation through all of them."""

import pytest
from playwright.sync_api import expect

from tests.browser.lab import shown

pytestmark = pytest.mark.browser

NOTEBOOK = "views/11_derivation.ipynb"
EXPLORER = shown("DerivationExplorer")


def line(view, program, number):
    return view.locator(f'[data-key="{program}.{number}"]')


def test_the_notebook_s_explorer(open_notebook, open_saved):
    page = open_notebook(NOTEBOOK)
    page.run_all()
    assert page.unseen() == []
    view = page.widget(").explore()")
    last = page.kernel.evaluate(f"{EXPLORER}.stage")
    view.get_by_role("button", name="Previous program").click()
    page.expect_kernel(f"{EXPLORER}.stage", last - 1)
    page.page.keyboard.press("ArrowLeft")
    page.expect_kernel(f"{EXPLORER}.stage", last - 2)
    expect(view.locator(".adlib-status")).to_contain_text(f"Program {last - 1} of {last + 1}")
    page.kernel.evaluate(f"setattr({EXPLORER}, 'stage', {last})")
    expect(view.locator(".derivation-head[data-program]:visible")).to_have_count(last + 1)

    line(view, last, 0).click()
    page.expect_kernel(f"{EXPLORER}.selected", ["transpose", 1])
    expect(view.locator(".derivation-related").first).to_be_visible()
    expect(view.locator(".derivation-card")).to_contain_text("In[")
    page.both_themes("derivation", view)
    page.page.keyboard.press("Escape")
    page.expect_kernel(f"{EXPLORER}.selected", [])
    search = view.get_by_role("searchbox")
    search.fill("sin")
    search.press("Enter")
    page.expect_kernel(f"{EXPLORER}.selected[:1]", ["f"])

    page.cell("interact(derived").locator("select").first.select_option("powers")
    page.expect_kernel(f"{shown('Interactive')}.arguments['form']", "powers")
    expect(page.cell("interact(derived").locator(".adlib-view")).to_contain_text("integer_pow")

    saved = open_saved(page.kernel.evaluate(f"{EXPLORER}.to_html()"))
    line(saved, last, 0).click()
    expect(saved.locator(".derivation-related").first).to_be_visible()
