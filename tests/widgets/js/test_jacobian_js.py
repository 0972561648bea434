"""The Jacobian's explorer in a page: passes, choices, keys, paths, words."""

import numpy as np
import pytest
from playwright.sync_api import expect

import adlib
import adlib.numpy as jnp
from adlib_widgets import show_jacobian
from adlib_widgets.bundle import script, style
from adlib_widgets.jacobian_explorer import block_data, jacobian_data

pytestmark = pytest.mark.browser
X = np.array([1.0, 2.0, 3.0], np.float32)
BAND = np.arange(1.0, 10.0, dtype=np.float32)


def small(x):
    s = jnp.sin(x[0])
    return jnp.stack([s * x[1] + x[0] ** 2, jnp.exp(s) * x[2], x[1] * x[2]])


def band(x):
    return x[1:] * x[:-1]


def layers(params, x):
    return {"y": params["w"] @ x, "n": (x**2).sum()}


@pytest.fixture
def explorer():
    return show_jacobian(small)(X).explore()


def status(view):
    return view.el.locator(".adlib-status")


def grid(view, name="Forward mode"):
    return view.el.get_by_role("grid", name=name)


def click_cell(view, name, row, column):
    """Click the middle of a cell of the small matrix; the geometry is the script's own."""
    code = "module.geometry(module.indexed(given[0]), given[1], 'dense', given[2], 400)"
    side = name.split()[0].lower()
    width = view.el.locator(".adlib-stage").evaluate("stage => (stage.clientWidth - 2) / 2 - 26")
    place = view.host.run(matrix_module(), code, [view.get("data")["blocks"][""], side, width])
    at = {
        "x": place["x"] + (column + 0.5) * place["w"],
        "y": place["y"] + (row + 0.5) * place["h"],
    }
    grid(view, name).locator("canvas").click(position=at)


def matrix_module():
    return script("jacobian_matrix")


# ---------------------------------------------------------------------------- passes


def test_each_step_writes_a_column_and_a_row(module_page, explorer):
    view = module_page.explore(explorer)
    expect(status(view)).to_contain_text("Nothing is written yet: 3 JVPs by columns, 3 VJPs")
    following = view.el.get_by_role("button", name="Next pass")
    following.click()
    following.click()
    assert explorer.step == 2
    expect(status(view)).to_have_text(
        "Step 2 of 3: forward mode pushes x[1] and writes column x[1]; "
        "reverse mode pulls out[1] and writes row out[1]."
    )
    forward, reverse = view.el.locator(".jac-vectors").all()[:2]
    expect(forward).to_contain_text("ẋ = e₁ = (0, 1, 0)")
    expect(forward).to_contain_text("ẏ = J·ẋ = (0.8415, 0, 3)")
    expect(reverse).to_contain_text("= e₁ = (0, 1, 0)")
    expect(view.el.locator(".jac-count").first).to_contain_text("2 of 3 JVPs · 6.29 × f")
    following.click()
    assert explorer.step == 3
    expect(following).to_have_attribute("aria-disabled", "true")


def test_the_kernel_moves_the_page(module_page, explorer):
    view = module_page.explore(explorer)
    explorer.step = 1
    expect(view.el.get_by_label("Step")).to_have_value("1")
    explorer.mode = "compressed"
    expect(view.el.get_by_role("button", name="Compressed")).to_have_attribute(
        "aria-pressed", "true"
    )
    explorer.selected = [0, 0]
    expect(status(view)).to_have_text("∂out[0]/∂x[0] = 3.081 is the sum over 2 paths: 2 + 1.081.")


def test_play_runs_to_the_end_and_stops(module_page, explorer):
    view = module_page.explore(explorer)
    view.el.get_by_role("button", name="Play").click()
    expect(view.el.get_by_role("button", name="Pause")).to_be_visible()
    expect(view.el.get_by_label("Step")).to_have_value("3")
    expect(view.el.get_by_role("button", name="Play")).to_be_visible()
    assert explorer.step == 3


