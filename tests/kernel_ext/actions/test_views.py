"""Views of calls."""

import numpy as np
import pytest

import adlib.numpy as jnp
from adlib_kernel.actions.expressions import Call, CellFunction
from adlib_kernel.actions.mistakes import MagicMistake
from adlib_kernel.actions.views import derivation_of_call, jacobian_of_call, view_of_call
from adlib_widgets import (
    DerivationView,
    FlowView,
    JacobianView,
    MemoryView,
    NanView,
    show_flow,
)


def f(x, n, *, scale=1.0):
    return jnp.sum(jnp.sin(x) * n * scale)


CALL = Call("f(…)", f, (np.ones(3, np.float32), 2), {"scale": 3.0})


@pytest.mark.parametrize(
    ("name", "kind"), [("flow", FlowView), ("admem", MemoryView), ("whynan", NanView)]
)
def test_views_take_all_arguments(name, kind):
    call = CALL if name == "whynan" else Call("f(…)", f, (np.ones(3, np.float32), 2.0), {})
    assert isinstance(view_of_call(name, call), kind)


def test_views_are_those_of_the_public_functions():
    call = Call("", jnp.sin, (1.0,), {})
    both = view_of_call("flow", call), show_flow(jnp.sin)(1.0)  # on one line, which they show
    assert repr(both[0]) == repr(both[1])
    assert derivation_of_call(call, "jvp", "%derive").record.kind == "jvp"


def test_derivatives_are_with_respect_to_the_floats():
    view = jacobian_of_call(CALL, "%jacobian")
    assert isinstance(view, JacobianView) and view.record.matrix.shape == (1, 3)
    both = jacobian_of_call(Call("", lambda n, x, y: x * y * n, (2, 1.0, 3.0), {}), "%jacobian")
    assert both.record.matrix.shape == (1, 2)
    assert isinstance(derivation_of_call(CALL, "grad", "%derive"), DerivationView)


def test_vmap_and_jit_need_no_floats():
    call = Call("", lambda n: n + 1, (np.arange(3),), {})
    for kind in ("vmap", "jit"):
        assert kind in repr(derivation_of_call(call, kind, "%derive"))


def test_cells_give_their_variables_names():
    cell = CellFunction("x * y", ["x", "y"], {"x": 1.0, "y": 2.0})
    assert "a:f32[] = x" in repr(view_of_call("flow", Call("x * y", cell, (1.0, 2.0), {})))


def test_mistakes():
    with pytest.raises(MagicMistake) as caught:
        derivation_of_call(CALL, "jti", "%derive")
    assert str(caught.value) == (
        "%derive: --kind takes grad, jvp, linearize, vmap, jit; 'jti' is none. Did you mean jit?"
    )
    with pytest.raises(MagicMistake, match="%jacobian f: no positional argument is a float"):
        jacobian_of_call(Call("f", f, (1, 2), {}), "%jacobian")
