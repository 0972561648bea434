"""binder/ pins what pyproject.toml asks for, so that a hosted session is the tested one.

There is no container engine here: repo2docker writes the recipe of the image without building it,
and what it does not look at (packages, shell, names for apt) is checked apart.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
BINDER = ROOT / "binder"
START = "lab/tree/notebooks/00_start.ipynb"
UNDERSTOOD = {"apt.txt", "postBuild", "requirements.txt", "runtime.txt"}
# Debian's rule for the names of packages
APT_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


def pins() -> dict[str, str]:
    lines = (BINDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def wanted() -> list[Requirement]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = config["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["notebook"]]
    return [Requirement(line) for line in lines + config["build-system"]["requires"]]


def python_version() -> str:
    name, version = (BINDER / "runtime.txt").read_text(encoding="utf-8").strip().split("-")
    assert name == "python"
    return version


def pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--retries", "1"]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
    return subprocess.run(
        [*command, *options, *arguments], capture_output=True, text=True, timeout=300
    )


def test_each_dependency_is_pinned_within_its_range():
    pinned = pins()
    assert set(pinned) == {canonicalize_name(requirement.name) for requirement in wanted()}
    for requirement in wanted():
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)])


def test_the_python_is_one_that_adlib_supports():
    assert tuple(int(part) for part in python_version().split(".")) >= (3, 11)


def test_the_pins_exist_and_agree_with_each_other(tmp_path):
    reached = pip("--no-deps", "packaging")
    if reached.returncode:
        pytest.skip(f"no package index can be reached: {reached.stderr.strip().splitlines()[-1]}")
    target = ["--only-binary", ":all:", "--python-version", python_version()]
    solved = pip(*target, "--target", str(tmp_path), "-r", str(BINDER / "requirements.txt"))
    assert solved.returncode == 0, solved.stderr


def test_repo2docker_reads_every_file(tmp_path):
    assert {path.name for path in BINDER.iterdir()} <= UNDERSTOOD
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    recipe = done.stdout + done.stderr
    assert f"Building conda environment for python={python_version()}" in recipe
    assert '-r "binder/requirements.txt"' in recipe
    assert "RUN ./binder/postBuild" in recipe


def test_names_for_apt_are_names_of_packages():
    file = BINDER / "apt.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    names = [line for line in lines if line and not line.startswith("#")]
    assert all(APT_NAME.fullmatch(name) for name in names), names


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_build_script_is_executable_shell(shell):
    script = BINDER / "postBuild"
    assert script.stat().st_mode & 0o111
    subprocess.run([shell, "-n", str(script)], check=True)


def test_the_build_script_installs_adlib_and_opens_on_the_start_notebook(tmp_path):
    """Runs it with a pip that only notes its arguments and a Python of another prefix."""
    noted = tmp_path / "noted"
    for name, body in {"pip": f'echo "$@" > {noted}', "python": f"echo {tmp_path}"}.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    subprocess.run([BINDER / "postBuild"], cwd=ROOT, env={"PATH": path}, check=True)
    assert noted.read_text().split()[0] == "install"
    assert noted.read_text().split()[-2:] == ["--editable", "."]
    settings = json.loads((tmp_path / "etc/jupyter/jupyter_lab_config.json").read_text())
    assert settings == {"LabApp": {"default_url": f"/{START}"}}


def test_the_readme_s_link_opens_the_start_notebook():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"https://mybinder\.org/v2/gh/[^\s)`]+", readme)
    assert links and all(link.endswith(f"?urlpath={START}") for link in links)
    assert (ROOT / START.removeprefix("lab/tree/")).is_file()
