"""The flow stepper in Jupyter: what is clicked, dragged and typed reaches the kernel, and back."""

import pytest
from playwright.sync_api import expect

from tests.browser.lab import shown

pytestmark = pytest.mark.browser

NOTEBOOK = "views/12_flow.ipynb"
CODE = """
import adlib.numpy as jnp
from adlib_widgets import show_flow

stepper = show_flow(lambda x: jnp.sin(x) * x)(2.0).explore()
stepper
"""


def drag(page, slider, share):
    """Pull a slider's knob from its left end to a share of its width."""
    box = slider.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 4, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 4 + share * (box["width"] - 8), y, steps=5)
    page.mouse.up()


def test_the_notebook_s_stepper_and_sliders(open_notebook, open_saved):
    page = open_notebook(NOTEBOOK)
    page.run_all()
    assert page.unseen() == []
    view = page.widget("stepper = show_flow")
    status = view.locator(".adlib-status")
    steps = page.kernel.evaluate("stepper.steps")
    expect(status).to_contain_text(f"Step 3 of {steps}")  # a later cell has set it

    view.get_by_role("button", name="Next step").click()
    page.expect_kernel("stepper.step", 4)
    page.page.keyboard.press("ArrowRight")
    page.expect_kernel("stepper.step", 5)
    page.page.keyboard.press("Home")
    page.expect_kernel("stepper.step", 0)
    drag(page.page, view.get_by_role("slider", name="step"), 1.0)
    page.expect_kernel("stepper.step", steps)
    expect(status).to_contain_text(f"Step {steps} of {steps}")
    page.both_themes("flow", view)

    view.get_by_role("button", name="predict").click()
    page.expect_kernel("stepper.predict", True)
    view.get_by_role("button", name="First step").click()
    view.get_by_role("button", name="Next step").click()
    answer = view.locator(".flow-answer")
    answer.fill("123456")
    answer.press("Enter")
    page.expect_kernel("[each['right'] for each in stepper.answers]", [False])
    answer.fill(str(page.kernel.evaluate("stepper.answers[0]['expected']")))
    answer.press("Enter")
    page.expect_kernel("[each['right'] for each in stepper.answers]", [False, True])

    box = shown("Interactive")
    knob = page.cell("interact(show_flow").locator(".noUi-handle").first
    before = page.kernel.evaluate(f"{box}.arguments['alpha']")
    knob.press("ArrowRight")
    page.expect_kernel(f"{box}.arguments['alpha'] > {before}", True)

    saved = open_saved(page.kernel.evaluate("stepper.to_html()"))
    saved.get_by_role("button", name="Last step").click()
    expect(saved.locator(".adlib-status")).to_contain_text(f"Step {steps} of {steps}")


def test_notebook_7_leaves_the_keys_to_the_view(open_code):
    page = open_code(CODE, app="notebook")
    view = page.widget(".explore()")
    view.get_by_role("button", name="Next step").click()
    page.expect_kernel("stepper.step", 1)
    page.page.keyboard.press("ArrowRight")
    page.expect_kernel("stepper.step", 2)
    page.page.keyboard.press("End")
    page.expect_kernel("stepper.step == stepper.steps", True)
    page.screenshot("flow_notebook_7")
