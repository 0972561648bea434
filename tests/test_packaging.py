"""The wheel: three import packages and every file that they need at run time."""

import os
import subprocess
import sys
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


def test_the_version_is_the_distribution_s(run_python):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert run_python("import adlib; print(adlib.__version__)").strip() == version
