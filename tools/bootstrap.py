"""Make the virtual environment and install adlib in it; `lab` then opens JupyterLab.

    python3 tools/bootstrap.py setup --extras notebook,test
    python3 tools/bootstrap.py lab [--port 8890]

Uses the standard library alone and the syntax of Python 3.6, so that an old Python can run it as
far as the line that says what is wrong. Every failure that a user can mend ends in one such line.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OLDEST = (3, 11)
NEWEST = (3, 14)
PIP_ZIPAPP = "https://bootstrap.pypa.io/pip/pip.pyz"
NO_NETWORK = (
    "NewConnectionError|ConnectTimeout|ReadTimeout|ConnectionError|Connection refused"
    "|Name or service not known|name resolution|Network is unreachable|ProxyError|getaddrinfo"
    "|Max retries exceeded|(ConnectionReset|Protocol|MaxRetry)Error|Retrying \\("
    r"|from versions: none\)"
)


class SetupError(Exception):
    """What the user is told, in one line."""


def dotted(version):
    return ".".join(str(part) for part in version)


def probe(python):
    """The version of an interpreter as a tuple, or None where it does not run."""
    code = "import sys; print(*sys.version_info[:3])"
    try:
        answer = subprocess.run(
            [python, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60
        )
        return tuple(int(part) for part in answer.stdout.split()) or None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def has_module(python, module):
    return subprocess.call([python, "-c", "import " + module], stderr=subprocess.DEVNULL) == 0


def find_python(first=sys.executable):
    """The interpreter to build on: the one that runs this file, else the newest on the PATH."""
    names = ["python3.%d" % minor for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    seen = []
    for name in [first] + names + ["python3", "python"]:
        path = shutil.which(name)
        version = path and probe(path)
        if not version:
            continue
        if version >= OLDEST:
            return path
        if path not in [other for other, _ in seen]:
            seen.append((path, dotted(version)))
    raise SetupError(
        "adlib needs Python %s or newer, and %s. Install a newer one and name it: make lab "
        "PYTHON=/path/to/python3"
        % (dotted(OLDEST), "; ".join("%s is %s" % old for old in seen) or "no Python was found")
    )


def venv_python(venv):
    return os.path.join(venv, "bin", "python")


def make_venv(venv, python):
    """Create `venv` on `python`, with pip in it, also where Debian has split off ensurepip."""
    say("making %s on Python %s" % (os.path.relpath(venv), dotted(probe(python))))
    whole = has_module(python, "venv, ensurepip")
    if not whole and not has_module(python, "venv"):
        raise SetupError(
            "%s cannot make virtual environments: its `venv` module is missing. Install it (on "
            "Debian and Ubuntu: apt install python3-venv)." % python
        )
    command = [python, "-m", "venv", "--clear", venv] + ([] if whole else ["--without-pip"])
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        # Half an environment would pass for a whole one on the next run.
        shutil.rmtree(venv, ignore_errors=True)
        raise SetupError("%s failed: %s" % (" ".join(command), last_line(text(done.stdout))))
    if not whole:
        zipapp = os.path.join(venv, "pip.pyz")
        try:
            urllib.request.urlretrieve(PIP_ZIPAPP, zipapp)
        except OSError as error:
            shutil.rmtree(venv)
            raise SetupError(
                "%s brings no pip, and %s cannot be fetched (%s). Connect, or install it (on Debian"
                " and Ubuntu: apt install python3-venv)." % (python, PIP_ZIPAPP, error)
            ) from None
        pip_install(venv, ["pip"], runner=[venv_python(venv), zipapp])


def pip_install(venv, arguments, runner=None):
    """Run pip quietly; on failure raise the one line that matters and keep the rest in a log."""
    log = os.path.join(venv, "install.log")
    command = (runner or [venv_python(venv), "-m", "pip"]) + ["install", "--quiet", "--no-input"]
    env = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1")
    # pip's own five retries keep a reader without a network waiting for minutes.
    env.setdefault("PIP_RETRIES", "2")
    done = subprocess.run(
        command + arguments, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output = text(done.stdout)
    with open(log, "w", encoding="utf-8") as file:
        file.write(output)
    if done.returncode:
        raise SetupError(explain(output) + " (All of pip's output: %s)" % os.path.relpath(log))


def explain(output):
    """The one line for a failed pip run."""
    if "No space left on device" in output:
        return "the disk is full: the whole installation takes about 1 GB."
    if re.search(NO_NETWORK, output):
        return (
            "no network: pip cannot reach the package index. Connect, or name a mirror or a folder "
            "of wheels (PIP_INDEX_URL, PIP_FIND_LINKS), then run the same command again."
        )
    return "pip failed: " + last_line(output)


def last_line(output):
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or ["it printed nothing"])[-1]


def fingerprint():
    """Changes when an installation is out of date: another pyproject.toml or another folder."""
    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
        return hashlib.sha256(file.read() + ROOT.encode()).hexdigest()


def setup(venv, extras):
    """Bring `venv` up to date with pyproject.toml and the extras; a no-op when it is."""
    stamp = os.path.join(venv, "installed.json")
    if not probe(venv_python(venv)) or probe(venv_python(venv)) < OLDEST:
        make_venv(venv, find_python())
    try:
        with open(stamp, encoding="utf-8") as file:
            installed = json.load(file)
    except (OSError, ValueError):
        installed = {}
    current = installed.get("fingerprint") == fingerprint()
    if current and set(extras) <= set(installed["extras"]):
        return
    extras = sorted(set(extras) | set(installed.get("extras", [])))
    say("installing adlib[%s]: a few minutes the first time" % ",".join(extras))
    pip_install(venv, ["--editable", ".[%s]" % ",".join(extras)])
    with open(stamp, "w", encoding="utf-8") as file:
        json.dump({"fingerprint": fingerprint(), "extras": extras}, file)


def is_free(port):
    with socket.socket() as probe_socket:
        probe_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe_socket.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_port(wanted, default=8888):
    """The port that was asked for, or the first free one from the default on."""
    if wanted is not None:
        if is_free(wanted):
            return wanted
        raise SetupError("port %d is taken. Name another: make lab PORT=%d" % (wanted, wanted + 1))
    for port in range(default, default + 50):
        if is_free(port):
            if port != default:
                say("port %d is taken; JupyterLab opens on %d" % (default, port))
            return port
    raise SetupError("ports %d to %d are taken. Name another: make lab PORT=9999" % (default, port))


def lab(venv, port, arguments):
    """Replace this process by JupyterLab on notebooks/."""
    command = [venv_python(venv), "-m", "jupyterlab", "--port=%d" % choose_port(port)]
    command += ["--ServerApp.port_retries=0", "--ServerApp.root_dir=" + ROOT + "/notebooks"]
    if os.geteuid() == 0:
        # Jupyter refuses to run as root, which is all that many a container has.
        command.append("--allow-root")
    os.execv(command[0], command + arguments)


def text(output):
    return output.decode("utf-8", "replace")


def say(line):
    print("adlib: " + line, flush=True)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["setup", "lab"])
    parser.add_argument("--venv", default=os.path.join(ROOT, ".venv"))
    parser.add_argument("--extras", default="notebook", help="comma-separated, as in pyproject")
    parser.add_argument("--port", type=int, help="default: the first free one from 8888 on")
    options, arguments = parser.parse_known_args(argv)
    if arguments and options.command != "lab":
        parser.error("unknown options: " + " ".join(arguments))
    venv = os.path.abspath(options.venv)
    try:
        setup(venv, options.extras.split(","))
        if options.command == "lab":
            lab(venv, options.port, arguments)
    except SetupError as error:
        print("adlib: %s" % error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
