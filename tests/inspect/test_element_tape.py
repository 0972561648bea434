"""The straight line of steps: what is opened, what copies, and local derivatives of numbers."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.inspect import AssembledJacobian, element_tape
from adlib.inspect.element_tape import CannotFollow, ElementTape
from adlib.inspect.programs import trace_program

X = np.array([0.5, -1.5, 2.0], np.float32)
W = np.arange(6.0, dtype=np.float32).reshape(2, 3)


def tape_of(function, *args):
    return ElementTape(trace_program(function, args, {}))


def local_jacobian(step):
    """The whole local Jacobian of a step, from its edges."""
    edges = step.edges([np.arange(slot.size) for slot in step.results], 0)
    starts = np.cumsum([0, *[slot.size for slot in step.operands]])
    dense = np.zeros((step.results[0].size, starts[-1]))
    np.add.at(dense, (edges.result, starts[edges.port] + edges.operand), edges.value)
    return dense


@pytest.mark.parametrize(
    ("function", "point"),
    [
        (jnp.sin, X),
        (lambda x: x[:, None] * x[None, :], X),
        (lambda x: W @ x, X),
        (lambda x: jnp.cumsum(x), X),
        (lambda x: jnp.sort(x), X),
        (lambda x: x.reshape(3, 1).T, X),
        (lambda x: x[np.array([2, 0])], X),
        (lambda x: jnp.pad(x, 2), X),
        (lambda x: adlib.nn.softmax(x), X),
        (lambda x: x.max(), X),
    ],
)
def test_local_derivatives_chain_to_the_jacobian(function, point):
    tape = tape_of(function, point)
    (out,), (source,) = tape.outputs, tape.inputs
    chained = {source.index: np.eye(source.size)}
    for step in tape.steps:
        assert len(step.results) == 1
        before = [chained.get(s.index, np.zeros((s.size, source.size))) for s in step.operands]
        chained[step.results[0].index] = local_jacobian(step) @ np.vstack(before)
    expected = np.asarray(adlib.jacrev(function)(point)).reshape(out.size, -1)
    np.testing.assert_allclose(chained[out.index], expected, rtol=1e-5, atol=1e-6)


def test_some_rows_only():
    (step,) = tape_of(lambda x: W @ x, X).steps
    edges = step.edges([np.array([1])], 0)
    assert edges.result.tolist() == [1, 1, 1] and edges.operand.tolist() == [0, 1, 2]
    assert edges.value.tolist() == [3.0, 4.0, 5.0]


def test_loops_are_unrolled_and_their_names_numbered():
    def power(x):
        return adlib.lax.fori_loop(0, 3, lambda i, c: c * x, x)

    tape = tape_of(power, 2.0)
    assert [step.eqn.primitive.name for step in tape.steps] == ["mul"] * 3
    assert [step.results[0].name[-1] for step in tape.steps] == ["₀", "₁", "₂"]


def test_rounds_of_a_scan_copy_their_slices_and_stack_their_results():
    def run(xs):
        return adlib.lax.scan(lambda c, x: (c + x, c * x), 0.0, xs)[1]

    tape = tape_of(run, X)
    copies = [step for step in tape.steps if step.copies]
    assert sum(len(step.operands) == 1 for step in copies) == 3, "a slice for each round"
    np.testing.assert_allclose(np.asarray(tape.outputs[0].value), [0.0, -0.75, -2.0])


def test_the_chosen_branch_takes_the_conditionals_place():
    def branch(x):
        return adlib.lax.cond(x > 0, jnp.sin, jnp.cos, x)

    for point, name in ((1.0, "sin"), (-1.0, "cos")):
        (step,) = tape_of(branch, point).steps
        assert step.eqn.primitive.name == name


def test_a_while_loop_is_unrolled():
    def doubled(x):
        return adlib.lax.while_loop(lambda c: c < 10.0, lambda c: c * 2.0, x)

    assert len(tape_of(doubled, 1.0).steps) == 4


@pytest.mark.parametrize(
    "loop",
    [
        lambda x: adlib.lax.fori_loop(0, 40, lambda i, c: c * 1.1, x),
        lambda x: adlib.lax.while_loop(lambda c: c < 10.0, lambda c: c * 1.1, x),
        lambda x: adlib.lax.while_loop(
            lambda c: c.sum() < 10.0, lambda c: c * 1.1, jnp.stack([x, x])
        ).sum(),
    ],
)
def test_long_loops_stay_one_step(loop, monkeypatch):
    monkeypatch.setattr(element_tape, "MOST_STEPS", 10)
    found = AssembledJacobian(loop, (1.0,))
    names = [step.eqn.primitive.name for step in found.tape.steps if step.eqn]
    assert {"scan", "while"} & set(names) and len(names) < 10
    np.testing.assert_allclose(found.paths(0, 0).value, adlib.jacfwd(loop)(1.0), rtol=1e-5)


def test_constants_have_no_steps_and_integers_no_edges():
    tape = tape_of(lambda x, n: x * (n + 1) + jnp.sin(2.0), X, 3)
    assert {step.eqn.primitive.name for step in tape.steps} <= {"mul", "add"}
    assert tape.inputs[1].origins == frozenset()


def test_a_derivative_at_zero_is_an_edge_of_elementwise_steps():
    step = tape_of(lambda x: jnp.maximum(x, 0.0), np.array([-1.0, 1.0], np.float32)).steps[-1]
    assert step.edges([np.array([0, 1])], 0).value.tolist() == [0.0, 1.0]


def test_what_cannot_be_followed_says_why(monkeypatch):
    spectrum = tape_of(lambda x: jnp.abs(jnp.fft.fft(x)), X)
    with pytest.raises(CannotFollow, match="complex numbers"):
        spectrum.steps[-1].edges([np.array([0])], 0)
    monkeypatch.setattr(element_tape, "MOST_WORK", 5)
    (step,) = tape_of(lambda x: W @ x, X).steps
    with pytest.raises(CannotFollow, match="dot_general alone has 6 local derivatives"):
        step.edges([np.array([0, 1])], 0)


def test_what_prints_prints_once(capsys):
    def talks(x):
        adlib.debug.print("x is {}", x[0])
        return x * 2.0

    found = AssembledJacobian(talks, (X,))
    capsys.readouterr()
    assert found.paths(0, 0).value == 2.0
    assert capsys.readouterr().out == ""
