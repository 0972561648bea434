"""tools/bootstrap.py: what a user reads when a Python, a port or a network is missing."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "tools" / "bootstrap.py"


@pytest.fixture
def bootstrap():
    spec = importlib.util.spec_from_file_location("bootstrap", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def taken_port():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def fake_python(folder: Path, name: str, version: str) -> Path:
    """A program that answers the version probe and nothing else."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return path


def test_an_old_python_is_named_with_its_version(bootstrap, tmp_path, monkeypatch):
    old = fake_python(tmp_path, "python3", "3 9 2")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(bootstrap.SetupError) as error:
        bootstrap.find_python("python3")
    assert str(error.value) == (
        f"adlib needs Python 3.11 or newer, and {old} is 3.9.2. Install a newer one and name it: "
        "make lab PYTHON=/path/to/python3"
    )


def test_no_python_at_all(bootstrap, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(bootstrap.SetupError, match="and no Python was found"):
        bootstrap.find_python("python3")


def test_a_newer_python_beside_the_old_one_is_found(bootstrap, tmp_path, monkeypatch):
    fake_python(tmp_path, "python3", "3 9 2")
    newer = fake_python(tmp_path, "python3.12", "3 12 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bootstrap.find_python("python3") == str(newer)


def test_the_script_stays_within_the_syntax_of_python_3_6():
    import ast

    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 6))


def test_a_taken_port_that_was_asked_for(bootstrap, taken_port):
    with pytest.raises(bootstrap.SetupError) as error:
        bootstrap.choose_port(taken_port)
    assert str(error.value) == (
        f"port {taken_port} is taken. Name another: make lab PORT={taken_port + 1}"
    )


def test_a_taken_default_port_gives_way_to_the_next_free_one(bootstrap, taken_port, capsys):
    port = bootstrap.choose_port(None, default=taken_port)
    assert port > taken_port
    assert capsys.readouterr().out == (
        f"adlib: port {taken_port} is taken; JupyterLab opens on {port}\n"
    )


def test_make_lab_with_a_taken_port_prints_one_line(bootstrap, tmp_path, taken_port):
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    stamp = {"fingerprint": bootstrap.fingerprint(), "extras": ["notebook"]}
    (venv / "installed.json").write_text(json.dumps(stamp))
    done = run_bootstrap("lab", "--venv", str(venv), "--port", str(taken_port))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"adlib: port {taken_port} is taken. Name another: make lab PORT={taken_port + 1}\n"
    )


def test_no_network_prints_one_line(tmp_path):
    done = run_bootstrap("setup", "--venv", str(tmp_path / "venv"), PIP_INDEX_URL=NOWHERE)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "adlib: no network: pip cannot reach the package index. Connect, or name a mirror or a "
        "folder of wheels (PIP_INDEX_URL, PIP_FIND_LINKS), then run the same command again."
    )
    assert len(done.stderr.splitlines()) == 1
    assert (tmp_path / "venv" / "install.log").is_file()
    assert not (tmp_path / "venv" / "installed.json").exists()


NOWHERE = "http://127.0.0.1:9/simple"


def run_bootstrap(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    alone = {"PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0"}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        env={**clean, **alone, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    "output, line",
    [
        (
            "WARNING: Retrying (Retry(total=1)) after connection broken by 'NewConne...",
            "no network",
        ),
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("ERROR: No matching distribution found for numpy>=9\n", "pip failed: ERROR: No matching"),
        ("", "pip failed: it printed nothing"),
    ],
)
def test_the_line_for_a_failed_pip(bootstrap, output, line):
    assert bootstrap.explain(output).startswith(line)


def test_setup_runs_pip_only_when_something_changed(bootstrap, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(bootstrap, "make_venv", lambda venv, python: Path(venv).mkdir())
    monkeypatch.setattr(bootstrap, "pip_install", lambda venv, arguments: calls.append(arguments))
    monkeypatch.setattr(bootstrap, "probe", lambda python: (3, 12, 0))
    venv = tmp_path / "venv"
    venv.mkdir()
    bootstrap.setup(str(venv), ["notebook"])
    bootstrap.setup(str(venv), ["notebook"])
    assert calls == [["--editable", ".[notebook]"]]
    bootstrap.setup(str(venv), ["test"])
    assert calls[1:] == [["--editable", ".[notebook,test]"]]
    bootstrap.setup(str(venv), ["notebook"])
    monkeypatch.setattr(bootstrap, "fingerprint", lambda: "another pyproject.toml")
    bootstrap.setup(str(venv), ["notebook"])
    assert calls[2:] == [["--editable", ".[notebook,test]"]]


def test_a_python_without_ensurepip_gets_pip_from_the_zipapp(bootstrap, tmp_path, monkeypatch):
    zipapp = tmp_path / "pip.pyz"
    with zipfile.ZipFile(zipapp, "w") as archive:
        archive.writestr("__main__.py", "import sys; print(*sys.argv[1:])")
    monkeypatch.setattr(bootstrap, "PIP_ZIPAPP", zipapp.as_uri())
    monkeypatch.setattr(bootstrap, "has_module", lambda python, module: module == "venv")
    venv = tmp_path / "venv"
    bootstrap.make_venv(str(venv), sys.executable)
    assert not list(venv.glob("lib/python*/site-packages/pip"))
    assert (venv / "install.log").read_text() == "install --quiet --no-input pip\n"


def test_neither_ensurepip_nor_a_network(bootstrap, tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "PIP_ZIPAPP", (tmp_path / "absent").as_uri())
    monkeypatch.setattr(bootstrap, "has_module", lambda python, module: module == "venv")
    with pytest.raises(bootstrap.SetupError, match="brings no pip, and .* apt install python3-ven"):
        bootstrap.make_venv(str(tmp_path / "venv"), sys.executable)
    assert not (tmp_path / "venv").exists()


def test_an_unknown_option_of_setup_is_refused():
    done = run_bootstrap("setup", "--prot", "8890")
    assert done.returncode == 2
    assert "unknown options: --prot 8890" in done.stderr
