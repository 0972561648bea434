"""Names of a function's inputs."""

import functools
from collections import namedtuple

import numpy as np

from adlib.api.input_names import argument_names, leaf_names

Layer = namedtuple("Layer", "w b")


def test_parameters_and_paths_into_them():
    def loss(params, x, *, scale):
        return params, x, scale

    params = {"w": 1.0, "b": [2.0, 3.0]}
    names = argument_names(loss, (params, 4.0), {"scale": 5.0})
    assert names == ["params['b'][0]", "params['b'][1]", "params['w']", "x", "scale"]


def test_variable_arguments_are_counted():
    assert argument_names(lambda x, *rest: x, (1.0, 2.0, 3.0)) == ["x", "rest[0]", "rest[1]"]


def test_partial_functions_name_what_is_left():
    def f(a, b):
        return a * b

    assert argument_names(functools.partial(f, 1.0), (2.0,)) == ["b"]


def test_functions_without_a_signature_are_numbered():
    assert argument_names(np.add, (1.0, 2.0))[-1:] != []
    assert argument_names(max, (1.0, 2.0)) == ["args[0]", "args[1]"]


def test_none_has_no_leaf_and_a_number_is_one():
    assert leaf_names("x", None) == []
    assert leaf_names("x", 1.0) == ["x"]
    assert leaf_names("layer", Layer(1.0, 2.0)) == ["layer[0]", "layer[1]"]
