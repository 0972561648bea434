"""Recorders and views of GPU arrays: computed there; what comes back are numbers and summaries."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import inspect as recorders
from adlib.inspect import nan_trail, summaries
from adlib.inspect.summaries import to_json
from adlib_widgets import (
    show_derivation,
    show_flow,
    show_jacobian,
    show_jaxpr,
    show_memory,
    why_nan,
)
from tests.gpu import runtime, stand_in


def model(w, x):
    hidden = jnp.tanh(w @ x + 1.0)
    return jnp.sum(jnp.where(hidden > 0, hidden, 0.1 * hidden) ** 2)


def layers(x):
    return adlib.lax.scan(lambda h, c: (jnp.sin(h * c), h), x, jnp.arange(1.0, 4.0))[0]


def elements(x):
    return jnp.stack([x[0] * jnp.sin(x[1]), x[1] ** 2 * x[2], x[0] + 2.0])


def broken(x):
    return jnp.sum(jnp.sqrt(x - 1.0) * jnp.log(x))


W = np.linspace(-1.0, 1.0, 12, dtype=np.float32).reshape(3, 4)
X = np.linspace(0.5, 2.0, 4, dtype=np.float32)
POINT = np.array([1.0, 2.0, 3.0], np.float32)

# Each is made of arrays on the CPU and on the GPU: records, then the static form of every view.
RECORDS = {
    "graph": (recorders.graph_record, model, (W, X)),
    "listing": (recorders.listing_record, model, (W, X)),
    "derivation": (recorders.derivation_record, model, (W, X)),
    "flow": (recorders.flow_record, model, (W, X)),
    "flow of a loop": (recorders.flow_record, layers, (X,)),
    "jacobian": (recorders.jacobian_record, elements, (POINT,)),
    "memory": (recorders.memory_record, model, (W, X)),
    "memory of a loop": (recorders.memory_record, layers, (X,)),
    "nan": (recorders.nan_record, broken, (X,)),
}
VIEWS = {
    "jaxpr": (show_jaxpr, model, (W, X)),
    "derivation": (lambda f: show_derivation(f, "grad"), model, (W, X)),
    "flow": (show_flow, model, (W, X)),
    "flow of a loop": (show_flow, layers, (X,)),
    "jacobian": (show_jacobian, elements, (POINT,)),
    "memory": (show_memory, model, (W, X)),
    "memory of a loop": (show_memory, layers, (X,)),
    "nan": (why_nan, broken, (X,)),
    "nothing bad": (why_nan, model, (W, X)),
}


def on_gpu(arrays):
    return [adlib.device_put(jnp.asarray(a), "gpu") for a in arrays]


def recorded(kind, args):
    record, function, _ = RECORDS[kind]
    if record in (recorders.graph_record, recorders.listing_record):
        return record(adlib.make_jaxpr(function)(*args))
    if record is recorders.derivation_record:
        return record(function, "grad", args)
    return record(function, args)


def rounded(found):
    """Numbers to five digits, since a card adds up in another order; without times."""
    if isinstance(found, dict):
        return {key: rounded(value) for key, value in found.items() if key != "seconds"}
    if isinstance(found, (list, tuple)):
        return [rounded(value) for value in found]
    return float(f"{found:.5g}") if isinstance(found, float) else found


@pytest.mark.parametrize("kind", RECORDS)
def test_a_record_of_gpu_arrays_is_that_of_the_same_arrays_on_the_cpu(gpu, kind):
    arrays = RECORDS[kind][2]
    here = recorded(kind, [jnp.asarray(a) for a in arrays])
    there = recorded(kind, on_gpu(arrays))
    assert rounded(to_json(there)) == rounded(to_json(here))


@pytest.mark.parametrize("kind", VIEWS)
def test_a_view_of_gpu_arrays_shows_what_one_of_cpu_arrays_shows(gpu, kind):
    show, function, arrays = VIEWS[kind]
    here = show(function)(*[jnp.asarray(a) for a in arrays])
    there = show(function)(*on_gpu(arrays))
    if isinstance(gpu, stand_in.Cupy):  # a card's last digits may differ
        assert str(there) == str(here) and there.svg == here.svg and there.html == here.html
    assert there.svg.startswith("<svg") and there.html and str(there)


def test_costs_and_measures(gpu):
    arrays = on_gpu((W, X))
    closed = adlib.make_jaxpr(model)(*arrays)
    measured = recorders.profile_record(closed, arrays)
    assert measured.measures and recorders.cost_record(closed)
    assert all(m.seconds >= 0 for m in measured.measures.values())


def test_an_assembled_jacobian(gpu):
    (x,) = on_gpu((POINT,))
    jacobian = recorders.AssembledJacobian(elements, (x,))
    entries = np.asarray(adlib.jacrev(elements)(x)).ravel()
    assert jacobian.values == pytest.approx(entries[entries != 0], rel=1e-5)


def large():
    values = np.linspace(-1.0, 3.0, 4000, dtype=np.float32).reshape(40, 100)
    values[3, 5], values[7, 9], values[20, 50] = np.nan, np.inf, -np.inf
    return values


def test_of_a_large_array_only_a_summary_comes_back(gpu, monkeypatch):
    values = large()
    x = adlib.device_put(jnp.asarray(values), "gpu")
    here = summaries.summarize(jnp.asarray(values))
    if isinstance(gpu, stand_in.Cupy):

        def refuse(array):
            raise AssertionError("a large array came back from the GPU")

        monkeypatch.setattr(summaries, "to_numpy", refuse)
        monkeypatch.setattr(stand_in.ndarray, "get", refuse, raising=False)
    there = summaries.summarize(x)
    assert rounded(to_json(there)) == rounded(to_json(here))
    assert (there.nans, there.infs, there.finite) == (1, 2, 3997)


def test_the_picture_of_a_large_array_is_made_where_it_is(gpu, monkeypatch):
    here = nan_trail.picture_of(jnp.asarray(large()))
    x = adlib.device_put(jnp.asarray(large()), "gpu")
    if isinstance(gpu, stand_in.Cupy):
        sizes = []
        get = lambda array: sizes.append(array.held.size) or array.held  # noqa: E731
        monkeypatch.setattr(stand_in.ndarray, "get", get, raising=False)
    there = nan_trail.picture_of(x)
    assert there.shape == here.shape and repr(there.rows) == repr(here.rows)
    assert "nan" in repr(there.rows) and "-inf" in repr(there.rows)
    if isinstance(gpu, stand_in.Cupy):
        assert sizes == [12 * 24]


def stacked(x):
    return adlib.lax.map(lambda v: jnp.sin(v) * v, x)


def test_the_elements_of_a_loop(gpu):
    here = recorders.jacobian_record(stacked, (jnp.asarray(POINT),))
    there = recorders.jacobian_record(stacked, on_gpu((POINT,)))
    assert rounded(to_json(there)) == rounded(to_json(here))


@pytest.mark.parametrize("kind", VIEWS)
def test_the_interactive_form_of_a_view_holds_no_gpu_array(gpu, kind):
    show, function, arrays = VIEWS[kind]

    def look(found):
        assert not isinstance(found, gpu.ndarray)
        for part in found.values() if isinstance(found, dict) else found:
            if isinstance(part, (dict, list, tuple)):
                look(part)

    look(show(function)(*on_gpu(arrays)).explore().get_state())


@pytest.mark.parametrize("kind", [kind for kind in VIEWS if kind != "jacobian"])
def test_views_of_large_arrays_bring_little_back(gpu, kind):
    if not isinstance(gpu, stand_in.Cupy):
        pytest.skip("bytes are counted on the stand-in")
    show, function, arrays = VIEWS[kind]
    rng = np.random.default_rng(0)
    x = (np.abs(rng.standard_normal(4000)) + 0.5).astype(np.float32)
    w = (rng.standard_normal((64, 4000)) / 60).astype(np.float32)
    given = on_gpu((w, x) if len(arrays) == 2 else (x,))
    function = layers if kind.endswith("loop") else function
    with runtime.counted() as counts:
        view = show(function)(*given)
        assert view.html and view.svg and str(view)
        view.explore().get_state()
    assert counts.get("bytes brought", 0) <= 6000  # of 16 kB and a megabyte
