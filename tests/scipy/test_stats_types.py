"""Distributions: weak types, the domain of the parameters, names of the arguments."""

import importlib
import inspect

import numpy as np
import pytest
import scipy.stats as reference

import adlib
import adlib.numpy as jnp
from adlib.scipy import stats

INTEGERS, FLOATS = np.array([1, 0], np.int32), np.array([0.5, 0.25], np.float32)
WEAK = [  # the call's arguments, and whether norm.pdf, norm.cdf, expon.pdf are weakly typed
    ((0.5,), (True, False, True)),
    ((1,), (True, False, True)),
    ((INTEGERS,), (False, False, False)),
    ((INTEGERS, 0.5), (False, False, True)),
    ((0.5, INTEGERS), (True, False, True)),
    ((FLOATS,), (False, False, False)),
    ((0.5, FLOATS), (False, False, False)),
    ((np.float32(0.5),), (False, False, False)),
    ((np.int32(1), 0.5), (True, False, True)),
]


@pytest.mark.parametrize("case", range(len(WEAK)))
def test_a_result_is_weakly_typed_if_the_first_argument_is(case):
    values, wanted = WEAK[case]
    args = [jnp.asarray(v) if isinstance(v, np.ndarray) else v for v in values]
    for function, weak in zip(
        (stats.norm.pdf, stats.norm.cdf, stats.expon.pdf), wanted, strict=True
    ):
        result = function(*args)
        assert (result.dtype, result.weak_type) == (np.float32, weak)
        same = adlib.eval_shape(lambda function=function: function(*args))
        assert same.weak_type == weak


def test_a_result_in_which_the_counts_do_not_enter_is_typed_by_them():
    assert not stats.bernoulli.cdf(jnp.asarray(INTEGERS), 0.3).weak_type
    assert stats.bernoulli.ppf(0.8, 0.3).weak_type
    assert stats.poisson.entropy(2.5, jnp.zeros(3)).shape == (3,)


BAD = [  # a distribution, an argument within its support, parameters that make none
    ("bernoulli", 1, (-0.2,)), ("bernoulli", 0, (1.2,)), ("beta", 0.4, (-1.0, 2.0)),
    ("beta", 0.4, (1.0, 0.0)), ("betabinom", 2, (-1, 2.0, 3.0)), ("betabinom", 2, (5, -2.0, 3.0)),
    ("binom", 2, (-3, 0.3)), ("binom", 2, (5, 1.3)), ("chi2", 2.0, (-1.0,)), ("gamma", 2.0, (0.0,)),
    ("gennorm", 2.0, (-1.0,)), ("geom", 2, (0.0,)), ("geom", 2, (1.1,)), ("nbinom", 2, (-1, 0.3)),
    ("nbinom", 2, (5, 1.3)), ("pareto", 2.0, (-1.0,)), ("poisson", 2, (-1.0,)),
    ("t", 2.0, (-1.0,)), ("truncnorm", 0.5, (1.0, 0.0)), ("vonmises", 0.5, (-1.0,)),
    ("wrapcauchy", 0.5, (-0.5,)), ("wrapcauchy", 0.5, (1.5,)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "x", "shapes"), BAD)
def test_nan_where_the_parameters_make_no_distribution(name, x, shapes):
    module = importlib.import_module(f"adlib.scipy.stats.{name}")
    for label in module.__test__:
        function = getattr(module, label)
        args = shapes if label == "entropy" else (0.5 if label in ("ppf", "isf") else x, *shapes)
        with np.errstate(all="ignore"):
            assert np.isnan(getattr(getattr(reference, name), label)(*args))
        assert np.isnan(function(*args))
        assert np.isnan(adlib.jit(function)(*args))


def test_a_parameter_that_is_known_to_be_right_leaves_no_trace_in_the_program():
    constant = adlib.make_jaxpr(lambda x: stats.gamma.logpdf(x, 2.0))(0.5)
    traced = adlib.make_jaxpr(stats.gamma.logpdf)(0.5, 2.0)
    assert str(constant).count("select_n") + 1 == str(traced).count("select_n")


@pytest.mark.parametrize("name", ["bernoulli", "betabinom", "binom", "geom", "nbinom", "poisson"])
def test_a_count_that_is_nan_has_no_probability(name):
    shapes = {"betabinom": (5, 2.0, 3.0), "binom": (5, 0.3), "nbinom": (3, 0.3)}.get(name, (0.3,))
    shapes = (2.0,) if name == "poisson" else shapes
    module = importlib.import_module(f"adlib.scipy.stats.{name}")
    for label in {"pmf", "logpmf", "cdf"} & set(module.__test__):
        assert np.isnan(getattr(module, label)(np.nan, *shapes))


def test_quantiles_of_no_probability_are_nan():
    for q in (-0.5, 1.5, np.nan):
        assert np.isnan(stats.cauchy.ppf(q)) and np.isnan(stats.cauchy.isf(q))
    assert stats.cauchy.ppf(0.5) == stats.cauchy.isf(0.5) == 0


def test_the_derivative_of_log_probabilities_is_zero_where_they_are_constant():
    for x in (-1.0, 0.0):
        assert adlib.grad(stats.beta.logcdf)(x, 2.0, 0.5) == 0
        assert adlib.grad(stats.pareto.logcdf)(x, 2.0) == 0
    assert adlib.grad(stats.beta.logsf)(3.0, 2.0, 0.5) == 0


FIRST = {"bernoulli.cdf": "k", "poisson.cdf": "k", "binom.pmf": "k", "norm.cdf": "x",
         "gumbel_l.ppf": "p", "gumbel_r.ppf": "p", "logistic.ppf": "x", "logistic.isf": "x",
         "norm.ppf": "q", "uniform.ppf": "q"}  # fmt: skip


@pytest.mark.parametrize("label", sorted(FIRST))
def test_the_name_of_the_first_argument(label):
    module, function = label.split(".")
    signature = inspect.signature(getattr(getattr(stats, module), function))
    assert next(iter(signature.parameters)) == FIRST[label]


def test_a_weakly_typed_array_types_a_result_by_its_rank():
    vector, number = jnp.full(3, 0.5), jnp.asarray(0.5)
    assert vector.weak_type and number.weak_type
    assert stats.norm.pdf(number).weak_type and not stats.norm.pdf(vector).weak_type
    assert stats.expon.pdf(vector).weak_type
