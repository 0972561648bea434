"""The assembly of a Jacobian in Jupyter: passes, modes, an entry and its paths, sliders."""

import pytest
from playwright.sync_api import expect

from tests.browser.lab import shown

pytestmark = pytest.mark.browser

NOTEBOOK = "views/13_jacobian_assembly.ipynb"


def test_the_notebook_s_explorer(open_notebook, open_saved):
    page = open_notebook(NOTEBOOK)
    page.run_all()
    assert page.unseen() == []
    view = page.widget("assembly = show_jacobian")
    page.expect_kernel("[assembly.mode, assembly.step]", ["compressed", 0])
    view.get_by_role("button", name="Next pass").click()
    page.expect_kernel("assembly.step", 1)
    page.page.keyboard.press("ArrowRight")
    page.expect_kernel("assembly.step", 2)
    page.page.keyboard.press("End")
    page.expect_kernel("assembly.step == assembly.steps", True)
    page.both_themes("jacobian", view)

    view.get_by_role("button", name="Compressed").click()
    page.expect_kernel("[assembly.mode, assembly.step == assembly.steps]", ["dense", True])
    grid = view.get_by_role("grid", name="Forward mode")
    grid.focus()
    page.page.keyboard.press("ArrowRight")
    page.page.keyboard.press("ArrowDown")
    page.expect_kernel("len(assembly.selected)", 2)
    row, column = page.kernel.evaluate("assembly.selected")
    panel = view.get_by_label("Paths of the chosen entry")
    expect(panel.get_by_role("img", name="Graph of")).to_be_visible()
    page.both_themes("jacobian_entry", view)
    page.page.keyboard.press("Escape")
    page.expect_kernel("assembly.selected", [])
    page.kernel.evaluate(f"setattr(assembly, 'selected', [{row}, {column}])")
    expect(panel.get_by_role("img", name="Graph of")).to_be_visible()

    box = shown("Interactive")
    before = page.kernel.evaluate(f"{box}.arguments['temperature']")
    page.cell("interact(warm").locator(".noUi-handle").first.press("ArrowRight")
    page.expect_kernel(f"{box}.arguments['temperature'] > {before}", True)

    saved = open_saved(page.kernel.evaluate("assembly.to_html()"))
    saved.get_by_role("button", name="Start").click()
    saved.get_by_role("button", name="Next pass").click()
    expect(saved.locator(".jac-count").first).to_contain_text("1 of 6 JVPs")
    expect(saved.get_by_label("Paths of the chosen entry")).to_be_visible()
