"""The flow stepper in a browser: stepping, toggles, search, predictions, long programs."""

import numpy as np
import pytest

import adlib.numpy as jnp
from adlib_widgets import interact, show_flow
from adlib_widgets.bundle import script

pytestmark = pytest.mark.browser


def f(x, y):
    a = jnp.sin(x)
    return a * x + y


def layer(w, x):
    h = jnp.tanh(w @ x)
    return (h * h).sum()


@pytest.fixture
def explorer():
    return show_flow(f)(1.0, 2.0).explore()


@pytest.fixture
def view(module_page, explorer):
    return module_page.explore(explorer)


def press(view, name):
    view.el.get_by_role("button", name=name, exact=True).click()


def said(view):
    return view.el.get_by_role("status").inner_text()


def card(view):
    return view.el.locator(".flow-card").inner_text()


def row(view, number):
    return view.el.locator(f'.flow-row[data-row="{number}"]')


def blanks(view, number):
    return row(view, number).locator(".flow-blank").count()


# --- stepping -------------------------------------------------------------------------------


def test_numbers_appear_forward_and_then_in_reverse(view, explorer):
    assert blanks(view, 0) == 1 and blanks(view, 2) == 3
    press(view, "Next step")
    assert explorer.step == 1 and blanks(view, 2) == 1
    assert said(view) == (
        "Step 1 of 9, forward sweep. c = sin a = 0.8415. ċ = cos(a)·ȧ = 0.5403·1 = 0.5403."
    )
    assert "a = jnp.sin(x)" in card(view)
    explorer.step = 9
    assert "ā = 0.8415 + 0.5403 = 1.382 (complete)" in card(view)
    assert row(view, 0).locator(".flow-cotangent").text_content() == "0.8415 + 0.5403 = 1.382"
    assert view.el.locator(".flow-blank").count() == 0


def test_a_sum_at_a_fan_out_grows_contribution_by_contribution(view, explorer):
    explorer.step = 8
    cell = row(view, 0).locator(".flow-cotangent")
    assert cell.inner_text().split() == ["0.8415", "+"] and blanks(view, 0) == 1
    assert "ā += c·d̄ = 0.8415·1 = 0.8415" in card(view) and "(1 more to come)" in card(view)


def test_buttons_keys_and_slider_all_step(view, explorer, module_page):
    press(view, "Last step")
    assert explorer.step == 9
    press(view, "Previous step")
    assert explorer.step == 8
    keyboard = module_page.page.keyboard
    for key, step in (("ArrowLeft", 7), ("ArrowRight", 8), ("Home", 0), ("End", 9)):
        keyboard.press(key)
        assert explorer.step == step
    view.el.get_by_role("slider").fill("4")
    assert explorer.step == 4
    press(view, "First step")
    assert explorer.step == 0
    assert view.el.get_by_role("button", name="Previous step").is_disabled()


def test_python_moves_the_page(view, explorer):
    explorer.step = 3
    assert said(view).startswith("Step 3 of 9, forward sweep.")
    assert view.el.get_by_role("slider").input_value() == "3"


def test_a_click_on_a_number_goes_to_its_step(view, explorer):
    row(view, 3).locator(".flow-tangent").click()
    assert explorer.step == 2
    row(view, 0).locator(".flow-cotangent").click()
    assert explorer.step == 9


def test_play_stops_at_the_end(view, explorer, module_page):
    explorer.step = 7
    press(view, "Play")
    assert view.el.get_by_role("button", name="Pause").is_visible()
    view.el.get_by_role("button", name="Play", exact=True).wait_for()
    assert explorer.step == 9


def test_arrows_show_who_gives_to_whom(view, explorer):
    explorer.step = 2
    assert view.el.locator(".flow-arc-forward").count() == 2
    assert row(view, 3).get_attribute("aria-current") == "step"
    explorer.step = 9
    assert view.el.locator(".flow-arc-reverse").count() == 1
    assert view.el.locator(".flow-arc-forward").count() == 0


# --- what is shown --------------------------------------------------------------------------


def heads(view):
    return view.el.get_by_role("columnheader").all_inner_texts()


