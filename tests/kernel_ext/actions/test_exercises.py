"""Exercises: declared, attempted, hinted at."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib_kernel import check, exercise, hint
from adlib_kernel.actions import exercises


def f(x):
    return jnp.sin(x) * x**2


def slope(x):
    return adlib.grad(f)(x)


@pytest.fixture
def declared():
    return exercise(
        "slope",
        slope,
        points=[1.0, 2.0, -0.5, 0.25],
        hints=["A product.", "Two terms."],
        terms={"x² cos x": lambda x: x**2 * jnp.cos(x)},
        derivative=True,
    )


def test_right_is_right_however_it_is_written(declared):
    verdict = check("slope", lambda x: 2 * x * jnp.sin(x) + x**2 * jnp.cos(x))
    assert verdict and verdict.passed
    assert repr(verdict) == ("slope: right. Checked at 4 points: values, shapes, the derivative.")


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda x: -slope(x), "The sign is wrong."),
        (lambda x: 2 * slope(x), "It is too large by the factor 2.0."),
        (lambda x: slope(x) + 1.0, "It is off by the constant 1.0 everywhere."),
        (lambda x: slope(x) / x, "A factor x is missing."),
        (lambda x: 2 * x * jnp.sin(x), "The term x² cos x is missing."),
        (
            lambda x: 2 * x * jnp.sin(x) - x**2 * jnp.cos(x),
            "The term x² cos x has the wrong sign.",
        ),
        (
            lambda x: [slope(x)],
            "The shape is (1,), and () is wanted: a number is wanted, not an array with one "
            "entry in it.",
        ),
        (lambda x: None, "The function gives None: is a return missing?"),
        (lambda x: ..., "The dots still stand where the answer belongs."),
        (lambda x: "2x", "An array or a number is wanted, and the answer is something else."),
        (3.0, "A function is wanted, and this is a float."),
        (
            lambda x: float(slope(x)),
            "The values are right, but not the derivative: it raises ConcretizationTypeError: "
            "float(...) would cut the value out of the derivative being computed (test_exer",
        ),
        (
            lambda x: adlib.lax.stop_gradient(slope(x)),
            "The values are right, but not the derivative: it gives 0.0 at x = 1.0, which is "
            "not right.",
        ),
    ],
)
def test_wrong_attempts_are_told_what_is_wrong(declared, attempt, message):
    verdict = check("slope", attempt)
    assert not verdict and verdict.message.startswith(message)
    assert verdict.message.endswith(" For a hint: %check --hint slope")
    assert repr(verdict).startswith("slope: not yet. ")


def test_what_the_attempt_raises_is_named_with_its_line(declared):
    def attempt(x):
        return {}["key"]

    line = attempt.__code__.co_firstlineno + 1
    assert check("slope", attempt).message.startswith(
        f"It raises KeyError: 'key' (test_exercises.py:{line}) at x = 1.0."
    )
    assert "missing 1 required positional argument: 'y'" in check("slope", lambda x, y: x).message


def test_hints_come_one_at_a_time(declared):
    assert repr(hint("slope")) == "Hint 1 of 2: A product."
    assert "For a hint" in check("slope", slope(1.0)).message
    assert repr(hint("slope")) == "Hint 2 of 2: Two terms."
    assert "For a hint" not in check("slope", slope(1.0)).message
    assert repr(hint("slope")) == "Hint 2 of 2: Two terms."
    exercise("plain", 1.0)
    assert repr(hint("plain")) == "The exercise plain has no hints."


def test_declaring_again_starts_the_hints_again(declared):
    hint("slope")
    exercise("slope", slope, points=[1.0], hints=["Other."])
    assert repr(hint("slope")) == "Hint 1 of 1: Other."


def test_the_answer_is_not_shown(declared):
    assert repr(declared) == "Exercise('slope')"


def test_values_and_pytrees():
    exercise("grads", {"w": np.array([1.0, 2.0]), "b": 2.0})
    assert check("grads", {"w": jnp.array([1.0, 2.0]), "b": 2})
    assert check("grads", {"w": np.array([1.0, 2.0]), "b": -2.0}).message == (
        "In the answer['b'] the sign is wrong."
    )
    assert check("grads", {"w": 1.0}).message == "In the answer's dict the key 'b' is missing."
    assert check("grads", {"w": 1.0, "b": 1.0, "c": 1.0}).message == (
        "The answer's dict has a key 'c' that does not belong there."
    )
    assert check("grads", [1.0, 2.0]).message.startswith("The answer is built as ")
    assert check("grads", {"w": ..., "b": ...}).message.startswith("The dots still stand")
    assert check("grads", f).message == "A value is wanted, and a function was given: call it."
    assert check("grads", ...).message == "The dots still stand where the answer belongs."


def test_transposed_jacobians_at_drawn_points():
    jacobian = adlib.jacobian(lambda x: jnp.array([x[0] * x[1], x[1] ** 2]))
    made = exercise("jacobian", jacobian, points=lambda rng: rng.normal(size=2))
    again = exercise("jacobian", jacobian, points=lambda rng: rng.normal(size=2))
    np.testing.assert_array_equal(made.points, again.points)  # always the same
    assert len(made.points) == 5
    assert check("jacobian", jacobian)
    assert check("jacobian", lambda x: jacobian(x).T).message == "It is transposed."
    assert "3 of 4 entries are right, and entry [0, 0] is not at x = [0.12573, -0.132105]" in (
        check("jacobian", lambda x: jacobian(x).at[0, 0].set(0.0)).message
    )


def test_linearity_in_a_tangent():
    points = [(1.0, 1.0), (2.0, 3.0), (0.3, -1.0)]
    exercise("rule", lambda x, v: jnp.cos(x) * v, points=points, linear_in=1)
    verdict = check("rule", lambda x, v: v * jnp.cos(x))
    assert verdict.message == "Checked at 3 points: values, shapes, linearity in v."
    wrong = check("rule", lambda x, v: jnp.cos(x)).message
    assert wrong == (
        "A factor v is missing; besides, it is not linear in v: f(2·a - 3·b) differs from "
        "2·f(a) - 3·f(b), with a and b in the place of v."
    )
    known = [v for _, v in points]
    cheat = check("rule", lambda x, v: jnp.cos(x) * (v if v in known else v * v)).message
    assert cheat.startswith("It is not linear in v: ")
    picky = check("rule", lambda x, v: jnp.cos(x) * {1.0: 1.0, 3.0: 3.0, -1.0: -1.0}[float(v)])
    assert picky.message.startswith("With other values of v it raises KeyError")


def test_a_derivative_given_as_a_function():
    exercise("wave", jnp.sin, points=[0.1, 1.0, 2.0], derivative=jnp.cos)
    assert check("wave", lambda x: jnp.cos(x - jnp.pi / 2))
    frozen = check("wave", lambda x: jnp.sin(adlib.lax.stop_gradient(x)) + 0.0 * x)
    assert frozen.message.startswith("The values are right, but not the derivative: ")


def test_derivatives_are_checked_for_every_float():
    exercise(
        "area", lambda a, b: a * b, points=[(1.0, 2.0), (3.0, 4.0), (0.5, 3.0)], derivative=True
    )
    frozen = check("area", lambda a, b: a * adlib.lax.stop_gradient(b))
    assert "not the derivative: with respect to b it gives 0.0" in frozen.message


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("two words", 1.0), {}, "an exercise's name is like a variable's, without blanks"),
        (("f", f), {}, "the reference is a function, so it needs points"),
        (("f", f), {"points": []}, "points is empty; one point at least is wanted"),
        (("f", 1.0), {"points": [1.0]}, "the reference is a value, which has no points"),
    ],
)
def test_mistakes_in_declarations(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        exercise(*arguments, **options)


def test_unknown_names(declared):
    with pytest.raises(ValueError, match="there is no exercise slpoe. Did you mean slope?"):
        check("slpoe", 1.0)
    exercises._exercises.clear()
    with pytest.raises(ValueError, match="None is declared yet; run the cell that declares it."):
        hint("zzz")


def test_html_escapes():
    exercise("tree", {"<b>": 1.0, "c": 2.0})
    html = check("tree", {"<b>": -1.0, "c": 2.0})._repr_mimebundle_()["text/html"]
    assert "&lt;b&gt;" in html and "['<b>']" not in html


def test_named_factors_and_known_mistakes():
    exercise(
        "layer",
        lambda w, x: w * (1 - jnp.tanh(w * x) ** 2),
        points=[(0.5, 1.0), (1.5, -0.3), (-2.0, 0.7)],
        factors={"1 - tanh²": lambda w, x: 1 - np.tanh(w * x) ** 2},
        mistakes={"this is the value, not the slope": lambda w, x: np.tanh(w * x)},
    )
    assert check("layer", lambda w, x: w).message == "The factor 1 - tanh² is missing."
    assert check("layer", lambda w, x: -w).message == (
        "The factor 1 - tanh² is missing, and the sign is wrong."
    )
    twice = check("layer", lambda w, x: w * (1 - jnp.tanh(w * x) ** 2) ** 2)
    assert twice.message == "The factor 1 - tanh² is there once too often."
    assert check("layer", lambda w, x: jnp.tanh(w * x)).message == (
        "This is the value, not the slope."
    )


def test_a_known_mistake_that_is_right_by_chance_is_no_mistake():
    exercise("one", lambda x: x, points=[1.0], mistakes={"squared": lambda x: x * x})
    assert check("one", lambda x: x)


def test_properties_come_last_and_may_raise():
    def even(attempt):
        return "" if attempt(-1.0) == attempt(1.0) else "it is not even"

    exercise("square", lambda x: x * x, points=[2.0, 3.0], properties={"even": even})
    verdict = check("square", lambda x: x * x)
    assert verdict.message == "Checked at 2 points: values, shapes, even."
    assert check("square", lambda x: x * x if x > 0 else 5.0).message == "It is not even."
    raising = check("square", lambda x: x * x if x > 0 else {}["key"]).message
    assert raising.startswith(
        "The values are right, but the answer fails at: even. It raises KeyError: 'key' (test_exe"
    )


def test_an_attempt_is_called_through_a_transformation():
    def centred(x):
        return x - adlib.lax.pmean(x, "batch")

    exercise(
        "centred",
        centred,
        points=[(jnp.array([1.0, 2.0, 6.0]),)],
        through=lambda one: adlib.vmap(one, axis_name="batch"),
    )
    assert check("centred", centred)
    assert "The dots still stand" in check("centred", lambda x: ...).message
    assert "gives None" in check("centred", lambda x: None).message
    assert "factor x" not in check("centred", lambda x: x).message


def test_results_whose_keys_depend_on_the_point():
    exercise("count", lambda word: {c: word.count(c) for c in word}, points=[("aab",), ("c",)])
    assert check("count", lambda word: {c: word.count(c) for c in sorted(word)})
    assert "the key 'b' is missing" in check("count", lambda word: {word[0]: 2}).message


def test_truth_values():
    exercise("positive", lambda x: x > 0, points=[1.0, -1.0, 2.0, -3.0])
    assert check("positive", lambda x: bool(x > 0))
    assert "right at 2 of 4 points" in check("positive", lambda x: True).message


def test_the_list_knows_what_is_solved(declared):
    exercise("area", 6.0, level="warm-up")
    check("area", 6.0)
    listed = exercises.exercise_list()
    assert repr(listed) == "slope           open\narea   warm-up  solved\n1 of 2 solved"
    assert "1 of 2 solved" in listed._repr_mimebundle_()["text/html"]
    exercise("area", 6.0, level="warm-up")
    assert repr(exercises.exercise_list(["area"])).endswith("0 of 1 solved")


def test_nothing_is_no_answer():
    exercise("area", 6.0)
    assert check("area", None).message == "There is no value: the last line has to be the answer."
    exercise("f", f, points=[1.0])
    assert check("f", None).message == "A function is wanted, and this is nothing."