def test_the_slower_mode_goes_on_alone(module_page):
    explorer = show_jacobian(lambda x: (x**2).sum())(X).explore()
    view = module_page.explore(explorer)
    explorer.step = 3
    expect(status(view)).to_contain_text("reverse mode is complete after 1 VJP")
    expect(view.el.locator(".jac-vectors").nth(1)).to_have_text("Complete after 1 VJP.")
    expect(view.el.locator(".jac-verdict")).to_contain_text(
        "The matrix is wide: 1 row, but 3 columns. Reverse mode is cheaper, as it needs a pass "
        "for each row only"
    )


# ---------------------------------------------------------------------------- compressed


def test_compressed_passes_push_groups(module_page):
    explorer = show_jacobian(band)(BAND).explore()
    view = module_page.explore(explorer)
    expect(view.el.get_by_text("Sparsity pattern", exact=True)).to_be_visible()
    view.el.get_by_role("button", name="Compressed").click()
    assert explorer.mode == "compressed" and explorer.steps == 2
    view.el.get_by_role("button", name="Next pass").click()
    expect(status(view)).to_contain_text(
        "Step 1 of 2: forward mode pushes x[0] + x[2] + x[4] + … (5 together), group a, and "
        "writes 5 columns at once; reverse mode pulls out[0] + out[2] + out[4] + out[6], group A,"
    )
    expect(view.el.locator(".jac-vectors").first).to_contain_text(
        "ẏ = J·ẋ = (2, 2, 4, 4, 6, 6, 8, 8)"
    )
    words = view.el.locator(".jac-pattern")
    expect(words).to_contain_text("16 of 72 entries can differ from zero.")
    expect(words).to_contain_text("9 columns in 2 groups. Rows likewise: 8 in 2 groups.")
    bars = view.el.get_by_role("listitem")
    expect(bars.filter(has_text="columns, compressed")).to_contain_text("2 JVPs × 4 f = 8 f")


def test_a_letter_shows_its_pass(module_page):
    explorer = show_jacobian(band)(BAND).explore()
    view = module_page.explore(explorer)
    canvas = grid(view, "Sparsity pattern").locator("canvas")
    box = canvas.bounding_box()
    place = view.host.run(
        matrix_module(),
        "module.geometry(module.indexed(given[0]), 'pattern', 'dense', given[1], 400)",
        [view.get("data")["blocks"][""], view.el.locator(".adlib-stage").evaluate(
            "stage => (stage.clientWidth - 2) / 2 - 26")],
    )  # fmt: skip
    assert abs(place["width"] - box["width"]) < 1
    at = {"x": place["x"] + 1.5 * place["w"], "y": place["y"] - 12}
    canvas.hover(position=at)
    expect(view.el.locator(".jac-tip")).to_contain_text("group b: x[1], x[3], x[5], x[7]")
    canvas.click(position=at)
    assert (explorer.mode, explorer.step) == ("compressed", 2)
    canvas.click(position={"x": place["x"] - 12, "y": place["y"] + 0.5 * place["h"]})
    assert explorer.step == 1


def test_a_dense_matrix_has_no_pattern_panel(module_page):
    view = module_page.explore(show_jacobian(lambda x: x * x.sum())(X).explore())
    expect(view.el.locator(".jac-pattern")).to_be_hidden()
    assert view.el.locator(".jac-bar").count() == 2


# ---------------------------------------------------------------------------- entries


def test_a_click_chooses_an_entry_and_shows_its_paths(module_page, explorer):
    view = module_page.explore(explorer)
    click_cell(view, "Reverse mode", 1, 2)
    assert explorer.selected == [1, 2]
    panel = view.el.get_by_label("Paths of the chosen entry")
    expect(panel).to_contain_text("1 path")
    assert view.sent == [], "the paths of a small matrix are there already"
    graph = panel.get_by_role("img", name="Graph of")
    expect(graph).to_have_attribute("aria-label", "Graph of 2 vertices from x[2] to out[1]")


