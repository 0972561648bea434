"""What every view is built from, in a browser: elements, controls, requests, pan and zoom."""

import json

import pytest

from adlib_widgets.bundle import script, style

pytestmark = pytest.mark.browser

# A view made of one of everything; what it is told is kept on the element.
PROBE = """
export default { render({ model, el }) {
  const view = frame(el, "a probe", "probe");
  const told = (el.told = []);
  const tell = (kind) => (value) => told.push([kind, value]);
  view.toolbar.append(
    button("go", () => tell("go")(1), { tip: "Goes", name: "Go there" }),
    toggle("wide", false, tell("wide")),
    choice("pick", [["a", "first"], ["b", "second"]], "b", tell("pick")),
  );
  const slide = slider("size", { max: 5, value: 2, oninput: tell("size"), text: (n) => `${n} px` });
  view.toolbar.append(slide.field);
  help(view, ["Keys do things."]);
  const items = ["x", "y", "z"].map((text) => h("div", {}, text));
  const list = h("div", { class: "list" }, items);
  roving(list, items, { onmove: tell("move") });
  const svg = s("svg", { class: "sheet", width: 400, height: 300, tabindex: "0" },
    s("rect", { x: 0, y: 0, width: 800, height: 600, fill: "red" }),
    s("text", { x: 5, y: 20 }, "<b>words</b>"));
  view.stage.append(list, svg);
  const moved = panZoom(svg, 800, 600);
  el.parts = { view, slide, svg, ask, put, svgText, enable, panZoom: moved };
  view.say("ready");
  const stop = listen(model, ["count"], () => tell("count")(model.get("count")));
  return () => { stop(); view.dispose(); };
} };
"""


@pytest.fixture(scope="module")
def probe():
    common = script("common")
    return common.replace("export ", "") + PROBE


@pytest.fixture
def view(module_page, probe):
    return module_page.show(probe, {"count": 0}, style("common"))


def told(view):
    return view.evaluate("el.told")


def test_the_frame_has_its_parts(view):
    assert view.el.get_by_role("group", name="a probe").is_visible()
    assert view.el.get_by_role("toolbar", name="a probe").is_visible()
    status = view.el.get_by_role("status")
    assert status.inner_text() == "ready" and status.get_attribute("aria-live") == "polite"


def test_plain_keys_are_kept_from_jupyter(view, module_page):
    go = view.el.get_by_role("button", name="Go there")
    go.focus()
    for key, kept in (("q", True), ("Control+s", False), ("ArrowDown", True)):
        module_page.page.keyboard.press(key)
        assert (go.get_attribute("data-lm-suppress-shortcuts") is not None) is kept


def test_controls_tell_what_was_chosen(view):
    view.el.get_by_role("button", name="Go there").click()
    wide = view.el.get_by_role("button", name="wide")
    wide.click()
    assert wide.get_attribute("aria-pressed") == "true"
    wide.click()
    pick = view.el.get_by_label("pick")
    assert pick.input_value() == "b"
    pick.select_option("a")
    size = view.el.get_by_role("slider", name="size")
    size.fill("4")
    assert size.get_attribute("aria-valuetext") == "4 px"
    assert told(view) == [["go", 1], ["wide", True], ["wide", False], ["pick", "a"], ["size", 4]]


def test_a_slider_can_get_other_ends(view):
    view.evaluate("el.parts.slide.range(1, 9) ?? el.parts.slide.set(8)")
    slider = view.el.get_by_role("slider")
    assert (slider.get_attribute("max"), slider.input_value()) == ("9", "8")


def test_a_button_that_is_switched_off_keeps_the_focus(view):
    go = view.el.get_by_role("button", name="Go there")
    go.focus()
    view.evaluate("el.parts.enable(el.querySelector('[aria-label=\"Go there\"]'), false)")
    assert go.is_disabled() and view.evaluate("document.activeElement.textContent") == "go"


def test_help_unfolds(view):
    panel = view.el.get_by_text("Keys do things.")
    assert panel.is_hidden()
    view.el.get_by_role("button", name="Help").click()
    assert panel.is_visible()


def test_one_item_is_in_the_tab_order_and_arrows_move(view, module_page):
    items = view.el.locator(".list > div")
    indices = [items.nth(i).get_attribute("tabindex") for i in range(3)]
    assert indices == ["0", "-1", "-1"]
    items.nth(0).focus()
    for key in ("ArrowDown", "End", "ArrowDown", "ArrowUp", "Home"):
        module_page.page.keyboard.press(key)
    moves = [value for kind, value in told(view) if kind == "move"]
    assert moves[-1] == 0 and 2 in moves and max(moves) == 2
    assert items.nth(0).get_attribute("tabindex") == "0"


def test_traits_are_put_and_heard(view):
    view.evaluate("el.parts.put(model, 'count', 3)")
    assert view.saved == [{"count": 3}] and told(view) == [["count", 3]]
    view.update(count=5)
    assert told(view)[-1] == ["count", 5]
    view.close()
    assert view.listening == []


def test_requests_find_their_answers(view):
    view.evaluate("void (el.answer = el.parts.ask(model, 'twice', { of: 2 }))")
    (sent,) = view.sent
    assert sent["request"] == "twice" and sent["arguments"] == {"of": 2}
    view.receive({"reply": "another", "value": 1})
    view.receive({"reply": sent["id"], "value": 4})
    assert view.evaluate("el.answer") == 4 and "msg:custom" not in view.listening


