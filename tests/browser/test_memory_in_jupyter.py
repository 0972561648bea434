"""The memory of reverse mode in Jupyter: the cursor, a checkpoint under the slider, sliders."""

import pytest
from playwright.sync_api import expect

from tests.browser.lab import shown

pytestmark = pytest.mark.browser

NOTEBOOK = "views/14_memory.ipynb"


def test_the_notebook_s_explorer(open_notebook, open_saved):
    page = open_notebook(NOTEBOOK)
    page.run_all()
    assert page.unseen() == []
    view = page.widget("explorer = show_memory")
    trial = view.locator(".memory-trial")
    expect(trial).to_contain_text("the first 12 of")  # a later cell has set it

    view.get_by_role("slider", name="checkpoint").press("ArrowLeft")
    page.expect_kernel("explorer.equations", 11)
    expect(trial).to_contain_text("the first 11 of")
    view.get_by_role("slider", name="in parts").press("ArrowRight")
    page.expect_kernel("explorer.segments", 2)
    expect(trial).to_contain_text("2 checkpoints, one after the other")
    page.expect_kernel("explorer.trial.peak_bytes < explorer.view.record.peak_bytes", True)

    plot = view.locator(".memory-plot")
    plot.focus()
    page.page.keyboard.press("Home")
    page.expect_kernel("explorer.moment", 0)
    box = plot.bounding_box()
    page.page.mouse.click(box["x"] + box["width"] - 20, box["y"] + 100)
    page.expect_kernel("explorer.moment == len(explorer.trial.moments) - 1", True)
    page.kernel.evaluate("setattr(explorer, 'moment', 3)")
    expect(view.locator(".adlib-status")).to_contain_text("Moment 4 of")
    chip = view.locator(".memory-chip").first
    chip.click()
    page.expect_kernel("explorer.selected != ''", True)
    page.both_themes("memory", view)

    page.cell("interact(with_width").locator("select").first.select_option("100000")
    page.expect_kernel(f"{shown('Interactive')}.arguments['width']", 100_000)
    expect(page.cell("interact(with_width").locator(".adlib-view")).to_contain_text("MiB")

    saved = open_saved(page.kernel.evaluate("explorer.to_html()"))
    saved.get_by_role("slider", name="checkpoint").press("End")
    expect(saved.locator(".memory-trial")).to_contain_text("the first")