def test_paths_are_asked_from_the_kernel(module_page):
    explorer = show_jacobian(lambda x: x * x.sum())(BAND).explore()
    view = module_page.explore(explorer)
    explorer.selected = [4, 4]
    panel = view.el.get_by_label("Paths of the chosen entry")
    expect(panel).to_contain_text("2 paths")
    assert view.sent[0]["request"] == "paths"
    assert view.sent[0]["arguments"] == {"row": 4, "column": 4}
    expect(status(view)).to_have_text("∂out[4]/∂x[4] = 50 is the sum over 2 paths: 45 + 5.")
    explorer.selected = []
    explorer.selected = [4, 4]
    expect(panel).to_contain_text("2 paths")
    assert len(view.sent) == 1, "an answer is kept"


def test_arrow_keys_move_the_chosen_entry(module_page, explorer):
    view = module_page.explore(explorer)
    grid(view).focus()
    keyboard = module_page.page.keyboard
    places = []
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "End", "ArrowRight", "Home", "ArrowUp"):
        keyboard.press(key)
        places.append(list(explorer.selected))
    assert places == [[0, 0], [1, 0], [1, 1], [1, 2], [1, 2], [1, 0], [0, 0]]
    assert explorer.step == 0, "the matrix keeps its arrows"
    cell = grid(view).get_by_role("gridcell")
    expect(cell).to_have_text("∂out[0]/∂x[0] = 3.0806046")
    assert grid(view).get_attribute("aria-activedescendant") == cell.get_attribute("id")
    assert (grid(view).get_attribute("aria-rowcount"), cell.get_attribute("aria-colindex")) == (
        "3",
        "1",
    )
    keyboard.press("Escape")
    assert explorer.selected == []


def test_keys_of_the_view(module_page, explorer):
    view = module_page.explore(explorer)
    view.el.get_by_role("button", name="Next pass").focus()
    keyboard = module_page.page.keyboard
    keyboard.press("ArrowRight")
    keyboard.press("ArrowRight")
    assert explorer.step == 2
    keyboard.press("ArrowLeft")
    assert explorer.step == 1
    keyboard.press("c")
    assert explorer.mode == "compressed" and explorer.step == 0
    keyboard.press("?")
    expect(view.el.get_by_text("c: one-hot or compressed.")).to_be_visible()
    keyboard.press("End")
    assert explorer.step == explorer.steps


def test_a_path_lights_up(module_page, explorer):
    explorer.selected = [0, 0]
    view = module_page.explore(explorer)
    items = view.el.get_by_role("listitem").get_by_role("button")
    expect(items).to_have_count(2)
    items.first.focus()
    expect(view.el.locator(".jac-arc.jac-on")).to_have_count(2)
    module_page.page.keyboard.press("ArrowDown")
    expect(items.nth(1)).to_be_focused()
    expect(view.el.locator(".jac-arc.jac-on")).to_have_count(3)
    expect(view.el.locator(".jac-vertex.jac-on")).to_have_count(4)
    expect(items.nth(1)).to_contain_text("x[0] → d → g → out[0]")
    expect(items.nth(1)).to_contain_text("0.5403 · 2 · 1 = 1.081")
    assert explorer.step == 0, "the list keeps its arrows"


def test_hovering_tells_the_exact_value(module_page, explorer):
    view = module_page.explore(explorer)
    box = grid(view).locator("canvas").bounding_box()
    module_page.page.mouse.move(box["x"] + box["width"] - 20, box["y"] + box["height"] - 70)
    tip = view.el.locator(".jac-tip")
    expect(tip).to_contain_text("∂out[0]/∂x[2] = 0, not in the pattern")
    expect(tip).to_contain_text("row 0, column 2")
    module_page.page.mouse.move(1, 1)
    expect(tip).to_be_hidden()


# ---------------------------------------------------------------------------- blocks


def test_a_block_is_chosen(module_page):
    params = {"w": np.arange(6.0, dtype=np.float32).reshape(2, 3)}
    explorer = show_jacobian(layers, argnums=(0, 1))(params, X).explore()
    view = module_page.explore(explorer)
    explorer.step, explorer.selected = 4, [2, 7]
    view.el.get_by_label("Block").select_option("∂out['y']/∂x  (2×3)")
    assert explorer.block == [1, 1] and explorer.step == 0
    grid(view).focus()
    module_page.page.keyboard.press("ArrowRight")
    assert explorer.selected == [2, 8], "counted in the whole"
    expect(grid(view).get_by_role("gridcell")).to_have_text("∂out['y'][1]/∂x[2] = 5")
    explorer.block = []
    expect(view.el.get_by_label("Block")).to_have_value("")