def test_errors_of_requests_are_words(view):
    view.evaluate("void (el.answer = el.parts.ask(model, 'bad').catch((error) => error.message))")
    view.receive({"reply": view.sent[0]["id"], "error": "ValueError: no"})
    assert view.evaluate("el.answer") == "ValueError: no"


def test_without_a_kernel_or_an_answer_it_is_said(module_page, probe):
    view = module_page.show(probe, {"count": 0}, kernel=False)
    code = "el.parts.ask(model, 'x').catch((error) => error.message)"
    assert view.evaluate(code) == "This page has no kernel; run the notebook to do this."
    view = module_page.show(probe, {"count": 0})
    code = "el.parts.ask(model, 'x', {}, { seconds: 0.01 }).catch((error) => error.message)"
    assert view.evaluate(code).startswith("The kernel has not answered.")


# --- pan and zoom ---------------------------------------------------------------------------


def box(view):
    return view.evaluate("Object.values(el.parts.panZoom.box())")


def test_dragging_moves_and_is_no_click(view, module_page):
    view.evaluate("void el.parts.svg.addEventListener('click', () => el.told.push(['click', 1]))")
    place = view.el.locator(".sheet").bounding_box()
    x, y = place["x"] + 100, place["y"] + 100
    mouse = module_page.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + 30, y + 10, steps=4)
    mouse.up()
    left, top, width, height = box(view)
    assert left < -30 and top < -5 and (width, height) == (800, 600)
    assert told(view) == []
    mouse.click(x, y)
    assert told(view) == [["click", 1]]


def test_the_wheel_scrolls_the_page_and_zooms_with_ctrl(view, module_page):
    place = view.el.locator(".sheet").bounding_box()
    module_page.page.mouse.move(place["x"] + 200, place["y"] + 150)
    module_page.page.mouse.wheel(0, 50)
    assert box(view) == [0, 0, 800, 600]
    module_page.page.keyboard.down("Control")
    module_page.page.mouse.wheel(0, -100)
    module_page.page.keyboard.up("Control")
    module_page.page.wait_for_function(
        "document.querySelector('.sheet').viewBox.baseVal.width < 790"
    )
    left, top, width, height = box(view)
    assert width / height == pytest.approx(4 / 3)
    # what is under the pointer stays there
    assert left + width / 2 == pytest.approx(400, abs=4) and top + height / 2 == pytest.approx(
        300, abs=4
    )


def test_keys_zoom_pan_and_fit(view):
    def press(key):
        event = f"new KeyboardEvent('keydown', {{ key: {json.dumps(key)} }})"
        return view.evaluate(f"el.parts.panZoom.key({event})")

    assert press("+") and box(view)[2] < 800
    assert press("ArrowRight") and press("0") and box(view) == [0, 0, 800, 600]
    assert not press("q")


def test_a_place_is_brought_into_sight(view):
    view.evaluate("el.parts.panZoom.zoom(4)")
    view.evaluate("el.parts.panZoom.reveal(700, 500, 50, 20)")
    left, top, width, height = box(view)
    assert left <= 700 and left + width >= 750 and top <= 500 and top + height >= 520
    view.evaluate("el.parts.panZoom.reveal(0, 0, 800, 20)")
    assert box(view)[2] >= 800


# --- texts and pictures ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5403023, "0.5403"),
        (-1, "−1"),
        (0, "0"),
        (1234567.0, "1.235e+6"),
        (0.00001234, "1.234e−5"),
        ("nan", "nan"),
        ("-inf", "−∞"),
        (12345.678, "12350"),
    ],
)
def test_numbers_for_people(module_page, value, text):
    assert module_page.call(script("common"), "numberText", value) == text


def test_bytes_are_those_of_python(module_page):
    from adlib_widgets.canvas import bytes_text

    for count in (0, 7, 900, 1000, 4096, 65536, 3 * 2**20, 5 * 2**30 + 2**28):
        assert module_page.call(script("common"), "bytesText", count) == bytes_text(count)


def test_colours_of_numbers(module_page):
    def heat(value, most, dark):
        return module_page.call(script("common"), "heat", value, most, dark)

    assert heat(0, 1, False) == "rgb(255,255,255)" and heat(1, 1, False) == "rgb(192,57,43)"
    assert heat(-1, 1, True) == "rgb(96,165,235)" and heat("inf", 1, False) == "rgb(192,57,43)"
    assert heat("nan", 1, True) == "#ffffff"


def test_a_saved_drawing_is_whole_and_escaped(view):
    text = view.evaluate("el.parts.svgText(el.parts.svg, 800, 600)")
    assert text.startswith("<svg ") and 'xmlns="http://www.w3.org/2000/svg"' in text
    assert "class=" not in text and "tabindex=" not in text
    assert 'viewBox="0 0 800 600"' in text and "&lt;b&gt;words" in text and "font-family" in text


def test_the_theme_is_the_pages(view, module_page):
    root = view.el.locator(".adlib-view")
    assert root.get_attribute("data-theme") == "light"
    module_page.theme("dark")
    module_page.page.wait_for_function(
        "document.querySelector('.adlib-view').dataset.theme === 'dark'"
    )
