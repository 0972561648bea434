"""One example of each static view, and notebooks that show them."""

from __future__ import annotations

from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook, new_output

import adlib
import adlib.numpy as jnp
from adlib_widgets import (
    show_derivation,
    show_flow,
    show_jacobian,
    show_jaxpr,
    show_memory,
    why_nan,
)


def loss(w, x):
    hidden = jnp.tanh(w @ x)
    return jnp.sum(hidden * hidden)


def root(x):
    return jnp.sum(jnp.sqrt(x))


def neighbours(x):
    return x[1:] * x[:-1]


def examples() -> dict[str, Any]:
    """The view of each public function, by its name."""
    weights, x = jnp.arange(6.0).reshape(2, 3) / 6, jnp.array([1.0, 2.0, 3.0])
    return {
        "show_jaxpr": show_jaxpr(adlib.grad(loss))(weights, x),
        "show_derivation": show_derivation(loss, "grad")(weights, x),
        "show_flow": show_flow(loss)(weights, x),
        "show_jacobian": show_jacobian(neighbours)(jnp.arange(6.0)),
        "show_memory": show_memory(loss)(weights, x),
        "why_nan": why_nan(adlib.grad(root))(jnp.array([1.0, 0.0])),
    }


def notebook_of(bundles: dict[str, dict[str, Any]]) -> nbformat.NotebookNode:
    """A notebook with these outputs, each under a cell that has its name."""
    cells = []
    for count, (name, bundle) in enumerate(bundles.items(), 1):
        output = new_output("execute_result", bundle, execution_count=count)
        cell = new_code_cell(name, execution_count=count, outputs=[output])
        cell.id = name.replace("_", "-")
        cells.append(cell)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})
