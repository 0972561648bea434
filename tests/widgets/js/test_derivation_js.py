"""The derivation explorer in a page."""

import dataclasses

import numpy as np
import pytest
from playwright.sync_api import expect

import adlib.numpy as jnp
from adlib import lax
from adlib_widgets import DerivationView, show_derivation
from adlib_widgets.bundle import script, style

pytestmark = pytest.mark.browser


def wave(x):
    y = jnp.sin(x)
    return jnp.exp(y * x) + y


@pytest.fixture
def explorer():
    return show_derivation(wave)(1.0).explore()


def line(view, program, number):
    return view.el.locator(f'[data-key="{program}.{number}"]')


def test_arrows_step_through_the_programs(module_page, explorer):
    view = module_page.explore(explorer)
    head = view.el.locator(".derivation-head[data-program]:visible")
    expect(head).to_have_count(5)
    view.el.get_by_role("button", name="Previous program").click()
    assert explorer.stage == 3
    expect(head).to_have_count(4)
    view.host.page.keyboard.press("ArrowLeft")
    assert explorer.stage == 2
    expect(view.el.locator(".derivation-about")).to_contain_text("known: What depends on no")
    expect(view.el.locator(".adlib-status")).to_contain_text("Program 3 of 5: known.")
    explorer.stage = 0
    expect(head).to_have_count(1)
    expect(line(view, 1, 0)).to_be_hidden()


def test_a_click_lights_up_the_family(module_page, explorer):
    view = module_page.explore(explorer)
    line(view, 4, 4).click()
    assert explorer.selected == ["transpose", 5]
    related = view.el.locator(".derivation-related")
    expect(related).to_have_count(4)
    keys = related.evaluate_all("all => all.map((one) => one.dataset.key)")
    assert set(keys) == {"0.0", "1.2", "3.0", "4.4"}
    assert view.evaluate("el.querySelectorAll('.derivation-links .derivation-tip').length") == 3
    card = view.el.locator(".derivation-card")
    expect(card).to_contain_text("Transpose of mul by t1: ḃ = ȧ · t1 is read backwards;")
    expect(card).to_contain_text("y = jnp.sin(x)")
    view.host.page.keyboard.press("Escape")
    assert explorer.selected == []


def test_pointing_is_enough_and_passes(module_page, explorer):
    view = module_page.explore(explorer)
    line(view, 0, 0).hover()
    expect(view.el.locator(".derivation-related")).to_have_count(9)
    view.el.locator(".derivation-about").hover()
    expect(view.el.locator(".derivation-related")).to_have_count(0)
    assert explorer.selected == []


def test_keys_walk_along_a_program_and_a_family(module_page, explorer):
    view = module_page.explore(explorer)
    line(view, 4, 4).click()
    page = view.host.page
    page.keyboard.press("[")
    assert explorer.selected == ["unknown", 1]
    page.keyboard.press("[")
    assert explorer.selected == ["jvp", 3]
    page.keyboard.press("ArrowDown")
    assert explorer.selected == ["jvp", 4]
    page.keyboard.press("]")
    assert explorer.selected == ["known", 3]
    page.keyboard.press("]")
    expect(view.el.locator(".adlib-status")).to_have_text("Nothing comes from this equation.")
    expect(line(view, 2, 2)).to_be_focused()


def test_python_selects(module_page, explorer):
    view = module_page.explore(explorer)
    explorer.selected = ["known", 1]
    expect(line(view, 2, 0)).to_have_attribute("aria-pressed", "true")
    explorer.stage = 1
    assert explorer.selected == []


def test_the_link_row_selects(module_page, explorer):
    view = module_page.explore(explorer)
    line(view, 4, 4).click()
    view.el.locator(".derivation-link").first.click()
    assert explorer.selected == ["f", 1]


def test_programs_inside_unfold(module_page):
    def loop(x):
        return lax.scan(lambda c, y: (c * y, c + y), 1.0, x)[1].sum()

    view = module_page.explore(show_derivation(loop)(np.ones(4)).explore())
    inside = view.el.locator(".derivation-nested:visible")
    expect(inside).to_have_count(0)
    view.el.get_by_role("button", name="Program inside of b c = scan 1 a").click()
    expect(inside).to_have_count(1)
    expect(inside).to_contain_text("c = a · b")
    view.el.get_by_role("button", name="unfold all").click()
    expect(inside).to_have_count(5)
    view.el.get_by_role("button", name="fold all", exact=True).click()
    expect(inside).to_have_count(0)


def test_the_batch_axis_is_drawn(module_page):
    view = module_page.explore(
        show_derivation(lambda w, x: jnp.tanh(w @ x), "vmap")(
            np.ones((5, 2, 3)), np.ones((5, 3))
        ).explore()
    )
    marked = view.el.locator(".derivation-batch")
    expect(marked).to_have_count(2)
    expect(marked.first).to_have_text("5")
    expect(line(view, 1, 0)).to_contain_text("f32[5,2]")


