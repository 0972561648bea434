"""The traits of a new run reach a page in any order: no view may trip over that."""

import numpy as np
import pytest
from playwright.sync_api import expect

import adlib.numpy as jnp
from adlib_widgets import show_flow, show_jacobian, show_jaxpr
from adlib_widgets.bundle import script, style

pytestmark = pytest.mark.browser

VIEWS = {"flow": show_flow, "jacobian": show_jacobian, "jaxpr": show_jaxpr}


def long(x):
    for _ in range(6):
        x = jnp.sin(x) * x
    return x


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("name", VIEWS)
def test_the_traits_of_a_new_run_come_in_any_order(module_page, name, last):
    show = VIEWS[name]
    view = module_page.show(script(name), state_of(show(long)(np.ones(3)).explore()), style(name))
    for other in (show(jnp.sin)(np.ones(2)), show(long)(np.ones(4))):
        state = state_of(other.explore())
        data = {"data": state.pop("data")}
        view.update(**({**state, **data} if last else {**data, **state}))
        expect(view.el.locator(".adlib-view")).to_be_visible()


def state_of(explorer):
    names = [name for name in explorer.traits(sync=True) if name[0] != "_"]
    left_out = ("layout", "tabbable", "tooltip")
    return {name: getattr(explorer, name) for name in names if name not in left_out}
