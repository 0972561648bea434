"""Initializers: published draws, the variance that is promised, and messages."""

import numpy as np
import pytest

import adlib.numpy as jnp
from adlib import random
from adlib.nn import initializers

KEY = random.PRNGKey(0)

PUBLISHED = [
    (
        "normal()(KEY, (2, 3))",
        [0.01622642, 0.02025265, -0.004335944, -0.0007861734, 0.001760909, -0.009720892],
    ),
    (
        "uniform()(KEY, (2, 3))",
        [0.00947667, 0.009785798, 0.003322915, 0.004686684, 0.005698887, 0.00165503],
    ),
    (
        "truncated_normal(0.1)(KEY, (2, 3))",
        [0.1455959, 0.1714749, -0.04126754, -0.007503343, 0.0168001, -0.09126141],
    ),
    ("constant(2.5)(KEY, (2,))", [2.5, 2.5]),
    ("orthogonal()(KEY, (2, 3))", [0.9608366, -0.25675, 0.104271, 0.1860484, 0.3188112, -0.929379]),
    (
        "variance_scaling(1.3, 'fan_in', 'truncated_normal')(KEY, (2, 3))",
        [1.334467, 1.571662, -0.3782399, -0.06877231, 0.1539823, -0.8364615],
    ),
    (
        "variance_scaling(1.3, 'fan_out', 'truncated_normal')(KEY, (2, 3))",
        [1.089588, 1.283257, -0.3088316, -0.05615235, 0.125726, -0.682968],
    ),
    (
        "variance_scaling(1.3, 'fan_avg', 'truncated_normal')(KEY, (2, 3))",
        [1.193584, 1.405738, -0.338308, -0.06151182, 0.1377259, -0.7481539],
    ),
    (
        "variance_scaling(1.3, 'fan_geo_avg', 'truncated_normal')(KEY, (2, 3))",
        [1.205827, 1.420157, -0.3417783, -0.0621428, 0.1391387, -0.7558283],
    ),
    (
        "variance_scaling(1.3, 'fan_in', 'normal')(KEY, (2, 3))",
        [1.308216, 1.632821, -0.349575, -0.06338333, 0.141969, -0.7837234],
    ),
    (
        "variance_scaling(1.3, 'fan_out', 'normal')(KEY, (2, 3))",
        [1.068154, 1.333192, -0.2854268, -0.05175228, 0.1159172, -0.6399075],
    ),
    (
        "variance_scaling(1.3, 'fan_avg', 'normal')(KEY, (2, 3))",
        [1.170104, 1.460439, -0.3126694, -0.05669177, 0.1269809, -0.7009835],
    ),
    (
        "variance_scaling(1.3, 'fan_geo_avg', 'normal')(KEY, (2, 3))",
        [1.182106, 1.47542, -0.3158767, -0.05727331, 0.1282835, -0.708174],
    ),
    (
        "variance_scaling(1.3, 'fan_in', 'uniform')(KEY, (2, 3))",
        [1.250266, 1.336601, -0.4683844, -0.08750422, 0.1951885, -0.9341992],
    ),
    (
        "variance_scaling(1.3, 'fan_out', 'uniform')(KEY, (2, 3))",
        [1.020838, 1.09133, -0.3824343, -0.0714469, 0.1593708, -0.7627705],
    ),
    (
        "variance_scaling(1.3, 'fan_avg', 'uniform')(KEY, (2, 3))",
        [1.118272, 1.195492, -0.4189357, -0.07826616, 0.1745819, -0.8355732],
    ),
    (
        "variance_scaling(1.3, 'fan_geo_avg', 'uniform')(KEY, (2, 3))",
        [1.129743, 1.207755, -0.4232331, -0.079069, 0.1763728, -0.8441443],
    ),
    (
        "orthogonal(2.0, 0)(KEY, (4, 2, 3))",
        [
            1.174621,
            0.1274711,
            0.4809184,
            0.2595672,
            0.702652,
            -1.345972,
            1.339486,
            -0.635489,
            -0.6173209,
            0.1061723,
            0.4003927,
            1.117703,
            -0.1479635,
            -0.5989523,
            1.505196,
            1.018436,
            0.02614292,
            0.5620091,
            0.2851063,
            0.4121701,
            -0.6784821,
            1.444003,
            -1.071411,
            -0.2354253,
        ],
    ),
]

