"""Convolution, trends and spectra against SciPy's in double precision."""

import numpy as np
import pytest
import scipy.signal as reference

import adlib
import adlib.numpy as jnp
from adlib.scipy import signal
from adlib.test_util import check_grads

RNG = np.random.default_rng(0)
A, B, LONG = RNG.normal(size=7), RNG.normal(size=4), RNG.normal(size=(2, 300))
IMAGE, MASK = RNG.normal(size=(6, 5)), RNG.normal(size=(3, 4))
CUBE, BLOCK = RNG.normal(size=(4, 3, 5)), RNG.normal(size=(2, 2, 3))
COMPLEX = A + 1j * RNG.normal(size=7)
SETTINGS = [
    {}, {"nperseg": 64}, {"nperseg": 50, "noverlap": 10}, {"nperseg": 64, "nfft": 80},
    {"fs": 10.0, "window": "hamming", "nperseg": 63}, {"window": ("tukey", 0.3), "nperseg": 64},
    {"nperseg": 64, "return_onesided": False},
]  # fmt: skip


@pytest.fixture(autouse=True)
def x64():
    with adlib.enable_x64(True):
        yield


def same(found, wanted, tol=1e-9):
    assert np.shape(found) == np.shape(wanted)
    np.testing.assert_allclose(found, wanted, rtol=tol, atol=tol)


@pytest.mark.parametrize("name", ["convolve", "correlate"])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("method", ["auto", "direct", "fft"])
def test_convolution(name, mode, method):
    ours, theirs = getattr(signal, name), getattr(reference, name)
    for x, y in ((A, B), (COMPLEX, B), (COMPLEX, COMPLEX[:3]), (IMAGE, MASK), (CUBE, BLOCK)):
        same(ours(x, y, mode, method), theirs(x, y, mode))
    if name == "convolve" or mode == "full":
        same(ours(B, A, mode, method), theirs(B, A, mode))


@pytest.mark.parametrize("name", ["convolve2d", "correlate2d"])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("boundary", ["fill", "wrap", "symm"])
def test_matrices(name, mode, boundary):
    ours, theirs = getattr(signal, name), getattr(reference, name)
    same(ours(IMAGE, MASK, mode, boundary), theirs(IMAGE, MASK, mode, boundary))
    same(ours(IMAGE, 1j * MASK, mode, boundary), theirs(IMAGE, 1j * MASK, mode, boundary))
    if boundary == "fill":
        same(ours(IMAGE, MASK, mode, fillvalue=2.5), theirs(IMAGE, MASK, mode, fillvalue=2.5))


def test_fft_along_some_axes():
    same(signal.fftconvolve(LONG, A[None], axes=1), reference.fftconvolve(LONG, A[None], axes=1))
    same(signal.fftconvolve(CUBE, BLOCK, "same"), reference.fftconvolve(CUBE, BLOCK, "same"))


def test_convolution_is_differentiable():
    check_grads(lambda a, b: signal.convolve(a, b), (A, B), order=2)
    check_grads(lambda a, b: signal.fftconvolve(a, b, "same"), (A, B), order=2)
    check_grads(lambda a, b: signal.correlate2d(a, b, boundary="wrap"), (IMAGE, MASK), order=1)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_detrend(axis):
    for kind in ("linear", "constant"):
        same(signal.detrend(LONG, axis, kind), reference.detrend(LONG, axis, kind))
    same(signal.detrend(LONG, 1, bp=[50, 120]), reference.detrend(LONG, 1, bp=[50, 120]))


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize(
    "extra", [{}, {"average": "median"}, {"scaling": "spectrum", "detrend": "linear"}]
)
def test_densities(settings, extra):
    kwargs = {**settings, **extra}
    for name, args in (
        ("welch", (LONG,)),
        ("csd", (LONG[0], LONG[1])),
    ):
        pairs = (getattr(module, name)(*args, **kwargs) for module in (signal, reference))
        for found, wanted in zip(*pairs, strict=True):
            same(found, wanted)
    same(signal.welch(LONG.T, axis=0, **kwargs)[1], reference.welch(LONG.T, axis=0, **kwargs)[1])


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("boundary", ["zeros", "even", "odd", "constant", None])
def test_short_time_transform(settings, boundary):
    kwargs = {**settings, "boundary": boundary}
    for found, wanted in zip(
        signal.stft(LONG, **kwargs), reference.stft(LONG, **kwargs), strict=True
    ):
        same(found, wanted)


@pytest.mark.parametrize("settings", SETTINGS[1:])
def test_there_and_back(settings):
    spectrum = reference.stft(LONG, **settings)[2]
    back = {k: v for k, v in settings.items() if k != "return_onesided"}
    back["input_onesided"] = settings.get("return_onesided", True)
    found, wanted = signal.istft(spectrum, **back), reference.istft(spectrum, **back)
    same(found[1], wanted[1])
    same(found[0], np.arange(found[1].shape[-1]) / settings.get("fs", 1.0))


def test_spectra_are_differentiable_and_compile():
    check_grads(lambda x: signal.welch(x, nperseg=16)[1], (LONG[0, :40],), order=1)
    check_grads(lambda x: jnp.abs(signal.stft(x, nperseg=16)[2]) ** 2, (LONG[0, :40],), order=1)
    jitted = adlib.jit(lambda x: signal.welch(x, nperseg=16)[1])
    same(jitted(LONG), signal.welch(LONG, nperseg=16)[1])


ERRORS = [
    (lambda: signal.convolve(A, IMAGE), "arrays of equal rank"),
    (lambda: signal.convolve(A, B, "all"), "it was given 'all'"),
    (lambda: signal.convolve(A, B, method="slow"), "it was given 'slow'"),
    (lambda: signal.convolve(IMAGE[:2], IMAGE[:, :2], "valid"), "at least as large"),
    (lambda: signal.convolve2d(A, B), "wants matrices"),
    (lambda: signal.convolve2d(IMAGE, MASK, boundary="zero"), "it was given 'zero'"),
    (lambda: signal.fftconvolve(IMAGE, MASK, axes=(1,)), "do not fit along axis 0"),
    (lambda: signal.detrend(A, type="quadratic"), "it was given 'quadratic'"),
    (lambda: signal.detrend(A, bp=99), "breaks from 0 to 7"),
    (lambda: signal.welch(A, nperseg=4, noverlap=4), "an overlap less than"),
    (lambda: signal.csd(A, A, average="mode"), "it was given 'mode'"),
    (lambda: signal.csd(A, A, scaling="loud"), "it was given 'loud'"),
    (lambda: signal.welch(A, window=np.ones(99)), "a window of one axis"),
    (lambda: signal.stft(A, nperseg=4, boundary="wrap"), "it was given 'wrap'"),
    (lambda: signal.istft(A), "an axis of frequencies"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), ERRORS)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
