"""An empty page in which a widget's JavaScript runs against a model without a kernel.

    def test_a_click_moves_on(module_page):
        view = module_page.show(bundle("flow"), {"step": 0, "record": {...}})
        view.el.get_by_role("button", name="Next").click()
        assert view.get("step") == 1 and view.saved == [{"step": 1}]

The page has an origin of its own that only answers with the texts given to it: whatever else a
widget asks for is refused and fails the test, as do errors on the console.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Route,
    expect,
    sync_playwright,
)

FOLDER = Path(__file__).resolve().parent / "browser" / "page"
ORIGIN = "http://widget.test"
# A container's shared memory is small, and a test must not wait for a browser's own errands.
ARGUMENTS = (
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
LIMIT = 20_000  # milliseconds that a locator waits before it fails: the machine may be busy
expect.set_options(timeout=LIMIT)

# The variables that JupyterLab's two themes set and our widgets read.
THEMES = {
    "light": {
        "--jp-layout-color0": "#fff",
        "--jp-layout-color1": "#fff",
        "--jp-layout-color2": "#eee",
        "--jp-layout-color3": "#bdbdbd",
        "--jp-border-color1": "#bdbdbd",
        "--jp-border-color2": "#e0e0e0",
        "--jp-border-color3": "#eee",
        "--jp-ui-font-color0": "rgba(0,0,0,1)",
        "--jp-ui-font-color1": "rgba(0,0,0,0.87)",
        "--jp-ui-font-color2": "rgba(0,0,0,0.54)",
        "--jp-content-font-color1": "rgba(0,0,0,0.87)",
        "--jp-brand-color1": "#1976d2",
    },
    "dark": {
        "--jp-layout-color0": "#111",
        "--jp-layout-color1": "#212121",
        "--jp-layout-color2": "#424242",
        "--jp-layout-color3": "#616161",
        "--jp-border-color1": "#616161",
        "--jp-border-color2": "#424242",
        "--jp-border-color3": "#212121",
        "--jp-ui-font-color0": "rgba(255,255,255,1)",
        "--jp-ui-font-color1": "rgba(255,255,255,0.87)",
        "--jp-ui-font-color2": "rgba(255,255,255,0.54)",
        "--jp-content-font-color1": "rgba(255,255,255,1)",
        "--jp-brand-color1": "#2196f3",
    },
}


@contextmanager
def running_browser(path: str) -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


class Complaints:
    """What a page said was wrong: uncaught errors, console errors, requests that left it."""

    def __init__(self, page: Page, allowed: tuple[str, ...], noise: Sequence[str] = ()) -> None:
        """``allowed`` starts the addresses that may be asked; ``noise`` is found in errors to
        overlook, since they are the host's own.
        """
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._allowed = (*allowed, "data:", "blob:", "about:")
        self._noise = noise
        page.on("pageerror", lambda error: self.errors.append(error.stack or str(error)))
        page.on("console", self._read)
        page.on("request", lambda request: self._note(request.url))
        page.on("websocket", lambda socket: self._note(socket.url))

    def _read(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location['url']})")

    def _note(self, url: str) -> None:
        if not url.startswith(self._allowed):
            self.requests.append(url)

    def check(self) -> None:
        """Fail with everything that was said."""
        ours = [e for e in self.errors if not any(known in e for known in self._noise)]
        said = [f"error: {error}" for error in ours]
        said += [f"request: {url}" for url in self.requests]
        assert not said, "the page is not clean:\n" + "\n".join(said)


class Shown:
    """One widget on the page, with the model that it talks to."""

    def __init__(self, host: ModulePage, number: int, url: str) -> None:
        self.host = host
        self.number = number
        self._url = url

    @property
    def el(self) -> Locator:
        """The element that ``render`` was given."""
        return self.host.page.locator(f'[data-shown="{self.number}"]')

    def get(self, name: str) -> Any:
        """A trait's value as the page has it."""
        return self._model("model.get(given)", name)

    @property
    def state(self) -> dict[str, Any]:
        """All traits as the page has them."""
        return self._model("model.state")

    @property
    def saved(self) -> list[dict[str, Any]]:
        """The changes of each ``save_changes()`` that had any, as a kernel gets them."""
        return self._model("model.saved")

    @property
    def sent(self) -> list[Any]:
        """The contents of each ``model.send()``."""
        return self._model("model.sent")

    @property
    def log(self) -> list[list[Any]]:
        """Each ``set``, ``save`` and ``send`` in order."""
        return self._model("model.log")

    @property
    def listening(self) -> list[str]:
        """The events that the widget listens to."""
        return self._model("model.listening()")

    def update(self, **traits: Any) -> None:
        """The kernel sets traits."""
        self._model("model.change(given)", traits)

    def receive(self, content: Any) -> None:
        """The kernel sends a message."""
        self._model("model.receive(given)", content)

    def evaluate(self, code: str, given: Any = None) -> Any:
        """The value of a JavaScript expression of ``el``, ``model`` and ``given``."""
        return self.host.page.evaluate(
            "async ([number, given]) => {"
            " const el = host.element(number), model = host.model(number);"
            f" return await ({code}); }}",
            [self.number, given],
        )

    def again(self) -> Shown:
        """The same model in a second output."""
        number = self.host.page.evaluate(
            "([url, number]) => host.showAgain(url, number)", [self._url, self.number]
        )
        return Shown(self.host, number, self._url)

    def close(self) -> None:
        """End the widget as a front end does when its output goes."""
        self.host.page.evaluate("number => host.close(number)", self.number)

    def _model(self, code: str, given: Any = None) -> Any:
        return self.host.page.evaluate(
            f"([number, given]) => {{ const model = host.model(number); return {code}; }}",
            [self.number, given],
        )