def test_columns_and_sweeps_can_be_left_out(view, explorer):
    press(view, "tangents")
    assert not explorer.tangents and heads(view) == ["line", "equation", "primal ↓", "cotangent ↑"]
    press(view, "tangents")
    view.el.get_by_label("show").select_option("forward")
    assert explorer.sweep == "forward" and "cotangent ↑" not in heads(view)
    press(view, "Last step")
    assert explorer.step == 3
    view.el.get_by_label("show").select_option("reverse")
    assert "tangent ↓" not in heads(view)
    press(view, "Last step")
    press(view, "First step")
    assert explorer.step == 3 and blanks(view, 4) == 1
    explorer.sweep = "both"
    press(view, "cotangents")
    assert not explorer.cotangents and view.el.get_by_role("slider").get_attribute("max") == "3"
    assert "cotangent ↑" not in heads(view)


def test_arrays_are_pictures_with_numbers_on_hover(module_page):
    w = np.arange(12.0).reshape(3, 4) / 10
    view = module_page.explore(show_flow(layer)(w, np.ones(4)).explore())
    canvas = row(view, 0).locator("canvas").first
    canvas.hover(position={"x": 17, "y": 10})
    tip = view.el.locator(".flow-tip")
    assert tip.inner_text().split("\n") == ["[1, 2] = 0.6", "f32[3,4], min 0, max 1.1, mean 0.55"]
    canvas.page.mouse.move(2, 2)
    assert tip.is_hidden()


def test_nan_and_infinity_are_drawn(module_page):
    def harm(x):
        return jnp.log(x) * 0.0

    explorer = show_flow(harm)(np.array([0.0, 1.0, -1.0])).explore()
    view = module_page.explore(explorer)
    explorer.step = explorer.steps
    assert "nan" in row(view, 2).inner_text()


def test_the_theme_changes_the_picture(view, module_page):
    root = view.el.locator(".adlib-flow")
    assert root.get_attribute("data-theme") == "light"
    module_page.theme("dark")
    module_page.page.wait_for_function(
        "document.querySelector('.adlib-flow').dataset.theme === 'dark'"
    )


# --- long programs --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def long_view():
    def long(x):
        for i in range(300):
            if i == 250:
                x = jnp.cos(x)
            else:
                x = jnp.sin(x)
        return x

    return show_flow(long)(0.5)


def test_only_what_is_in_sight_is_on_the_page(module_page, long_view):
    explorer = long_view.explore()
    view = module_page.explore(explorer)
    assert view.el.locator(".flow-body .flow-row").count() < 60
    explorer.step = 200
    current = view.el.locator('[aria-current="step"]')
    current.wait_for()
    stage, place = view.el.locator(".adlib-stage").bounding_box(), current.bounding_box()
    assert stage["y"] < place["y"] < stage["y"] + stage["height"] - 20
    assert view.el.locator(".flow-body .flow-row").count() < 60


def test_scrolling_draws_what_comes_into_sight(module_page, long_view):
    view = module_page.explore(long_view.explore())
    assert row(view, 150).count() == 0
    view.evaluate("el.querySelector('.adlib-stage').scrollTop = 4500")
    row(view, 150).wait_for()


def test_search_finds_names_primitives_and_lines(module_page, long_view):
    explorer = long_view.explore()
    view = module_page.explore(explorer)
    module_page.page.keyboard.press("Tab")
    module_page.page.keyboard.press("/")
    module_page.page.keyboard.type("cos")
    assert said(view) == "1 row matches “cos”. Enter goes to the next."
    row(view, 251).wait_for()
    module_page.page.keyboard.press("Enter")
    assert explorer.step == 251
    view.el.get_by_role("searchbox").fill("nothing like it")
    assert said(view).startswith("0 rows match")


# --- predicting -----------------------------------------------------------------------------


def answer(view, text):
    box = view.el.get_by_role("textbox")
    box.fill(text)
    box.press("Enter")


def feedback(view):
    return view.el.locator(".flow-feedback").inner_text()


