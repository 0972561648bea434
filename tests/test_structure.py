"""The architecture, checked: floors are one-way, no import cycles, files stay short, `import adlib`
stays light. See docs/architecture.md for what each floor is."""

import ast
import graphlib
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {
    "adlib": ROOT / "adlib",
    "adlib_widgets": ROOT / "widgets" / "adlib_widgets",
    "adlib_kernel": ROOT / "kernel_ext" / "adlib_kernel",
}
# From the ground up. A module belongs to the longest prefix that it matches; "adlib" alone is the
# root namespace, and a module of adlib that matches nothing else is on no floor, which is an error.
FLOORS = [
    ["adlib.base"],
    ["adlib.core"],
    ["adlib.backends"],
    ["adlib.ops"],
    ["adlib.interpreters"],
    ["adlib.control"],
    ["adlib.compile"],
    ["adlib.api"],
    [
        "adlib.numpy",
        "adlib.lax",
        "adlib.random",
        "adlib.nn",
        "adlib.scipy",
        "adlib.tree",
        "adlib.tree_util",
        "adlib.flatten_util",
        "adlib.test_util",
        "adlib.ad_checkpoint",
        "adlib.custom_batching",
        "adlib.custom_derivatives",
        "adlib.debug",
        "adlib.dtypes",
        "adlib.errors",
        "adlib.experimental",
        "adlib.extend",
        "adlib.example_libraries",
    ],
    ["adlib"],
    ["adlib.inspect"],
    ["adlib_widgets"],
    ["adlib_kernel"],
]
MAX_LINES = 600
HEAVY = ["cupy", "IPython", "ipywidgets", "anywidget", "matplotlib", "llvmlite", "scipy.special"]
# The only places of the engine that may name an optional library, each on first use.
OPTIONAL = {
    "cupy": "adlib.backends.cupy_",
    "graphviz": "adlib.inspect",
    "llvmlite": "adlib.compile",
}
IMPORT_NAME = {"ipython": "IPython"}


def module_name(path: Path, package: str) -> str:
    parts = path.relative_to(PACKAGES[package]).with_suffix("").parts
    return ".".join((package, *(part for part in parts if part != "__init__")))


SOURCES = {
    module_name(path, package): path
    for package, folder in PACKAGES.items()
    for path in sorted(folder.rglob("*.py"))
}


def floor_of(module: str) -> int | None:
    """The floor with the longest prefix that holds `module`; the root namespace is itself only."""
    best, length = None, -1
    for number, prefixes in enumerate(FLOORS):
        for prefix in prefixes:
            inside = module == prefix or (prefix != "adlib" and module.startswith(prefix + "."))
            if inside and len(prefix) > length:
                best, length = number, len(prefix)
    return best


def literal_imports(node: ast.Call) -> Iterator[str]:
    """The module in `import_module("adlib.x")` or `__import__("adlib.x")`."""
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name in ("import_module", "__import__") and node.args:
        if isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
            yield node.args[0].value


