"""``jnp.fft``: every function, size, axis and norm against NumPy; derivatives; error texts."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from tests.support import check_derivatives

F = jnp.fft
NORMS = (None, "backward", "ortho", "forward")


@pytest.fixture
def x64():
    with adlib.enable_x64():
        yield


def values(*shape, complex_=True):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape)
    return x + 1j * rng.standard_normal(shape) if complex_ else x


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
@pytest.mark.parametrize("n", [None, 3, 6, 9])
@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("norm", NORMS)
def test_one_axis(name, n, axis, norm, x64):
    x = values(4, 6, complex_=name not in ("rfft", "ihfft"))
    got = getattr(F, name)(x, n, axis, norm)
    want = getattr(np.fft, name)(x, n, axis, norm)
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, atol=1e-12)


@pytest.mark.parametrize("name", [f + n for f in ("fft", "ifft", "rfft", "irfft") for n in "2n"])
@pytest.mark.parametrize("s, axes", [(None, (0, 2)), ((3, 4), (1, 2)), ((5, 2), (-1, 0))])
@pytest.mark.parametrize("norm", NORMS)
def test_several_axes(name, s, axes, norm, x64):
    x = values(2, 3, 4, complex_="r" != name[0])
    got = getattr(F, name)(x, s, axes, norm)
    np.testing.assert_allclose(got, getattr(np.fft, name)(x, s, axes, norm), atol=1e-12)


def test_all_axes_by_default(x64):
    x = values(2, 3, 4, 2, 3)
    np.testing.assert_allclose(F.fftn(x), np.fft.fftn(x), atol=1e-12)
    np.testing.assert_allclose(F.ifft2(x), np.fft.ifft2(x), atol=1e-12)


def test_dtypes():
    for dtype in ("bfloat16", "float16", "int32", "float32", "bool"):
        assert F.fft(jnp.ones(4, dtype)).dtype == np.complex64
        assert F.rfft(jnp.ones(4, dtype)).dtype == np.complex64
    assert F.irfft(jnp.ones(3)).dtype == np.float32
    assert F.fft(jnp.ones(4, "complex64")).dtype == np.complex64


def test_frequencies_and_shifts():
    for n in (1, 2, 5, 8):
        np.testing.assert_allclose(F.fftfreq(n, 0.5), np.fft.fftfreq(n, 0.5), rtol=1e-6)
        np.testing.assert_allclose(F.rfftfreq(n, 0.5), np.fft.rfftfreq(n, 0.5), rtol=1e-6)
    assert F.fftfreq(4).dtype == np.float32 and F.fftfreq(4, dtype="float16").dtype == np.float16
    for shape in ((5,), (4, 3)):
        x = np.arange(np.prod(shape)).reshape(shape)
        np.testing.assert_array_equal(F.fftshift(x), np.fft.fftshift(x))
        np.testing.assert_array_equal(F.ifftshift(x, axes=0), np.fft.ifftshift(x, axes=0))
        np.testing.assert_array_equal(F.ifftshift(F.fftshift(x)), x)


@pytest.mark.parametrize("n", [5, 6])
def test_real_derivatives(n, x64):
    x = jnp.asarray(values(2, n, complex_=False))

    def power(x):
        return jnp.abs(F.rfft(x)) ** 2

    check_derivatives(power, (x,))
    check_derivatives(lambda x: F.irfft(F.rfft(x) ** 2, n), (x,))
    check_derivatives(lambda x: F.irfft2(F.rfft2(x) ** 2, (2, n)), (x,))
    check_derivatives(lambda x: jnp.real(F.fft(x, n + 1, norm="ortho")), (x,))


def test_convolution_theorem_and_its_gradient(x64):
    x, w = (jnp.asarray(values(8, complex_=False)) for _ in range(2))
    circular = lambda x, w: F.irfft(F.rfft(x) * F.rfft(w), 8)  # noqa: E731
    matrix = np.stack([np.roll(np.asarray(w), i) for i in range(8)], 1)
    np.testing.assert_allclose(circular(x, w), matrix @ np.asarray(x), atol=1e-12)
    np.testing.assert_allclose(adlib.jacrev(circular)(x, w), matrix, atol=1e-12)


def test_vmap():
    x = jnp.asarray(values(3, 4), "complex64")
    np.testing.assert_allclose(adlib.vmap(F.fft)(x), F.fft(x), rtol=1e-5, atol=1e-6)
    by_columns = adlib.vmap(F.fft, in_axes=1, out_axes=1)(x)
    np.testing.assert_allclose(by_columns, F.fft(x, axis=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x: F.fft(x, norm="unit"), 'should be "backward","ortho" or "forward"'),
        (lambda x: F.fft(x, n=0), "Shape should be positive"),
        (lambda x: F.fft(x, axis=3), "axis 3 is out of bounds for array of dimension 1"),
        (lambda x: F.fft(x, axis=(0,)), "does not support multiple axes. Please use jnp.fft.fftn"),
        (lambda x: F.fft2(x), "axis -2 is out of bounds"),
        (lambda x: F.fft2(x, axes=(0, 0)), "does not support repeated axes"),
        (lambda x: F.fft2(x, axes=(0,)), "only supports 2 axes"),
        (lambda x: F.fftn(x, (2, 3), (0,)), "Shape and axes have different lengths"),
        (lambda x: F.rfft(x + 0j), "(?s)only real valued inputs supported for rfft.*Repair: fft"),
        (lambda x: F.rfft(x[:0]), "Shape should be positive: rfft of an array of shape"),
        (lambda x: F.fftfreq(2.5), "n argument of jnp.fft.fftfreq must be an integer, got 2.5"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call(jnp.ones(8))