def test_the_next_number_is_asked_before_it_is_shown(view, explorer):
    press(view, "predict")
    press(view, "Next step")
    assert row(view, 2).locator(".flow-asked").count() == 1 and "0.5403" not in card(view)
    answer(view, "-0.54")
    assert feedback(view) == "Right but for the sign." and explorer.step == 1
    answer(view, "0.54")
    assert feedback(view) == "Right." and "0.5403" in row(view, 2).inner_text()
    assert [(a["name"], a["given"], a["right"], a["slip"]) for a in explorer.answers] == [
        ("ċ", -0.54, False, "sign"),
        ("ċ", 0.54, True, ""),
    ]
    assert explorer.score == (1, 0, 1)
    assert "1 of 1 right" in view.el.get_by_role("toolbar").inner_text()


def test_enter_moves_on_and_the_answer_can_be_an_expression(view, explorer, module_page):
    explorer.predict, explorer.step = True, 1
    keyboard = module_page.page.keyboard
    view.el.get_by_role("textbox").focus()
    keyboard.type("cos(a)*1")
    keyboard.press("Enter")
    assert feedback(view) == "Right." and explorer.step == 1
    keyboard.press("Enter")
    assert explorer.step == 2
    keyboard.type("c*1 + a*cos(a)")
    keyboard.press("Enter")
    assert explorer.score == (2, 2, 2)


@pytest.mark.parametrize(
    ("step", "text", "slip"),
    [
        (2, "0.5403", "missing term"),  # a·ċ alone
        (2, "0.8415*2", ""),
        (1, "0.8415", "primal"),
        (1, "1", "factor"),
        (9, "0.5403", "missing term"),  # the contribution without what was there
        (9, "0.8415 - 0.5403", "sign"),
        (9, "0.8415", "unchanged"),
        (9, "1.84", "factor"),
        (8, "1", "factor"),
        (9, "1.42", "rounding"),
    ],
)
def test_common_slips_are_named(view, explorer, step, text, slip):
    explorer.predict, explorer.step = True, step
    answer(view, text)
    (given,) = explorer.answers
    assert not given["right"] and given["slip"] == slip
    assert feedback(view)


def test_what_is_no_number_is_said_and_not_counted(view, explorer):
    explorer.predict, explorer.step = True, 1
    answer(view, "half")
    assert feedback(view) == "“half” has no number yet. Type a number, or names that have one."
    answer(view, "1/0")
    assert feedback(view) == "That does not come to a finite number."
    assert explorer.answers == []


def test_hints_come_one_at_a_time_and_keep_what_is_typed(view, explorer):
    explorer.predict, explorer.step = True, 2
    view.el.get_by_role("textbox").fill("1.3")
    press(view, "hint")
    assert view.el.locator(".flow-hint").all_inner_texts() == ["ḋ = a·ċ + c·ȧ"]
    press(view, "hint")
    assert view.el.locator(".flow-hint").all_inner_texts()[1] == "ḋ = 1·0.5403 + 0.8415·1"
    assert view.el.get_by_role("textbox").input_value() == "1.3"


def test_a_sum_that_is_asked_stands_in_its_row(view, explorer):
    explorer.predict, explorer.step = True, 9
    assert row(view, 0).locator(".flow-cotangent").text_content() == "0.8415 + … = ?"
    assert "1.382" not in card(view) and "0.5403" not in card(view)


def test_skipping_shows_the_answer_and_counts(view, explorer):
    explorer.predict, explorer.step = True, 1
    press(view, "skip")
    assert "0.5403" in row(view, 2).inner_text() and explorer.step == 1
    assert explorer.answers[0]["skipped"] and explorer.score == (0, 0, 1)
    press(view, "Next step")
    press(view, "Next step")  # an open question is skipped before the next step
    assert explorer.step == 2 and len(explorer.answers) == 2
    press(view, "start over")
    assert explorer.answers == [] and explorer.step == 0
    press(view, "Next step")
    assert row(view, 2).locator(".flow-asked").count() == 1


def test_one_entry_or_the_sum_of_an_array_is_asked(module_page):
    w = np.arange(12.0).reshape(3, 4) / 10
    explorer = show_flow(layer)(w, np.ones(4)).explore()
    view = module_page.explore(explorer)
    explorer.predict, explorer.step = True, 2
    tangent = np.asarray(explorer.view.record.steps[1].results[0].tangent.values)
    assert "entry [2] of ḋ" in said(view)
    answer(view, str(-tangent[2]))
    assert explorer.answers[-1]["slip"] == "sign" and explorer.answers[-1]["entry"] == "entry [2]"
    view.el.get_by_label("of arrays ask").select_option("sum")
    assert explorer.ask == "sum" and "the sum of its entries of ḋ" in said(view)
    answer(view, str(tangent.sum()))
    assert explorer.score == (1, 1, 2)