def test_searching(module_page, explorer):
    view = module_page.explore(explorer)
    box = view.el.get_by_role("searchbox")
    box.fill("exp")
    expect(view.el.locator(".adlib-status")).to_contain_text("equations hold “exp”")
    box.press("Enter")
    assert explorer.selected == ["f", 3]
    box.press("Enter")
    assert explorer.selected == ["jvp", 8]
    box.fill("nothing like it")
    expect(view.el.locator(".adlib-status")).to_contain_text("No equation holds")


def test_the_text_of_a_program(module_page, explorer):
    program = explorer.data["programs"][0]
    esm = script("derivation").replace("function programText", "export function programText")
    text = module_page.call(esm, "programText", program)
    assert text[0] == "f (a) → (e)" and text[1] == "  b = sin a   f32[]"


def test_copying_says_so(module_page, explorer):
    view = module_page.explore(explorer)
    view.el.get_by_role("button", name="Copy the text of known").click()
    said = view.el.locator(".adlib-status")
    expect(said).to_have_text("Copied known, 5 equations.")


def test_long_programs_are_written_in_parts_and_tell_their_rules(module_page):
    def long(x):
        for _ in range(400):
            x = jnp.sin(x)
        return x

    explorer = show_derivation(long)(1.0).explore()
    view = module_page.explore(explorer)
    expect(view.el.locator(".derivation-label")).to_have_count(150)
    line(view, 1, 1).click()
    expect(view.el.locator(".derivation-card")).to_contain_text("jvp of sin: a derivative")
    view.el.get_by_role("button", name="show 150 of 250 more rows").click()
    expect(view.el.locator(".derivation-label")).to_have_count(300)
    explorer.selected = ["f", 390]
    expect(line(view, 0, 389)).to_be_in_viewport()


def test_another_derivation_is_drawn_in_place(module_page, explorer):
    view = module_page.explore(explorer)
    explorer.stage = 2
    explorer.show(show_derivation(jnp.sin)(1.0))
    expect(view.el.locator(".derivation-label")).to_have_count(1)
    expect(view.el.locator(".derivation-head[data-program]:visible")).to_have_count(3)


def test_two_views_of_one_model_and_an_end(module_page, explorer):
    view = module_page.explore(explorer)
    second = view.again()
    line(second, 0, 1).click()
    expect(line(view, 0, 1)).to_have_attribute("aria-pressed", "true")
    second.close()
    view.close()
    assert view.listening == []


def test_names_that_hold_markup_stay_text(module_page, explorer, nasty):
    nasty = nasty.replace("\ud800", "")
    record = explorer.view.record
    origins = tuple(dataclasses.replace(o, id=nasty, source=nasty) for o in record.origins)
    programs = tuple(
        dataclasses.replace(
            p,
            note=nasty,
            inputs=(nasty,),
            lines=tuple(dataclasses.replace(x, text=nasty, rule=nasty) for x in p.lines),
        )
        for p in record.programs
    )
    bad = dataclasses.replace(record, origins=origins, programs=programs, arguments=(nasty,))
    view = module_page.explore(DerivationView(bad).explore())
    line(view, 1, 1).click()
    expect(view.el.locator(".derivation-card")).to_contain_text("<script>")
    assert view.el.locator("script").count() == 0


def fused(w, x):
    jnp.cos(x)
    h = jnp.tanh(w @ x) * 1.0
    return (jnp.exp(h) + jnp.exp(h)).sum()


def test_jit_shows_what_became_of_each_equation_and_what_is_fused(module_page):
    explorer = show_derivation(fused, "jit")(np.ones((3, 4)), np.ones(4)).explore()
    view = module_page.explore(explorer)
    program = explorer.data["programs"][-1]
    fates = view.el.locator(".derivation-cell i")
    assert fates.all_text_contents() == [fate["text"] for fate in program["fates"]]
    letters = view.el.locator(".derivation-bracket-letter")
    expect(letters).to_have_count(len(program["groups"]))
    groups = view.el.locator(".derivation-group")
    groups.last.hover()
    expect(view.el.locator(".derivation-bracket.derivation-lit")).to_have_count(1)
    passes = view.el.locator(".derivation-passes li")
    expect(passes).to_have_count(len(explorer.data["passes"]))
    line(view, 0, 0).click()
    expect(view.el.locator(".derivation-card")).to_contain_text("Jit: removed: nothing reads")
    explorer.stage = 0
    expect(letters).to_have_count(0)


@pytest.mark.parametrize("last", [False, True])
def test_the_traits_of_a_new_run_come_in_any_order(module_page, explorer, last):
    view = module_page.show(script("derivation"), _state(explorer), style("derivation"))
    others = [show_derivation(jnp.sin, "jvp")(1.0), show_derivation(wave)(1.0)]
    for other in others:
        state = _state(other.explore())
        data = {"data": state.pop("data")}
        view.update(**({**state, **data} if last else {**data, **state}))
    expect(view.el.locator(".derivation-label")).to_have_count(4)
    expect(view.el.locator(".derivation-head[data-program]:visible")).to_have_count(5)


def _state(explorer):
    names = [name for name in explorer.traits(sync=True) if name[0] != "_"]
    left_out = ("layout", "tabbable", "tooltip")
    return {name: getattr(explorer, name) for name in names if name not in left_out}
