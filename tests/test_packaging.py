"""The wheel: three import packages and every file that they need at run time."""

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {
    "adlib": ROOT / "adlib",
    "adlib_kernel": ROOT / "kernel_ext" / "adlib_kernel",
    "adlib_widgets": ROOT / "widgets" / "adlib_widgets",
}

VIEWS = (
    "show_jaxpr",
    "show_derivation",
    "show_flow",
    "show_jacobian",
    "show_memory",
    "why_nan",
)

# Run in an environment that has the wheel: every view's displays and, where it can be explored,
# what a front end is sent.
DISPLAYS = """
import json, runpy, sys
import adlib, adlib_kernel, adlib_widgets

def sent(view):
    explorer = view.explore()
    names = [name for name in explorer.traits(sync=True) if name[0] != "_"]
    names = [name for name in names if name not in ("layout", "tabbable", "tooltip")]
    state = {name: getattr(explorer, name) for name in names}
    bundle = explorer._repr_mimebundle_()[0]
    return {"esm": str(explorer._esm), "css": str(explorer._css), "state": state, "bundle": bundle}

views = runpy.run_path(sys.argv[1])["examples"]()
print(json.dumps({
    "files": [module.__file__ for module in (adlib, adlib_kernel, adlib_widgets)],
    "names": adlib_widgets.__all__,
    "static": {name: view._repr_mimebundle_() for name, view in views.items()},
    "explorers": {name: sent(view) for name, view in views.items() if hasattr(view, "explore")},
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    (path,) = folder.glob("*.whl")
    return path


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_wheel_holds_the_packages_whole(wheel):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for package, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == sources


def test_the_packages_import_from_the_wheel_alone(wheel, tmp_path):
    pip("install", "--no-deps", "--no-index", "--target", str(tmp_path), str(wheel))
    code = "import adlib, adlib_kernel, adlib_widgets as w; print(adlib.__file__, w.__file__)"
    printed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert all(Path(path).is_relative_to(tmp_path) for path in printed)


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """What the wheel shows in an environment of its own.

    The libraries that adlib needs are this environment's, since there may be no network; adlib
    itself can come from the wheel alone, as a folder named in a .pth file brings no others in.
    """
    venv = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = venv / "bin" / "python"
    pip("--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    (site,) = venv.glob("lib/python*/site-packages")
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "libraries.pth").write_text("\n".join(sorted(libraries)), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-W", "error", "-c", DISPLAYS, str(ROOT / "tests" / "browser" / "views.py")],
        cwd=venv,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert all(Path(path).is_relative_to(venv) for path in shown["files"]), shown["files"]
    return shown


def test_every_view_of_the_wheel_is_shown(installed):
    assert set(installed["static"]) == set(installed["explorers"]) == set(VIEWS)
    assert set(VIEWS) <= set(installed["names"])
    for bundle in installed["static"].values():
        assert bundle["text/plain"] and bundle["text/html"]


@pytest.mark.browser
@pytest.mark.parametrize("name", VIEWS)
def test_a_widget_of_the_wheel_draws_itself(installed, module_page, name):
    sent = installed["explorers"][name]
    view = module_page.show(sent["esm"], sent["state"], sent["css"])
    box = view.el.bounding_box()
    assert box["width"] > 300 and box["height"] > 80
    assert view.el.get_by_role("button").count() > 0
    assert view.el.locator(".adlib-status").count() == 1


@pytest.mark.browser
def test_the_static_views_of_the_wheel_are_seen(installed, module_page):
    from tests.browser_page import broken_images

    for bundle in installed["static"].values():
        module_page.page.set_content(bundle["text/html"])
        assert broken_images(module_page.page.locator("img")) == []
        assert module_page.page.locator("img, table, pre").count() > 0


def test_the_version_is_the_distribution_s(run_python):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert run_python("import adlib; print(adlib.__version__)").strip() == version