def test_without_tangents_the_primal_is_asked(view, explorer):
    explorer.tangents, explorer.predict, explorer.step = False, True, 1
    assert row(view, 2).locator(".flow-primal .flow-asked").count() == 1
    answer(view, "sin(1)")
    assert explorer.score == (1, 1, 1)


# --- a view's life --------------------------------------------------------------------------


def test_other_arguments_redraw_in_place(view, explorer):
    explorer.step = 2
    explorer.show(show_flow(f)(2.0, 3.0))
    assert explorer.step == 2 and "1.819" in row(view, 3).inner_text()
    assert view.el.locator(".adlib-flow").count() == 1


def test_a_slider_of_interact_reaches_the_page(module_page):
    box = interact(show_flow(f), x=(0.0, 3.0), y=2.0)
    view = module_page.explore(box.explorer)
    box.controls["x"].value = 2.0
    assert row(view, 0).locator(".flow-primal").inner_text() == "2"


def test_two_views_of_one_model(view, explorer):
    second = view.again()
    press(second, "Next step")
    assert said(view) == said(second) and explorer.step == 1
    second.close()
    press(view, "Next step")
    assert explorer.step == 2


def test_nothing_is_left_behind(view):
    press(view, "Play")
    view.close()
    assert view.listening == []


def test_a_saved_page_works_without_a_kernel(browser, explorer, tmp_path):
    path = explorer.save(tmp_path / "flow.html")
    context = browser.new_context()
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.as_uri())
    page.get_by_role("button", name="predict").click()
    page.get_by_role("button", name="Next step").click()
    page.get_by_role("textbox").fill("0.54")
    page.get_by_role("textbox").press("Enter")
    assert page.locator(".flow-feedback").inner_text() == "Right."
    assert errors == []
    context.close()


def test_names_are_texts_on_the_page(module_page, nasty):
    text = nasty[:-1]
    explorer = show_flow(f)(1.0, 2.0).explore()
    data = explorer.data
    for one in data["rows"]:
        one.update(name=text, text=text, type=text, key=text, code=text, rule=text)
    state = {"title": text, "data": data, "step": 9, "sweep": "both", "tangents": True,
             "cotangents": True, "predict": True, "ask": "entry", "answers": []}  # fmt: skip
    view = module_page.show(script("flow"), state)
    assert view.evaluate("el.querySelectorAll('script').length") == 0
    assert "<script>alert" in row(view, 2).inner_text()


# --- pure functions -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.54", 0.54),
        ("−1,5", -1.5),
        ("1e-3", 1e-3),
        (".5", 0.5),
        ("2*3+4/8-1", 5.5),
        ("-2^2", -4.0),
        ("2^-1", 0.5),
        ("2**3**2", 512.0),
        ("(1+2)·(3)", 9.0),
        ("cos(0)*x", 3.0),
        ("ȧ + 1", 2.0),
        ("pi", np.pi),
        ("tanh(log(exp(0.5)))", np.tanh(0.5)),
    ],
)
def test_typed_numbers(module_page, text, value):
    found = module_page.call(script("predict"), "typedNumber", text, {"x": 3.0, "ȧ": 1.0})
    assert found == pytest.approx(value)


@pytest.mark.parametrize(
    "text", ["", "abc", "1 2", "(1", "1+", "1..2", "$", "constructor", "toString(1)", "x(2)"]
)
def test_what_is_no_number_is_refused(module_page, text):
    code = "(() => { try { return module.typedNumber(given, {x: 1}); }"
    code += " catch (error) { return error.message; } })()"
    assert isinstance(module_page.run(script("predict"), code, text), str)


def test_names_with_dots_and_bars_are_those_of_python(module_page):
    from adlib.inspect.rule_texts import cotangent_name, tangent_name

    for name in ("a", "b", "i", "j", "aj", "x"):
        assert module_page.call(script("flow_steps"), "dotted", name) == tangent_name(name)
        assert module_page.call(script("flow_steps"), "barred", name) == cotangent_name(name)
