"""An entry of a Jacobian is the sum over its paths: exactly, for any program."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adlib
import adlib.numpy as jnp
from adlib.inspect import AssembledJacobian, jacobian_paths

X = np.array([1.0, 2.0, 3.0])


@pytest.fixture(autouse=True)
def _double_precision():
    with adlib.enable_x64():
        yield


def jacobian(function, *args, argnums=0):
    return AssembledJacobian(function, args, argnums=argnums)


def small(x):
    s = jnp.sin(x[0])
    return jnp.stack([s * x[1] + x[0] ** 2, jnp.exp(s) * x[2], x[1] * x[2]])


# ------------------------------------------------------------------------ what is told


def test_a_textbook_entry():
    entry = jacobian(small, X).paths(0, 0)
    assert (entry.result, entry.argument, entry.count) == ("out[0]", "x[0]", 2)
    products = {path.names: path.factors for path in entry.paths}
    assert products[("x[0]", "j", "out[0]")] == (2.0, 1.0)
    np.testing.assert_allclose(products[("x[0]", "d", "g", "out[0]")], (math.cos(1.0), 2.0, 1.0))
    assert entry.value == pytest.approx(2.0 + 2.0 * math.cos(1.0)) and entry.rest is None


def test_vertices_and_arcs_have_formulas_and_shares():
    entry = jacobian(small, X).paths(0, 0)
    found = {vertex.name: vertex for vertex in entry.vertices}
    assert found["d"].text == "sin x[0]" and found["d"].value == pytest.approx(math.sin(1.0))
    assert found["g"].text == "d·x[1]" and found["out[0]"].text == "g + j"
    assert found["x[0]"].kind == "input" and found["out[0]"].kind == "output"
    assert found["d"].share == pytest.approx(2.0 * math.cos(1.0))
    assert found["d"].source.startswith("test_jacobian_paths.py:")
    assert {arc.text for arc in entry.arcs} == {"cos(x[0])", "x[1]", "2·x[0]", ""}


def test_arcs_of_a_path_are_its_factors():
    for column in range(3):
        entry = jacobian(small, X).paths(1, column)
        for path in entry.paths:
            assert tuple(entry.arcs[k].value for k in path.arcs) == path.factors
            ends = [entry.arcs[k].target for k in path.arcs]
            starts = [entry.arcs[k].source for k in path.arcs]
            assert starts[1:] == ends[:-1] and starts[0] == 0


def test_a_square_has_a_path_through_each_factor():
    entry = jacobian(lambda x: x * x, 3.0).paths(0, 0)
    assert entry.count == 2 and [path.product for path in entry.paths] == [3.0, 3.0]


def test_where_no_path_leads_the_entry_is_zero():
    entry = jacobian(small, X).paths(2, 0)
    assert entry.count == 0 and entry.paths == () and entry.value == 0.0 and entry.vertices == ()


def test_a_copy_is_its_argument():
    entry = jacobian(lambda x: x[::-1], X).paths(0, 2)
    assert entry.value == 1.0 and [v.kind for v in entry.vertices] == ["both"]
    assert entry.paths[0].factors == () and entry.arcs == ()


def test_arguments_and_results_may_be_pytrees():
    def function(scale, parameters):
        return {"y": parameters["w"] @ parameters["x"] * scale, "z": scale**2}

    parameters = {"w": np.ones((2, 3)), "x": X}
    found = jacobian(function, 2.0, parameters, argnums=(0, 1))
    entry = found.paths(1, 4)
    assert (entry.result, entry.argument) == ("out['y'][1]", "parameters['w'][1,0]")
    assert entry.value == pytest.approx(2.0)
    assert found.paths(2, 0).value == pytest.approx(4.0)


def test_constants_are_told_by_their_numbers():
    w = np.array([[2.0, 0.0], [0.0, 5.0]])
    entry = jacobian(lambda x: 3.0 * (w @ x), np.ones(2)).paths(1, 1)
    assert entry.vertices[-1].text.startswith("3·")
    assert [path.factors for path in entry.paths] == [(5.0, 3.0)]


def test_an_unused_leaf_before_the_input_is_skipped():
    found = jacobian(lambda n, x: x * n, 3, X, argnums=1)
    assert found.paths(1, 1).value == 3.0 and found.column_name(1) == "x[1]"


def test_a_masked_out_branch_shows_its_nan():
    def unsafe(x):
        return jnp.where(x > 0, jnp.sqrt(x), 0.0)

    entry = jacobian(unsafe, 0.0).paths(0, 0)
    assert [path.factors for path in entry.paths] == [(math.inf, 0.0)]
    assert math.isnan(entry.value) and '"nan"' in json.dumps(entry.to_json(), allow_nan=False)


def test_places_outside_are_refused():
    with pytest.raises(IndexError, match=r"of shape 3×3 has no entry \(0, 3\): rows count from 0"):
        jacobian(small, X).paths(0, 3)


# ------------------------------------------------------------------------- large programs


def network(x):
    rng = np.random.default_rng(0)
    for _ in range(3):
        x = jnp.tanh(rng.normal(size=(12, 12)) @ x)
    return x


def test_many_paths_are_bundled_by_value_and_the_largest_told():
    point = np.linspace(-0.2, 0.2, 12)
    entry = jacobian(network, point).paths(3, 5)
    assert entry.count == 144 and entry.bundled and len(entry.paths) == jacobian_paths.MOST_PATHS
    assert entry.value == pytest.approx(float(adlib.jacrev(network)(point)[3, 5]))
    told = math.fsum(path.product for path in entry.paths)
    assert told + entry.rest == pytest.approx(entry.value)
    sizes = [abs(path.product) for path in entry.paths]
    assert sizes == sorted(sizes, reverse=True)
    layers = [vertex for vertex in entry.vertices if vertex.count == 12]
    assert layers and all(v.share == pytest.approx(entry.value) for v in layers)
    assert all(len(v.largest) == 3 for v in layers)


def test_the_largest_are_the_largest_of_all(monkeypatch):
    point = np.linspace(-0.2, 0.2, 12)
    found = jacobian(network, point)
    few = found.paths(3, 5)
    monkeypatch.setattr(jacobian_paths, "MOST_PATHS", 1000)
    every = found.paths(3, 5)
    assert every.rest is None and len(every.paths) == 144
    assert [p.factors for p in few.paths] == [p.factors for p in every.paths][:12]


def test_countless_paths_are_counted():
    def doubled(x):
        return adlib.lax.fori_loop(0, 100, lambda i, c: c * 0.5 + c * 0.5, x)

    entry = jacobian(doubled, 1.0).paths(0, 0)
    assert entry.count == 2**100 and entry.count_text == "about 10^30"
    assert entry.value == pytest.approx(1.0) and entry.vertices == ()
    assert entry.to_json()["count"] == 2**53


def test_what_cannot_be_followed_says_so(monkeypatch):
    entry = jacobian(lambda x: jnp.abs(jnp.fft.fft(x)), X).paths(0, 0)
    assert entry.problem == (
        "The paths cannot be followed number by number: abs computes with complex numbers."
    )
    monkeypatch.setattr(jacobian_paths, "MOST_EDGES", 3)
    assert "more than 3 local derivatives" in jacobian(small, X).paths(0, 0).problem


# --------------------------------------------------------------------------- any program

UNARY = {
    "sin": jnp.sin,
    "tanh": jnp.tanh,
    "square": lambda v: v**2,
    "cumsum": jnp.cumsum,
    "rev": lambda v: v[::-1],
    "roll": lambda v: jnp.concatenate([v[1:], v[:1]]),
    "mix": lambda v: np.array([[1.0, -2.0, 0.5], [0.0, 1.5, 1.0], [-1.0, 0.0, 2.0]]) @ v,
    "mean": lambda v: v.mean() + 0.0 * v,
    "relu": adlib.nn.relu,
    "loop": lambda v: adlib.lax.fori_loop(0, 2, lambda i, c: c * jnp.cos(v), v),
    "scan": lambda v: adlib.lax.scan(lambda c, x: (c * 0.5 + x, jnp.sin(c) * x), 1.0, v)[1],
    "branch": lambda v: adlib.lax.cond(v[0] > 0, jnp.sin, lambda u: u * u, v),
    "sort": jnp.sort,
    "jit": adlib.jit(lambda v: jnp.exp(-v) * v),
    "softmax": adlib.nn.softmax,
    "remat": adlib.checkpoint(lambda v: jnp.sin(v) * v),
    "outer": lambda v: jnp.outer(v, v)[1],
    "gather": lambda v: v[jnp.array([2, 0, 2])],
    "set": lambda v: v.at[1].set(v[0] * v[2]),
    "add at": lambda v: v.at[jnp.array([0, 0])].add(v[1:]),
    "convolve": lambda v: jnp.convolve(v, v, mode="same"),
    "einsum": lambda v: jnp.einsum("i,jk,k->j", v, jnp.ones((3, 3)) + jnp.eye(3), v),
    "vmap": adlib.vmap(lambda u: jnp.sin(u) * u),
    "while": lambda v: adlib.lax.fori_loop(0, jnp.asarray(3), lambda i, c: c * 0.9 + c[::-1], v),
    "argmax": lambda v: v * v[jnp.argmax(v)],
}
FORWARD_ONLY = ("while",)
BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "where": lambda a, b: jnp.where(a > b, a, 2.0 * b),
    "dot": lambda a, b: jnp.dot(a, b) * a,
    "max": jnp.maximum,
}


@st.composite
def programs(draw):
    """Up to six operations on three numbers, each on any of the values before it."""
    steps = []
    for count in range(1, draw(st.integers(1, 6)) + 1):
        earlier = st.integers(0, count - 1)
        if draw(st.booleans()):
            steps.append((draw(st.sampled_from(sorted(UNARY))), (draw(earlier),)))
        else:
            steps.append((draw(st.sampled_from(sorted(BINARY))), (draw(earlier), draw(earlier))))
    return steps


def run(steps, x):
    values = [x]
    for name, places in steps:
        values.append({**UNARY, **BINARY}[name](*[values[place] for place in places]))
    return values[-1]


@settings(max_examples=100)
@given(
    programs(),
    st.lists(st.floats(-1.0, 1.0).map(lambda v: round(v, 3)), min_size=3, max_size=3, unique=True),
    st.integers(0, 2),
    st.integers(0, 2),
)
def test_path_sums_are_the_jacobians_entries(steps, point, row, column):
    x = np.array(point)
    with adlib.enable_x64():
        found = jacobian(lambda x: run(steps, x), x)
        entry = found.paths(row, column)
        forward = any(name in FORWARD_ONLY for name, _ in steps)
        differentiate = adlib.jacfwd if forward else adlib.jacrev
        expected = float(differentiate(lambda x: run(steps, x))(x)[row, column])
    assert not entry.problem
    assert entry.value == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert found.entry(row, column) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    if entry.arcs and not entry.bundled:
        leaving = math.fsum(arc.share for arc in entry.arcs if arc.source == 0)
        assert leaving == pytest.approx(expected, rel=1e-9, abs=1e-12)
    if entry.rest is None:
        assert len(entry.paths) == entry.count
        total = math.fsum(math.prod(path.factors) for path in entry.paths)
        assert total == pytest.approx(expected, rel=1e-9, abs=1e-12)
