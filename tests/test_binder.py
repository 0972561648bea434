"""binder/ pins what pyproject.toml asks for, so that a hosted session is the tested one."""

import subprocess
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
BINDER = ROOT / "binder"


def pins() -> dict[str, str]:
    lines = (BINDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def wanted() -> list[Requirement]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = config["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["notebook"]]
    return [Requirement(line) for line in lines + config["build-system"]["requires"]]


def test_each_dependency_is_pinned_within_its_range():
    pinned = pins()
    assert set(pinned) == {canonicalize_name(requirement.name) for requirement in wanted()}
    for requirement in wanted():
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)])


def test_the_python_is_one_that_adlib_supports():
    name, version = (BINDER / "runtime.txt").read_text(encoding="utf-8").strip().split("-")
    assert name == "python"
    assert tuple(int(part) for part in version.split(".")) >= (3, 11)


def test_the_build_script_is_executable_shell():
    script = BINDER / "postBuild"
    assert script.stat().st_mode & 0o111
    subprocess.run(["sh", "-n", str(script)], check=True)
