"""JupyterLab and Notebook 7 for tests: a server of their own, a notebook's page and its kernel."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import secrets
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client import AsyncKernelClient
from nbformat.sign import NotebookNotary
from playwright.sync_api import BrowserContext, Locator, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser_page import LIMIT, Complaints, broken_images

ROOT = Path(__file__).resolve().parent.parent.parent
SCREENSHOTS = ROOT / "build" / "screenshots"
START_LIMIT = 90.0  # seconds for the server to answer
OPEN_LIMIT = 60_000  # milliseconds for an application to open a notebook
RUN_LIMIT = 180_000  # milliseconds for all cells of a notebook
ADDRESSES = {"lab": "lab/tree/{path}", "notebook": "notebooks/{path}"}
# What the applications complain of themselves, also over an empty notebook. A server that has given
# one of them a font refuses it to the other, since it keeps one path for both.
NOISE = {
    "lab": (".woff",),
    "notebook": (".woff", "reading 'schema'", "'filebrowser:open-path' not registered"),
}

# What a first start would show over the notebook, or ask the network for; and all cells in the
# page, since a cell that is scrolled out of sight is otherwise not there to be looked at.
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/apputils-extension/themes": {"adaptive-theme": False},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}


def pictures(path: Path) -> list[int]:
    """How many static views each code cell of a notebook has among its saved outputs."""
    cells = nbformat.read(path, as_version=4).cells
    codes = [cell for cell in cells if cell.cell_type == "code"]
    bundles = [[output.get("data", {}) for output in cell.outputs] for cell in codes]
    return [sum(data.get("text/html", "").count("<img ") for data in cell) for cell in bundles]


class Server:
    """A Jupyter server with its own configuration, that listens on this machine only."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home = home
        self.folder = folder
        self.token = secrets.token_hex(16)
        self._log = home / "server.log"
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        settings = home / "settings"
        for name, values in SETTINGS.items():
            path = settings / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                self._command(), env=self._environment(), stdout=log, stderr=log, cwd=home
            )
        try:
            self.url = self._wait()
        except BaseException:
            self.close()
            raise

    def _command(self) -> list[str]:
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": 0,
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
            "ServerApp.root_dir": self.folder,
            "IdentityProvider.token": self.token,
            "LabApp.extension_manager": "readonly",
            "LabApp.expose_app_in_browser": True,
            "JupyterNotebookApp.expose_app_in_browser": True,
        }
        command = [sys.executable, "-m", "jupyterlab"]
        return command + [f"--{name}={value}" for name, value in options.items()]

    def _environment(self) -> dict[str, str]:
        roots = [str(ROOT / part) for part in ("", "kernel_ext", "widgets")]
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",  # also holds the signatures of trusted notebooks
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        environment = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")}
        environment |= {name: str(self.home / folder) for name, folder in folders.items()}
        environment |= {"JUPYTER_PREFER_ENV_PATH": "1", "PYTHONPATH": os.pathsep.join(roots)}
        return environment

    def _wait(self) -> str:
        """The server's address, once it answers; it chooses its port and writes it to a file."""
        end = time.monotonic() + START_LIMIT
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError(f"JupyterLab has stopped:\n{self._log.read_text()}")
            try:
                (path,) = (self.home / "runtime").glob("jpserver-*.json")
                url = json.loads(path.read_text())["url"]
                with self._ask(url + "api/status"):
                    return url
            except (OSError, ValueError):  # not there yet, not whole yet, not listening yet
                time.sleep(0.1)
        raise RuntimeError(f"JupyterLab has not started:\n{self._log.read_text()}")

    def _ask(self, url: str, method: str = "GET") -> Any:
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(url, headers=headers, method=method)
        return self._opener.open(request, timeout=10)

    def kernels(self, path: str) -> list[str]:
        """The kernels that run a notebook: one, or none where it has been shut down."""
        with self._ask(self.url + "api/sessions") as answer:
            sessions = json.load(answer)
        return [each["kernel"]["id"] for each in sessions if each["path"] == path]

    def kernel_file(self, path: str) -> Path:
        """The connection file of the kernel that runs a notebook."""
        (kernel,) = self.kernels(path)
        return self.home / "runtime" / f"kernel-{kernel}.json"

    def shut_down(self, path: str) -> None:
        """Stop a notebook's kernel."""
        for kernel in self.kernels(path):
            self._ask(f"{self.url}api/kernels/{kernel}", "DELETE").close()

    def trust(self, path: str) -> None:
        """Sign a notebook, as its reader does who trusts it."""
        notary = NotebookNotary(data_dir=str(self.home / "data"))
        notary.sign(nbformat.read(self.folder / path, as_version=4))

    def close(self) -> None:
        """Stop the server and its kernels."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Kernel:
    """A notebook's kernel, asked from beside the page."""

    def __init__(self, connection_file: Path) -> None:
        # Playwright keeps this thread's event loop for itself, so the client gets a thread.
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._client = self._run(self._connect(connection_file))

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    @staticmethod
    async def _connect(connection_file: Path) -> AsyncKernelClient:
        client = AsyncKernelClient(connection_file=str(connection_file))
        client.load_connection_file()
        client.start_channels()
        await client.wait_for_ready(timeout=30)
        return client

    def evaluate(self, expression: str) -> Any:
        """The value of a Python expression in the notebook's namespace, through JSON."""
        return self._run(self._evaluate(expression))

    async def _evaluate(self, expression: str) -> Any:
        code = f"__import__('json').dumps({expression})"
        asked = self._client.execute("", silent=True, user_expressions={"value": code})
        answer: dict[str, Any] = {}
        while answer.get("parent_header", {}).get("msg_id") != asked:
            answer = await self._client.get_shell_msg(timeout=50)
        result = answer["content"]["user_expressions"]["value"]
        assert result["status"] == "ok", f"{expression}: {result.get('evalue')}"
        return json.loads(ast.literal_eval(result["data"]["text/plain"]))

    async def _disconnect(self) -> None:
        self._client.stop_channels()
        await asyncio.sleep(0)  # lets the closed sockets leave the loop

    def close(self) -> None:
        """Let go of the kernel, which runs on."""
        self._run(self._disconnect())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def shown(kind: str) -> str:
    """The Python expression for the widget of this class that a cell has shown."""
    return f"next(each for each in Out.values() if type(each).__name__ == {kind!r})"


