"""What every test relies on: one BLAS thread, reproducible examples, and markers that mean it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# NumPy's libraries read these once, when it is first imported; nothing above imports it.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

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


def chromium() -> str | None:
    """The Chromium to drive: $CHROMIUM, the system's, or the one Playwright has downloaded."""
    for name in (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"):
        if name and (path := shutil.which(name)):
            return path
    cache = Path.home() / ".cache" / "ms-playwright"
    return next((str(path) for path in cache.glob("chromium-*/chrome-linux*/chrome")), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what the machine cannot run, saying what is missing."""
    missing = {
        "gpu": _gpu_missing,
        "browser": lambda: "" if chromium() else "Chromium is not installed",
    }
    for marker, why in missing.items():
        marked = [item for item in items if item.get_closest_marker(marker)]
        if marked and (reason := why()):
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def chromium_path() -> str:
    path = chromium()
    assert path, "mark the test with @pytest.mark.browser: it is then skipped without Chromium"
    return path


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