COMPLEX = {
    "truncated_normal": [
        1.119046 + 0.05132004j,
        0.3724782 + 0.04917544j,
        -0.3705073 - 0.2080343j,
        -0.1941652 + 0.2292624j,
        0.06514078 + 0.3808323j,
        0.687772 + 0.6400975j,
    ],
    "normal": [
        0.5723762 - 1.392414j,
        -0.5166917 - 1.160516j,
        -0.4265238 + 0.1171782j,
        -0.6677819 - 0.2015546j,
        -0.4966791 - 0.434392j,
        0.3356894 - 0.6718779j,
    ],
    "uniform": [
        1.045328 + 0.04793929j,
        0.4827324 + 0.06373146j,
        -0.473858 - 0.2660641j,
        -0.2560306 + 0.3023106j,
        0.08419152 + 0.4922086j,
        0.7092007 + 0.6600409j,
    ],
}


@pytest.mark.parametrize("call, expected", PUBLISHED, ids=[call for call, _ in PUBLISHED])
def test_published_draws(call, expected):
    found = eval(call, {**vars(initializers), "KEY": KEY})
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("distribution", COMPLEX)
def test_published_complex_draws(distribution):
    init = initializers.variance_scaling(1.3, "fan_in", distribution, dtype=jnp.complex64)
    found = init(KEY, (2, 3))
    assert found.dtype == jnp.complex64
    np.testing.assert_allclose(found.ravel(), COMPLEX[distribution], rtol=1e-5, atol=1e-6)


FAMILIES = {
    "glorot": lambda i, o: 2 / (i + o),
    "xavier": lambda i, o: 2 / (i + o),
    "he": lambda i, o: 2 / i,
    "kaiming": lambda i, o: 2 / i,
    "lecun": lambda i, o: 1 / i,
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_families_have_their_variance(family, distribution):
    shape = (3, 3, 20, 30)  # a window of 3 x 3 counts on both sides
    draws = getattr(initializers, f"{family}_{distribution}")()(KEY, shape)
    variance = FAMILIES[family](9 * 20, 9 * 30)
    assert abs(float(draws.var()) / variance - 1) < 0.05
    assert abs(float(draws.mean())) < 0.1 * variance**0.5


def test_axes():
    init = initializers.he_normal(in_axis=(1, 2), out_axis=3, batch_axis=0)
    draws = init(KEY, (50, 5, 4, 30))
    assert abs(float(draws.var()) / (2 / 20) - 1) < 0.05


def test_dtypes():
    assert initializers.normal()(KEY, (2,), jnp.float16).dtype == jnp.float16
    assert initializers.normal(dtype=jnp.bfloat16)(KEY, (2,)).dtype == jnp.bfloat16
    assert initializers.zeros(KEY, (2, 3)).tolist() == [[0.0] * 3] * 2
    assert initializers.ones(KEY, (2,), jnp.int32).dtype == jnp.int32


def test_orthogonal_is():
    wide = initializers.orthogonal()(KEY, (3, 5))
    assert np.allclose(wide @ wide.T, np.eye(3), atol=1e-5)
    first = initializers.orthogonal(column_axis=0)(KEY, (4, 2, 3)).reshape(4, 6)
    assert np.allclose(first @ first.T, np.eye(4), atol=1e-5)


def test_delta_orthogonal():
    window = initializers.delta_orthogonal()(KEY, (3, 3, 2, 4))
    centre = np.asarray(window[1, 1])
    assert np.allclose(centre @ centre.T, np.eye(2), atol=1e-5)
    assert np.count_nonzero(np.asarray(window).any((2, 3))) == 1


MISTAKES = [
    (lambda: initializers.lecun_normal()(KEY, (3,)), "of a 1-dimensional weights tensor"),
    (lambda: initializers.variance_scaling(1.0, "x", "normal"), "invalid mode .* initializer: x"),
    (lambda: initializers.variance_scaling(1.0, "fan_in", "q"), "invalid distribution .*: q"),
    (lambda: initializers.orthogonal()(KEY, (3,)), "requires at least a 2D shape"),
    (lambda: initializers.delta_orthogonal()(KEY, (2, 2)), "3D, 4D or 5D shape, got"),
    (lambda: initializers.delta_orthogonal()(KEY, (3, 4, 2)), "`fan_in` must be less or equal"),
]


@pytest.mark.parametrize("call, message", MISTAKES)
def test_mistakes_are_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_all_names_are_there():
    names = (
        "Initializer constant delta_orthogonal glorot_normal glorot_uniform he_normal he_uniform "
        "kaiming_normal kaiming_uniform lecun_normal lecun_uniform normal ones orthogonal "
        "truncated_normal uniform variance_scaling xavier_normal xavier_uniform zeros"
    )
    assert all(getattr(initializers, name).__doc__ for name in names.split())
