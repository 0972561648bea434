"""tools/chromium.py: which browser is taken, how one is installed, and what is said otherwise."""

import re
from pathlib import Path

import pytest

from tools import chromium

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine without any browser; gives the folder that is its PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("CI", chromium.VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    monkeypatch.setattr(chromium.sys, "executable", str(programs / "python"))
    monkeypatch.setattr(chromium.os, "geteuid", lambda: 1000)
    chromium.version.cache_clear()
    return programs


def program(path: Path, body: str = "echo Chromium 1.2") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def reason(find) -> str:
    with pytest.raises(chromium.NoChromium) as error:
        find()
    return str(error.value)


def test_the_named_browser_comes_first(bare, monkeypatch):
    program(bare / "chromium")
    named = program(bare / "other")
    monkeypatch.setenv(chromium.VARIABLE, str(named))
    assert chromium.find() == str(named)


def test_a_name_that_is_no_browser_is_not_replaced_by_another(bare, monkeypatch):
    program(bare / "chromium")
    monkeypatch.setenv(chromium.VARIABLE, "none")
    said = "ADLIB_CHROMIUM names 'none', which is not a program that runs"
    assert reason(chromium.find) == reason(chromium.install) == said


def test_a_browser_that_does_not_start_gives_way_to_playwright_s(bare, tmp_path):
    program(bare / "chromium", "exit 127")
    found = program(tmp_path / "playwright" / "chromium-7" / "chrome-linux64" / "chrome")
    assert chromium.find() == str(found)


def test_what_is_said_where_there_is_none(bare, tmp_path):
    assert reason(chromium.find) == (
        f"no Chromium on the PATH or in {tmp_path / 'playwright'} (name one in ADLIB_CHROMIUM)"
    )
    broken = program(bare / "chromium", "exit 127")
    assert reason(chromium.find) == (
        f"{broken} does not start (are its system libraries installed?)"
    )


def test_root_installs_the_system_s_package(bare, monkeypatch, tmp_path):
    monkeypatch.setattr(chromium.os, "geteuid", lambda: 0)
    log = tmp_path / "log"
    text = (
        f'echo "$@" >> {log}\n[ "$1" = update ] || printf "#!/bin/sh\\necho C 1" > {bare}/chromium'
    )
    program(bare / "apt-get", text)
    (bare / "chromium").touch(mode=0o755)  # empty until "installed": the shell answers nothing
    assert chromium.install() == str(bare / "chromium")
    update, install = log.read_text().splitlines()
    assert update.startswith("update")
    assert install.endswith("chromium fonts-dejavu-core") and "--no-install-recommends" in install


def test_without_permission_playwright_s_own_is_fetched(bare, tmp_path):
    folder = tmp_path / "playwright" / "chromium-9" / "chrome-linux64"
    program(bare / "apt-get", "exit 1")
    folder.mkdir(parents=True)
    target = folder / "chrome"
    program(
        bare / "python",
        f'[ "$*" = "-m playwright install chromium" ] && echo "#!/bin/sh\necho C 1" > {target}\n'
        f"/bin/chmod +x {target}",
    )
    assert chromium.install() == str(target)


def test_each_failure_is_named_in_one_line(bare, monkeypatch, capsys):
    monkeypatch.setattr(chromium.os, "geteuid", lambda: 0)
    program(bare / "apt-get", "echo E: no network >&2; exit 100")
    program(bare / "python", "echo Error: cannot download >&2; exit 1")
    assert chromium.main(["--install"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "adlib: browser tests cannot run here: "
        "apt-get: E: no network; playwright: Error: cannot download"
    )


def test_an_installation_that_hangs_is_given_up(bare, monkeypatch):
    monkeypatch.setattr(chromium, "INSTALL_LIMIT", 0.2)
    program(bare / "python", "exec /bin/sleep 60")
    said = reason(chromium.install)
    assert said.startswith("playwright: ") and said.endswith("took more than 0 seconds")


def test_make_browser_collects_every_browser_test():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (places,) = re.findall(r"^BROWSER_TESTS := (.*)$", makefile, flags=re.MULTILINE)
    folders = [ROOT / place for place in places.split()]
    mark = "pytest.mark." + "browser"  # not this file
    for path in (ROOT / "tests").rglob("test_*.py"):
        if mark in path.read_text(encoding="utf-8"):
            assert any(path == folder or folder in path.parents for folder in folders), path