def test_a_large_block_is_asked_for(module_page):
    explorer = show_jacobian(layers, argnums=(0, 1))(
        {"w": np.ones((2, 3), np.float32)}, X
    ).explore()
    explorer.data = {**explorer.data, "blocks": {"": explorer.data["blocks"][""]}}
    view = module_page.explore(explorer)
    view.el.get_by_label("Block").select_option("1:1")
    expect(view.el.locator(".jac-verdict")).to_contain_text("3 columns, but 2 rows".split()[0])
    assert view.sent[0]["request"] == "block"
    expect(grid(view)).to_have_attribute("aria-colcount", "3")


def test_merged_cells_choose_their_largest_entry(module_page):
    n = 1000
    explorer = show_jacobian(lambda x: x**2)(np.linspace(0, 1, n).astype(np.float32)).explore()
    view = module_page.explore(explorer)
    grid(view).focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowDown"):
        module_page.page.keyboard.press(key)
    assert explorer.selected == [21, 21]
    expect(view.el.get_by_text("drawn 91×91, in truth 1000×1000")).to_be_visible()
    explorer.step = 1
    expect(status(view)).to_contain_text("forward mode has done 11 of 1000 JVPs")


# ------------------------------------------------------------------------- odd functions


def test_a_function_with_one_mode_says_so(module_page):
    def loop(x):
        return adlib.lax.while_loop(lambda c: c.sum() < 50.0, lambda c: c * 2.0, x)

    explorer = show_jacobian(loop)(X).explore()
    view = module_page.explore(explorer)
    explorer.step = 3
    expect(view.el.locator(".jac-vectors").nth(1)).to_have_text(
        "A loop of unknown length has no reverse mode, so there is only forward mode: columns."
    )


@pytest.mark.parametrize(
    ("function", "point"),
    [
        (lambda x: x**2, np.float32(3.0)),
        (lambda x: x[:0], X),
        (lambda x: jnp.sqrt(x - 2.0), X),
        (lambda x: jnp.tile(x, 80), X),
    ],
)
def test_every_shape_is_drawn(module_page, function, point):
    explorer = show_jacobian(function)(point).explore()
    view = module_page.explore(explorer)
    for mode in ("dense", "compressed"):
        explorer.mode = mode
        explorer.step = explorer.steps
    grid(view).focus()
    module_page.page.keyboard.press("ArrowDown")
    expect(view.el.locator(".adlib-status")).not_to_be_empty()


def test_new_arguments_are_drawn_in_place(module_page, explorer):
    explorer.step, explorer.selected = 1, [2, 1]
    view = module_page.explore(explorer)
    expect(view.el.locator(".jac-equals")).to_have_text("= 3")
    explorer.show(show_jacobian(small)(X * 2.0))
    expect(view.el.locator(".jac-equals")).to_have_text("= 6")
    expect(view.el.locator(".jac-vectors").first).to_contain_text("−")
    assert explorer.step == 1


def test_without_a_kernel_it_says_what_needs_one(module_page):
    jacobian = show_jacobian(lambda x: x * x.sum())(BAND).jacobian
    state = {
        "title": "t", "data": jacobian_data(jacobian), "paths": {}, "step": 9,
        "mode": "dense", "block": [], "selected": [1, 2],
    }  # fmt: skip
    view = module_page.show(script("jacobian"), state, style("jacobian"), kernel=False)
    expect(view.el.get_by_text("∂out[1]/∂x[2] = 2. Its paths need a kernel")).to_be_visible()


def test_two_outputs_and_their_end(module_page, explorer):
    view = module_page.explore(explorer)
    second = view.again()
    view.el.get_by_role("button", name="Next pass").click()
    expect(second.el.get_by_label("Step")).to_have_value("1")
    view.el.get_by_role("button", name="Play").click()
    view.close()
    second.close()
    assert second.listening == []


