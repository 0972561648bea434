"""What every test relies on: one BLAS thread, reproducible examples, and markers that mean it."""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tools import chromium

# NumPy's libraries read these once, when it is first imported; nothing above imports it.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

# Compiled code goes to a directory of this run, which its workers and subprocesses share.
if "ADLIB_CACHE_DIR" not in os.environ:
    os.environ["ADLIB_CACHE_DIR"] = tempfile.mkdtemp(prefix="adlib-test-cache-")
    atexit.register(shutil.rmtree, os.environ["ADLIB_CACHE_DIR"], ignore_errors=True)

# A shell lets what it runs in the background ignore interrupts; tests send some to themselves.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent

# The same examples on every run; tracing a program for the first time has no steady duration.
settings.register_profile(
    "adlib",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("adlib")


def _gpu_missing() -> str:
    """Why GPU tests cannot run here, or an empty string."""
    try:
        import cupy

        cupy.zeros(1)
    except ImportError:
        return "CuPy is not installed"
    except Exception as error:  # CuPy has its own error class per cause
        return f"no usable CUDA device: {error}"
    return ""


def _chromium_missing() -> str:
    """Why browser tests cannot run here, or an empty string."""
    try:
        chromium.find()
        import playwright.sync_api  # noqa: F401
    except chromium.NoChromium as reason:
        return str(reason)
    except ImportError:
        return "the Python package playwright is not installed"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what the machine cannot run, saying what is missing."""
    missing = {
        "gpu": _gpu_missing,
        "browser": _chromium_missing,
    }
    for marker, why in missing.items():
        marked = [item for item in items if item.get_closest_marker(marker)]
        if marked and (reason := why()):
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def browser():
    """One headless Chromium for the session; mark its tests ``browser``."""
    from tests.browser_page import running_browser

    with running_browser(chromium.find()) as started:
        yield started


@pytest.fixture
def module_page(browser):
    """An empty page for a widget's JavaScript (see tests/browser_page.py), without complaints."""
    from tests.browser_page import ModulePage

    context = browser.new_context(viewport={"width": 1000, "height": 800})
    try:
        host = ModulePage(context.new_page())
        yield host
        host.complaints.check()
    finally:
        context.close()


@pytest.fixture(scope="session")
def run_python():
    """Run code in a fresh interpreter that finds the three packages; returns what it printed.

    Warnings are errors there too, and a failure shows the other side's traceback.
    """

    def run(code: str, *options: str, timeout: float = 120) -> str:
        roots = [str(ROOT / part) for part in ("", "kernel_ext", "widgets")]
        done = subprocess.run(
            [sys.executable, "-W", "error", *options, "-c", code],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(roots)},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