class PythonSide:
    """Carries changes and messages between a widget on the page and the one in Python."""

    def __init__(self, host: ModulePage, explorer: Any) -> None:
        self.explorer = explorer
        self._changes: dict[str, Any] | None = None  # while the page waits for an answer
        self._messages: list[Any] = []
        names = [name for name in explorer.traits(sync=True) if name[0] != "_"]
        names = [name for name in names if name not in ("layout", "tabbable", "tooltip")]
        explorer.send = lambda content, buffers=None: self._messages.append(content)
        bound = f"toPython{id(self)}"
        host.page.expose_function(bound, self._told)
        state = {name: getattr(explorer, name) for name in names}
        css = getattr(explorer, "_css", "")
        self.shown = host.show(str(explorer._esm), state, str(css), bound=bound)
        explorer.observe(self._changed, names)

    def _changed(self, change: Any) -> None:
        if self._changes is None:
            self.shown.update(**{change["name"]: change["new"]})
        else:
            self._changes[change["name"]] = change["new"]

    def _told(self, kind: str, content: Any) -> dict[str, Any]:
        self._changes, self._messages = {}, []
        try:
            if kind == "save":
                for name, value in content.items():
                    setattr(self.explorer, name, value)
                # the page has these already, unless Python made something else of them
                changes = {k: v for k, v in self._changes.items() if content.get(k) != v}
                return {"changes": changes, "messages": []}
            self.explorer._answer(self.explorer, content, [])
            return {"changes": self._changes, "messages": self._messages}
        finally:
            self._changes = None


class ModulePage:
    """An empty page that shows widgets from the text of their modules."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints = Complaints(page, (ORIGIN,))
        self._texts = {
            "/": "<!doctype html><html lang='en'><title>widget</title><body></body></html>",
            "/model.js": (FOLDER / "model.js").read_text(encoding="utf-8"),
            "/host.js": (FOLDER / "host.js").read_text(encoding="utf-8"),
        }
        page.set_default_timeout(LIMIT)
        page.route("**/*", self._answer)
        page.goto(ORIGIN + "/")
        page.evaluate("async () => { window.host = await import('/host.js'); }")
        self.theme("light")

    def show(
        self,
        esm: str,
        state: dict[str, Any],
        css: str = "",
        *,
        kernel: bool = True,
        bound: str = "",
    ) -> Shown:
        """Render a widget from its module's text; ``state`` is what its traits hold, as JSON.

        Without a kernel ``model.send`` is null, as on a saved page.
        """
        url = self._serve(esm)
        number = self.page.evaluate(
            "([url, state, css, options]) => host.show(url, state, css, options)",
            [url, state, css, {"kernel": kernel, "bound": bound}],
        )
        return Shown(self, number, url)

    def explore(self, explorer: Any) -> Shown:
        """Render an interactive view and join it to its Python side, as a kernel would.

        What the page saves reaches the explorer's traits, its requests get their answers, and
        traits that are set in Python reach the page.
        """
        return PythonSide(self, explorer).shown

    def call(self, esm: str, name: str, *arguments: Any) -> Any:
        """Call a function that the module exports, with arguments and result as JSON."""
        return self.page.evaluate(
            "async ([url, name, args]) => (await import(url))[name](...args)",
            [self._serve(esm), name, list(arguments)],
        )

    def run(self, esm: str, code: str, given: Any = None) -> Any:
        """The value of a JavaScript expression of ``module``, the module's exports."""
        return self.page.evaluate(
            "async ([url, given]) => { const module = await import(url);"
            f" return await ({code}); }}",
            [self._serve(esm), given],
        )

    def theme(self, name: str) -> None:
        """Set the variables and the attribute that JupyterLab's theme sets; light or dark."""
        self.page.emulate_media(color_scheme=name)
        self.page.evaluate(
            """([variables, light]) => {
              for (const [key, value] of Object.entries(variables))
                document.documentElement.style.setProperty(key, value);
              document.body.dataset.jpThemeLight = String(light);
              document.body.style.background = variables["--jp-layout-color1"];
            }""",
            [THEMES[name], name == "light"],
        )

    def _serve(self, text: str) -> str:
        """A new address for a module: each import is a module of its own, as in a front end."""
        path = f"/module-{len(self._texts)}.js"
        self._texts[path] = text
        return path

    def _answer(self, route: Route) -> None:
        url = route.request.url
        text = self._texts.get(url.removeprefix(ORIGIN)) if url.startswith(ORIGIN) else None
        if text is None:
            route.abort()
            if url.startswith(ORIGIN):
                self.complaints.requests.append(url)
            return
        kind = "text/javascript" if url.endswith(".js") else "text/html"
        route.fulfill(body=text, content_type=f"{kind}; charset=utf-8")


def broken_images(images: Locator) -> list[str]:
    """The alternative texts of those images that do not decode."""
    return images.evaluate_all(
        """async images => {
          const broken = [];
          for (const image of images) {
            try { await image.decode(); } catch { broken.push(image.alt || image.src); continue; }
            if (!image.naturalWidth || !image.naturalHeight) broken.push(image.alt || image.src);
          }
          return broken;
        }"""
    )