def test_nasty_names_stay_text(module_page, nasty):
    name = nasty.replace("\ud800", "").replace("\0", "")
    explorer = show_jacobian(lambda tree: {name: tree[name] ** 2})({name: X}).explore()
    explorer.selected = [1, 1]
    view = module_page.explore(explorer)
    expect(view.el.locator(".jac-entry")).to_contain_text("<script>alert")
    assert view.evaluate("el.querySelectorAll('script').length") == 0


def test_the_saved_page_works_alone(module_page, explorer):
    explorer.selected = [0, 0]
    module_page.page.set_content(explorer.to_html())
    module_page.page.get_by_role("button", name="Next pass").click()
    expect(module_page.page.get_by_text("Step 1 of 3: forward mode pushes x[0]")).to_be_visible()
    expect(module_page.page.get_by_label("Graph of 5 vertices")).to_be_visible()


def test_a_theme_change_repaints(module_page, explorer):
    explorer.step = 3
    view = module_page.explore(explorer)
    read = "el.querySelector('canvas').toDataURL()"
    light = view.evaluate(read)
    module_page.theme("dark")
    expect(view.el.locator(".adlib-view")).to_have_attribute("data-theme", "dark")
    module_page.page.wait_for_function(
        "light => document.querySelector('canvas').toDataURL() !== light", arg=light
    )


# ----------------------------------------------------------------------------- functions


def test_a_new_width_draws_anew(module_page, explorer):
    view = module_page.explore(explorer)
    canvas = grid(view).locator("canvas")
    before = canvas.bounding_box()["width"]
    view.evaluate("void (el.style.width = '420px')")
    expect(view.el.locator(".jac-panels")).to_have_css("--jac-across", "1")
    view.evaluate("void (el.style.width = '')")
    expect(view.el.locator(".jac-panels")).to_have_css("--jac-across", "2")
    assert canvas.bounding_box()["width"] == before


def test_words_for_vectors_and_groups(module_page):
    module = script("jacobian_words")
    call = module_page.call
    assert module_page.run(module, "module.vectorText([1, -0.5], k => k)") == "= (1, −0.5)"
    nine = "[0, 0, 0, 0, 0, 0, 0, 2, 0]"
    assert module_page.run(module, f"module.vectorText({nine}, k => `x[${{k}}]`)") == (
        "is zero but for x[7]: 2"
    )
    assert call(matrix_module(), "groupLetter", 27) == "ab"
    assert [call(matrix_module(), "cellText", v) for v in (0.12345, -2e-5, 1e6, "nan", "-inf")] == [
        "0.123", "−2e−5", "1e6", "nan", "−∞",
    ]  # fmt: skip


def test_steps_agree_with_the_kernels(module_page):
    for function in (band, lambda x: x.sum(), lambda x: jnp.tile(x, 40)):
        explorer = show_jacobian(function)(BAND).explore()
        block = block_data(explorer.jacobian)
        for mode in ("dense", "compressed"):
            explorer.mode = mode
            assert module_page.call(script("jacobian_words"), "stepCount", block, mode, "") == (
                explorer.steps
            )


def test_modes_that_disagree_are_shown_as_they_are(module_page):
    def unsafe(x):
        return jnp.where(x > 0, jnp.sqrt(x), 0.0)

    explorer = show_jacobian(unsafe)(np.array([0.0, 4.0], np.float32)).explore()
    explorer.step, explorer.selected = 1, [0, 0]
    view = module_page.explore(explorer)
    forward, reverse = view.el.locator(".jac-vectors").all()[:2]
    expect(forward).to_contain_text("ẏ = J·ẋ = (0, 0)")
    expect(reverse).to_contain_text("= (nan, 0)")
    expect(view.el.locator(".jac-equals")).to_have_text("= 0 in forward mode, nan in reverse mode")
    expect(view.el.locator(".jac-sum")).to_have_text("one path: inf·0 = nan")
    expect(grid(view).get_by_role("gridcell")).to_have_text(
        "∂out[0]/∂x[0] = 0 forward, nan reverse"
    )
