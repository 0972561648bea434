"""The page in which widgets' JavaScript is tested: its model behaves as a front end's does."""

import anywidget
import pytest
import traitlets

pytestmark = pytest.mark.browser

COUNTER = """
export const add = (a, b) => a + b;
export default {
  render({ model, el }) {
    const button = document.createElement("button");
    const draw = () => { button.textContent = `count ${model.get("count")}`; };
    button.onclick = () => { model.set("count", model.get("count") + 1); model.save_changes(); };
    const told = (message) => { el.append(message.text); model.send({ heard: message.text }); };
    model.on("change:count", draw);
    model.on("msg:custom", told);
    draw();
    el.append(button);
    return () => { model.off("change:count", draw); model.off("msg:custom", told); };
  },
};
"""


def test_a_widget_renders_and_saves_what_a_click_changes(module_page):
    view = module_page.show(COUNTER, {"count": 1})
    view.el.get_by_role("button", name="count 1").click()
    assert view.el.inner_text() == "count 2"
    assert view.get("count") == 2
    assert view.saved == [{"count": 2}]
    assert view.log == [["set", "count", 2], ["save", {"count": 2}]]


def test_the_kernel_s_changes_and_messages_arrive(module_page):
    view = module_page.show(COUNTER, {"count": 1})
    view.update(count=7)
    view.receive({"text": "!"})
    assert view.el.inner_text() == "count 7!"
    assert view.saved == [] and view.sent == [{"heard": "!"}]


def test_two_views_of_one_model_stay_equal_and_closing_one_forgets_it(module_page):
    first = module_page.show(COUNTER, {"count": 0})
    second = first.again()
    first.el.get_by_role("button").click()
    assert second.el.inner_text() == "count 1"
    second.close()
    assert first.listening == ["change:count", "msg:custom"]


def test_exported_functions_can_be_called(module_page):
    assert module_page.call(COUNTER, "add", 2, 3) == 5
    assert module_page.run(COUNTER, "module.add(given, 1)", 4) == 5


@pytest.mark.parametrize(
    "code, message",
    [
        ("model.set('other', 1)", 'the model has no trait "other"'),
        ("model.set('count', () => 1)", "count cannot be sent to a kernel"),
    ],
)
def test_the_model_refuses_what_a_kernel_would_not_take(module_page, code, message):
    view = module_page.show(COUNTER, {"count": 0})
    assert message in view.evaluate(
        f"(() => {{ try {{ {code} }} catch (e) {{ return e.message }} }})()"
    )


@pytest.mark.parametrize(
    "code, message",
    [
        ("console.error('broken')", "broken"),
        ("setTimeout(() => { throw new Error('late'); })", "late"),
        ("fetch('https://example.org/x.js').catch(() => null)", "https://example.org/x.js"),
    ],
)
def test_errors_and_requests_are_found(module_page, code, message):
    view = module_page.show(COUNTER, {"count": 0})
    view.evaluate(code)
    view.evaluate("new Promise(done => setTimeout(done, 20))")
    with pytest.raises(AssertionError, match=message):
        module_page.complaints.check()
    module_page.complaints.errors.clear()
    module_page.complaints.requests.clear()


def test_a_saved_page_has_nobody_to_send_to(module_page):
    view = module_page.show(COUNTER, {"count": 0}, kernel=False)
    assert view.evaluate("model.send === null")


class Counter(anywidget.AnyWidget):
    """The widget above with a Python side that counts to three."""

    _esm = COUNTER
    count = traitlets.Int(1).tag(sync=True)

    @traitlets.validate("count")
    def _small(self, proposal):
        return min(proposal["value"], 3)

    def _answer(self, _widget, content, _buffers):
        if content["heard"] == "hello":
            self.send({"text": f" and hello from {self.count}"})


def test_a_widget_in_python_and_its_page_hold_the_same(module_page):
    counter = Counter()
    view = module_page.explore(counter)
    view.el.get_by_role("button").click()
    assert counter.count == 2
    counter.count = 1
    assert view.el.inner_text() == "count 1"
    view.evaluate("(model.set('count', 9), model.save_changes())")
    view.el.get_by_role("button", name="count 3").wait_for()  # Python's answer to 9
    assert counter.count == 3
    view.evaluate("model.send({ heard: 'hello' })")
    view.el.get_by_text("and hello from 3").wait_for()