class NotebookPage:
    """A notebook, open in JupyterLab or in Notebook 7."""

    def __init__(self, server: Server, context: BrowserContext, path: str, app: str) -> None:
        self.path = path
        self._server = server
        self._kernel: Kernel | None = None
        self._theme = "light"
        self.page = context.new_page()
        self.page.set_default_timeout(OPEN_LIMIT)
        socket = server.url.replace("http", "ws", 1)
        self.complaints = Complaints(self.page, (server.url, socket), NOISE[app])
        address = ADDRESSES[app].format(path=urllib.parse.quote(path))
        self.page.goto(f"{server.url}{address}?token={server.token}&reset")
        self.page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
        self._call("await panel.context.ready; await panel.sessionContext.ready;")
        self._call("await panel.revealed;")
        self.page.set_default_timeout(LIMIT)

    @property
    def kernel(self) -> Kernel:
        """The kernel, asked beside the page."""
        if self._kernel is None:
            self._kernel = Kernel(self._server.kernel_file(self.path))
        return self._kernel

    def run_all(self) -> None:
        """Run every cell and wait for the last one.

        Asserts that each code cell ran, and raised only where its tag says that it does.
        """
        self._call(
            "await panel.sessionContext.session.kernel.info;"
            "await jupyterapp.commands.execute('notebook:run-all-cells');",
            limit=RUN_LIMIT,
        )
        wrong = self._call(
            """return panel.content.widgets.filter(cell => cell.model.type === 'code'
                 && cell.model.sharedModel.source.trim()).map(cell => {
              const model = cell.model, tags = model.getMetadata('tags') ?? [];
              const outputs = model.sharedModel.outputs;
              const failed = outputs.find(output => output.output_type === 'error');
              if (failed && !tags.includes('raises-exception')) return failed.evalue;
              return model.executionCount === null ? `not run: ${model.sharedModel.source}` : '';
            }).filter(Boolean);"""
        )
        assert wrong == [], f"{self.path}: {wrong}"

    def expect_kernel(self, expression: str, expected: Any, seconds: float = 30) -> None:
        """Wait until the kernel has heard of what was done on the page."""
        end = time.monotonic() + seconds
        while (value := self.kernel.evaluate(expression)) != expected:
            assert time.monotonic() < end, f"{expression} is {value!r}, not {expected!r}"
            self.page.wait_for_timeout(50)

    def cell(self, part: str) -> Locator:
        """The last code cell that has this in its text."""
        place = self._call(
            "return panel.content.widgets.findLastIndex(cell => cell.model.type === 'code'"
            f" && cell.model.sharedModel.source.includes({json.dumps(part)}));"
        )
        assert place >= 0, f"{self.path} has no cell with {part!r}"
        return self.page.locator(".jp-NotebookPanel .jp-Cell").nth(place)

    def widget(self, part: str) -> Locator:
        """The interactive view that this cell shows."""
        view = self.cell(part).locator(".adlib-view")
        view.wait_for()
        view.scroll_into_view_if_needed()
        return view

    def outputs(self) -> Locator:
        """The outputs of all cells."""
        return self.page.locator(".jp-NotebookPanel .jp-OutputArea-output")

    def views(self) -> Locator:
        """The pictures of static views."""
        return self.outputs().locator("img[src^='data:image/svg']")

    def broken_images(self) -> list[str]:
        """The texts of images that the page cannot show; waits until it has tried all."""
        return broken_images(self.page.locator(".jp-NotebookPanel img"))

    def unseen(self) -> list[str]:
        """Cells without the pictures that their committed outputs have, and broken pictures.

        A cell that shows an interactive view now need not show the static one.
        """
        images, widgets = "img[src^='data:image/svg']", ".adlib-view"
        seen = self.page.locator(".jp-NotebookPanel .jp-CodeCell .jp-Cell-outputWrapper")
        counts = seen.evaluate_all(
            "(cells, kinds) => cells.map(cell => kinds.map(k => cell.querySelectorAll(k).length))",
            [images, widgets],
        )
        expected = pictures(self._server.folder / self.path)
        missing = [
            f"code cell {place}: {shown} of {wanted} pictures"
            for place, ((shown, live), wanted) in enumerate(zip(counts, expected, strict=True), 1)
            if not live and shown != wanted
        ]
        return missing + self.broken_images()

    def is_trusted(self) -> bool:
        """Whether all code cells are: outputs of others are cleaned before they are shown."""
        return self._call(
            "return panel.content.widgets.filter(cell => cell.model.type === 'code')"
            ".every(cell => cell.model.trusted);"
        )

    def theme(self, name: str) -> None:
        """Change to Jupyter's light or dark theme; the light one comes back at the end."""
        self._theme = name
        full = f"JupyterLab {name.capitalize()}"
        self._call(
            f"await jupyterapp.commands.execute('apputils:change-theme', {{theme: '{full}'}})"
        )
        light = "true" if name == "light" else "false"
        self.page.locator(f'body[data-jp-theme-light="{light}"]').wait_for(state="attached")

    def both_themes(self, name: str, view: Locator) -> None:
        """Write a picture of the whole of an interactive view in each theme, the light one last."""
        for theme in ("dark", "light"):
            self.theme(theme)
            expect(view).to_have_attribute("data-theme", theme)
            self.screenshot(f"{name}_{theme}", view)

    def screenshot(self, name: str, locator: Locator | None = None) -> Path:
        """Write what the reader sees, or the whole of one element, to build/screenshots/."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        if locator is None:
            self.page.screenshot(path=path, animations="disabled")
            return path
        size = self.page.viewport_size
        height = locator.bounding_box()["height"]
        needed = int(height) + 300  # with Jupyter's bars
        self.page.set_viewport_size(size | {"height": max(size["height"], needed)})
        self.page.wait_for_function(
            "height => document.querySelector('.jp-NotebookPanel').clientHeight > height",
            arg=height,
        )
        locator.evaluate("element => element.scrollIntoView({ block: 'start' })")
        locator.screenshot(path=path, animations="disabled")
        self.page.set_viewport_size(size)
        return path

    def close(self) -> None:
        """Shut the kernel down and leave without a question about unsaved changes."""
        if self._kernel is not None:
            self._kernel.close()
        if self._theme != "light":
            self.theme("light")  # the server remembers it
        self._server.shut_down(self.path)
        self.page.close(run_before_unload=False)

    def _call(self, code: str, limit: float = OPEN_LIMIT) -> Any:
        """Run JavaScript with ``panel``, the notebook's; fails when it takes too long."""
        self.page.wait_for_function("window.jupyterapp?.shell?.currentWidget?.sessionContext")
        result = self.page.evaluate(
            f"""async limit => {{
              const panel = jupyterapp.shell.currentWidget;
              const late = new Promise(done => setTimeout(done, limit, {{ late: true }}));
              const work = (async () => {{ {code} }})().then(value => ({{ value }}));
              return await Promise.race([work, late]);
            }}""",
            limit,
        )
        if result.get("late"):
            raise PlaywrightTimeout(f"{self.path}: more than {limit / 1000:.0f} s for: {code}")
        return result.get("value")
