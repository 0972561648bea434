"""Every public function differentiated (the tables of ``programs/``).

Forward mode against finite differences, reverse mode against forward mode, and the second
derivative, by forward over reverse mode, against differences of the first.
"""

import numpy as np
import pytest

import adlib
from tests.public import programs
from tests.public.programs import assert_close


@pytest.fixture(autouse=True)
def double_precision():
    with adlib.enable_x64():
        yield


@pytest.mark.parametrize("program", programs.all_of_them(), ids=lambda p: p.text)
def test_derivatives(program):
    f, args = programs.moving(program)
    if program.has("rounds tangents") or not args or not (outs := f(*args)):
        return
    vs, ws, us = (programs.directions(like, k) for k, like in enumerate([args, outs, args]))
    tol = program.tolerance or 2e-6
    if program.has("jvp raises"):
        with pytest.raises(programs.NO_RULE):
            adlib.jvp(f, args, vs)
        return
    if program.has("reverse only"):
        with pytest.raises(programs.NO_RULE):
            adlib.jvp(f, args, vs)
        tangents = programs.difference(f, args, vs)
    else:
        values, tangents = adlib.jvp(f, args, vs)
        assert_close(values, outs, 1e-10, "value of jvp")
        if not program.has("no differences"):
            assert_close(tangents, programs.difference(f, args, vs), tol, "jvp")
    if program.has("forward only"):
        with pytest.raises(programs.NO_RULE):
            adlib.vjp(f, *args)[1](ws)
        return
    pull = programs.pulled(f, ws)
    cts = pull(*args)
    for x, ct in zip(args, cts, strict=True):
        assert (ct.shape, ct.dtype) == (x.shape, x.dtype), "type of a cotangent"
    exact = tol if program.has("reverse only") else 1e-8
    along, wanted = programs.inner(cts, vs), programs.inner(tangents, ws)
    np.testing.assert_allclose(along, wanted, rtol=exact, atol=exact, err_msg="vjp")
    if program.has("first order") or program.has("no differences"):
        return
    second = second_derivative(program, pull, args, us)
    assert_close(second, programs.difference(pull, args, us), 10 * tol, "second order")


def second_derivative(program, pull, args, us):
    """Of the pullback along ``us``: by forward mode, or from the rows of its Jacobian."""
    if not program.has("reverse only"):
        return adlib.jvp(pull, args, us)[1]
    rows = adlib.jacrev(pull, tuple(range(len(args))))(*args)
    return [
        sum(np.tensordot(block, u, np.ndim(u)) for block, u in zip(row, us, strict=True))
        for row in rows
    ]