def imported_names(text: str, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import in a source, whatever function or `if` it stands in.

    `from a import b` gives `a.b`; the caller decides whether b is a module.
    """
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call):
            yield from ((node.lineno, name) for name in literal_imports(node))


def resolve(name: str, modules: set[str]) -> str | None:
    """The longest prefix of a dotted name that is one of our modules."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None


def import_graph(sources: dict[str, Path]) -> dict[str, dict[str, int]]:
    """module → {module of ours that it imports: line}."""
    graph: dict[str, dict[str, int]] = {}
    for module, path in sources.items():
        edges = graph.setdefault(module, {})
        is_package = path.name == "__init__.py"
        for line, name in imported_names(path.read_text(encoding="utf-8"), module, is_package):
            target = resolve(name, set(sources))
            if target and target != module:
                edges.setdefault(target, line)
    return graph


def upward_imports(graph: dict[str, dict[str, int]]) -> list[str]:
    found = []
    for module, edges in graph.items():
        here = floor_of(module)
        if here is None:
            found.append(f"{module} is on no floor: give it one in FLOORS")
            continue
        for target, line in edges.items():
            there = floor_of(target)
            if there is not None and there > here:
                found.append(f"{module}:{line} imports {target}, which is on a floor above it")
    return found


def import_cycle(graph: dict[str, dict[str, int]]) -> list[str]:
    """The modules of one import cycle, or nothing."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def outside_imports(module: str) -> set[str]:
    """Top-level names that a module imports from other distributions."""
    path = SOURCES[module]
    names = imported_names(path.read_text(encoding="utf-8"), module, path.name == "__init__.py")
    tops = {name.split(".")[0] for _, name in names}
    return tops - set(sys.stdlib_module_names) - set(PACKAGES) - {"", "__future__"}


def declared(*extras: str) -> set[str]:
    """Import names of the distributions that pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    names = (re.split(r"[<>=~! \[]", requirement)[0] for requirement in wanted)
    return {IMPORT_NAME.get(name, name) for name in names}


def test_every_import_goes_to_the_same_floor_or_one_below():
    assert upward_imports(import_graph(SOURCES)) == []


def test_no_import_cycle_even_inside_functions():
    cycle = import_cycle(import_graph(SOURCES))
    assert not cycle, "import cycle: " + " ← ".join(cycle)


@pytest.mark.parametrize(
    "sources, complaint",
    [
        ({"adlib.base.tree": "def f():\n    from adlib.core import dtypes"}, "base.tree:2 imports"),
        ({"adlib.core.array": "from ..api import grad"}, "imports adlib.api, which is on a floor"),
        ({"adlib.core.array": "import adlib.inspect.records"}, "imports adlib.inspect"),
        (
            {"adlib.api.grad": "import importlib\nimportlib.import_module('adlib')"},
            "imports adlib,",
        ),
        ({"adlib.inspect.graph": "from adlib_widgets import draw"}, "imports adlib_widgets"),
        ({"adlib_widgets.draw": "import adlib_kernel"}, "imports adlib_kernel"),
        ({"adlib.shed": ""}, "adlib.shed is on no floor"),
    ],
)
def test_the_floor_check_sees_a_violation(tmp_path, sources, complaint):
    names = "adlib adlib.core adlib.core.dtypes adlib.api adlib.inspect adlib_widgets adlib_kernel"
    paths = {}
    for module in [*names.split(), *sources]:
        paths[module] = tmp_path / f"{module}.py"
        paths[module].write_text(sources.get(module, ""))
    assert complaint in "\n".join(upward_imports(import_graph(paths)))


def test_the_cycle_check_sees_a_cycle(tmp_path):
    texts = {"adlib.ops.a": "from adlib.ops import b", "adlib.ops.b": "def f():\n  from . import a"}
    paths = {}
    for module, text in texts.items():
        paths[module] = tmp_path / f"{module}.py"
        paths[module].write_text(text)
    assert set(import_cycle(import_graph(paths))) == set(texts)


def test_files_are_short():
    folders = [*PACKAGES.values(), ROOT / "tests", ROOT / "tools", ROOT / "benchmarks"]
    files = [
        file
        for folder in folders
        for end in ("py", "js", "css")
        for file in folder.rglob(f"*.{end}")
    ]
    lengths = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    long = [f"{file.relative_to(ROOT)}: {n}" for file, n in lengths.items() if n > MAX_LINES]
    assert not long, f"over {MAX_LINES} lines, split by what they do: {long}"


@pytest.mark.parametrize("package", PACKAGES)
def test_third_party_imports_are_declared(package):
    allowed = declared() if package == "adlib" else declared("notebook")
    undeclared = []
    for module in SOURCES:
        if module.split(".")[0] != package:
            continue
        for name in outside_imports(module) - allowed:
            home = OPTIONAL.get(name)
            if home is None or not f"{module}.".startswith(f"{home}."):
                undeclared.append(f"{module} imports {name}")
    assert undeclared == []


def test_the_three_packages_are_there():
    assert {module.split(".")[0] for module in SOURCES} == set(PACKAGES)


def test_import_adlib_is_light(run_python):
    loaded = set(run_python("import sys, adlib; print(*sys.modules)").split())
    assert "adlib" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_import_adlib_loads_no_other_package_of_ours(run_python):
    loaded = run_python("import sys, adlib; print(*sys.modules)").split()
    assert not [name for name in loaded if name.startswith(("adlib_", "adlib.inspect"))]
