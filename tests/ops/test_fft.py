"""``lax.fft``: values against NumPy, real and complex derivatives, error texts."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax


def values(*shape, complex_=False):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape)).astype("c8") if complex_ else x.astype("f4")


@pytest.mark.parametrize("lengths", [(4,), (5,), (3, 4), (2, 3, 5)])
def test_values(lengths):
    axes = tuple(range(-len(lengths), 0))
    x, c = values(2, *lengths), values(2, *lengths, complex_=True)
    half = values(2, *lengths[:-1], lengths[-1] // 2 + 1, complex_=True)
    for kind, a, want in (
        ("FFT", c, np.fft.fftn(c, axes=axes)),
        ("IFFT", c, np.fft.ifftn(c, axes=axes)),
        ("RFFT", x, np.fft.rfftn(x, axes=axes)),
        ("IRFFT", half, np.fft.irfftn(half, lengths, axes=axes)),
    ):
        out = lax.fft(a, kind, lengths)
        assert out.dtype == ("float32" if kind == "IRFFT" else "complex64")
        np.testing.assert_allclose(out, want, rtol=1e-4, atol=1e-5)


def test_types_and_names():
    x = jnp.arange(4.0)
    wanted = np.fft.rfft(np.arange(4.0))
    for kind in (lax.FftType.RFFT, "RFFT", "rfft", 2):
        np.testing.assert_allclose(lax.fft(x, kind, (4,)), wanted)
    assert lax.fft(x, "FFT", (4,)).dtype == np.complex64  # real input counts as complex
    text = str(adlib.make_jaxpr(lambda x: lax.fft(x, "RFFT", (4,)))(x))
    assert "fft[fft_lengths=(4,) fft_type=2] a" in text
    with adlib.enable_x64():
        assert lax.fft(np.arange(4.0), "RFFT", (4,)).dtype == np.complex128


@pytest.mark.parametrize("n", [4, 5])
def test_energy_is_kept_by_value_and_gradient(n):
    # Parseval: the sum of |FFT(x)|² over the whole spectrum is n times that of x²
    x = jnp.asarray(values(n))
    weights = np.full(n // 2 + 1, 2.0)
    weights[0] = 1
    if n % 2 == 0:
        weights[-1] = 1

    def energy(x):
        return (jnp.abs(lax.fft(x, "RFFT", (n,))) ** 2 * weights).sum()

    np.testing.assert_allclose(energy(x), n * (x**2).sum(), rtol=1e-5)
    np.testing.assert_allclose(adlib.grad(energy)(x), 2 * n * x, rtol=1e-4)


def test_jacobian_of_the_transform_is_its_matrix():
    n = 5
    matrix = np.exp(-2j * np.pi * np.outer(range(n), range(n)) / n)
    f = lambda x: lax.fft(x, "FFT", (n,))  # noqa: E731
    x = jnp.asarray(values(n, complex_=True))
    for jacobian in (adlib.jacfwd, adlib.jacrev):
        np.testing.assert_allclose(jacobian(f, holomorphic=True)(x), matrix, atol=1e-5)


@pytest.mark.parametrize(
    "shape, dtype, kind, lengths, message",
    [
        (
            (8,),
            "f4",
            "RFFT",
            (7,),
            r"RFFT input shape \(8,\) minor dimensions must be equal to "
            r"fft_lengths \(7,\)",
        ),
        ((8,), "c8", "IRFFT", (8,), r"fft_lengths \(8,\) \(which take a spectrum of shape \(5,\)"),
        ((8,), "c8", "RFFT", (8,), "only real valued inputs supported for rfft, got dtype complex"),
        ((8,), "f4", "FFT", (2, 8), "at least as many input dimensions as fft_lengths"),
        ((8,), "f4", "FFT", (), "fft_lengths must be positive"),
        ((8,), "f4", "DFT", (8,), "Unknown FFT type 'DFT'"),
    ],
)
def test_errors(shape, dtype, kind, lengths, message):
    with pytest.raises(ValueError, match=message):
        lax.fft(jnp.ones(shape, np.dtype(dtype)), kind, lengths)
