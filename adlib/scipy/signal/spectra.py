"""Short-time Fourier transforms, and spectra averaged over pieces of a signal."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array
from adlib.numpy.promotion import promote_dtypes_inexact, promote_inexact
from adlib.scipy.signal.trends import detrend as remove_trend


def csd(
    x: Any,
    y: Any,
    fs: Any = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Array, Array]:
    """The cross spectral density of two signals, by Welch's method.

    Args:
      x, y: signals; ``y=None`` is ``x``.
      fs: sampling frequency, in Hz.
      window: its name (as ``scipy.signal.get_window`` knows it), a (name, parameter) tuple, or
        an array.
      nperseg: length of a piece, 256 by default.
      noverlap: how much pieces overlap, half by default.
      nfft: length of the transform, with zeros added.
      detrend: ``"constant"``, ``"linear"``, False, or a function of the pieces.
      return_onesided: only frequencies of 0 and more, for real signals.
      scaling: ``"density"`` (per Hz) or ``"spectrum"``.
      axis: of time.
      average: ``"mean"`` or ``"median"`` over the pieces.

    Returns:
      Frequencies, and the density with frequencies along ``axis``.

    Raises:
      ValueError: an unknown name; an overlap that is not less than the length of a piece.

    Source: Welch (1967).

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import signal
    >>> f, p = signal.csd(jnp.ones(8), jnp.ones(8), nperseg=4)
    >>> f
    Array([0.  , 0.25, 0.5 ], dtype=float32)
    """
    if average not in ("mean", "median"):
        raise ValueError(f"csd takes average 'mean' or 'median'; it was given {average!r}.{here()}")
    if scaling not in ("density", "spectrum"):
        raise ValueError(
            f"csd takes scaling 'density' or 'spectrum'; it was given {scaling!r}.{here()}"
        )
    same = y is None or y is x
    x, y = promote_dtypes_inexact("csd", x, x if same else y)
    x, y = jnp.moveaxis(x, axis, -1), jnp.moveaxis(y, axis, -1)
    length = max(x.shape[-1], y.shape[-1])
    x, y = (jnp.pad(v, [(0, 0)] * (v.ndim - 1) + [(0, length - v.shape[-1])]) for v in (x, y))
    win, nperseg = _window("csd", window, nperseg, length)
    noverlap = _overlap("csd", noverlap, nperseg)
    nfft = nperseg if nfft is None else nfft
    onesided = return_onesided and x.dtype.kind != "c"
    weights = jnp.asarray(win, jnp.finfo(x.dtype).dtype)
    fx = _pieces_spectra(x, weights, noverlap, nfft, detrend, onesided)
    fy = fx if same else _pieces_spectra(y, weights, noverlap, nfft, detrend, onesided)
    scale = 1 / np.sum(win**2) / fs if scaling == "density" else 1 / np.sum(win) ** 2
    power = jnp.conj(fx) * fy * scale
    if onesided:
        last = power.shape[-1] if nfft % 2 else power.shape[-1] - 1
        power = power.at[..., 1:last].multiply(2)
    if same:
        power = power.real
    if average == "mean":
        result = jnp.mean(power, axis=-2)
    else:
        result = _median(power) / _median_bias(power.shape[-2])
    return _frequencies(nfft, fs, onesided), jnp.moveaxis(result, -1, axis)


def welch(
    x: Any,
    fs: Any = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Array, Array]:
    """The power spectral density of a signal; arguments and result are those of ``csd``.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import signal
    >>> signal.welch(jnp.ones(8), nperseg=4)[1]
    Array([0., 0., 0.], dtype=float32)
    """
    return csd(
        x, None, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis,
        average,
    )  # fmt: skip


def stft(
    x: Any,
    fs: Any = 1.0,
    window: Any = "hann",
    nperseg: int = 256,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = False,
    return_onesided: bool = True,
    boundary: str | None = "zeros",
    padded: bool = True,
    axis: int = -1,
) -> tuple[Array, Array, Array]:
    """The short-time Fourier transform of a signal.

    Args:
      boundary: how the signal goes on at both ends, for half a piece: ``"zeros"``, ``"even"``,
        ``"odd"``, ``"constant"``, or None for not at all.
      padded: add zeros so that the pieces hold the whole signal.
      Others: see ``csd``.

    Returns:
      Frequencies, times (s), and the transform: frequencies along ``axis``, times last.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import signal
    >>> signal.stft(jnp.ones(8), nperseg=4)[2].shape
    (3, 5)
    """
    (x,) = promote_inexact("stft", x)
    rows = jnp.moveaxis(x, axis, -1)
    win, nperseg = _window("stft", window, nperseg, rows.shape[-1])
    noverlap = _overlap("stft", noverlap, nperseg)
    nfft = nperseg if nfft is None else nfft
    step = nperseg - noverlap
    half = nperseg // 2 if boundary is not None else 0
    rows = _extended(rows, half, boundary)
    if padded:
        missing = -(rows.shape[-1] - nperseg) % step
        rows = jnp.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(0, missing)])
    onesided = return_onesided and rows.dtype.kind != "c"
    weights = jnp.asarray(win, jnp.finfo(rows.dtype).dtype)
    spectra = _pieces_spectra(rows, weights, noverlap, nfft, detrend, onesided) / np.sum(win)
    start = nperseg / 2 if boundary is None else 0
    times = (np.arange(spectra.shape[-2]) * step + start) / fs
    # frequencies go where the time was, times come last
    result = jnp.moveaxis(jnp.swapaxes(spectra, -1, -2), -2, axis % x.ndim)
    return _frequencies(nfft, fs, onesided), jnp.asarray(times, weights.dtype), result


def istft(
    Zxx: Any,
    fs: Any = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    input_onesided: bool = True,
    boundary: bool = True,
    time_axis: int = -1,
    freq_axis: int = -2,
) -> tuple[Array, Array]:
    """The signal from its short-time Fourier transform: the inverse of ``stft``.

    Args:
      Zxx: the transform.
      input_onesided: whether it holds frequencies of 0 and more only.
      boundary: whether the signal was extended at its ends.
      time_axis, freq_axis: of ``Zxx``.
      Others: as ``stft`` was given.

    Returns:
      Times (s), and the signal along the last axis.

    Raises:
      ValueError: axes that coincide, a transform of fewer than two axes.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import signal
    >>> signal.istft(signal.stft(jnp.ones(8), nperseg=4)[2])[1].round(4)
    Array([1., 1., 1., 1., 1., 1., 1., 1.], dtype=float32)
    """
    z = jnp.asarray(Zxx)
    z = z if z.dtype.kind == "c" else z.astype(jnp.promote_types(z.dtype, np.complex64))
    if z.ndim < 2 or time_axis % z.ndim == freq_axis % z.ndim:
        raise ValueError(
            "istft wants a transform with an axis of frequencies and another one of times; it was "
            f"given shape {z.shape}, time_axis={time_axis}, freq_axis={freq_axis}.{here()}"
        )
    z = jnp.moveaxis(z, (time_axis, freq_axis), (-2, -1))
    default = 2 * (z.shape[-1] - 1) if input_onesided else z.shape[-1]
    nperseg = default if nperseg is None else nperseg
    if nfft is None:
        nfft = nperseg if input_onesided and nperseg == default + 1 else default
    win, nperseg = _window("istft", window, nperseg, nperseg)
    noverlap = _overlap("istft", noverlap, nperseg)
    step = nperseg - noverlap
    real = jnp.finfo(z.dtype).dtype
    pieces = jnp.fft.irfft(z, nfft) if input_onesided else jnp.fft.ifft(z, nfft)
    weights = jnp.asarray(win, real)
    pieces = pieces[..., :nperseg] * np.sum(win) * weights
    count = pieces.shape[-2]
    places = np.arange(count)[:, None] * step + np.arange(nperseg)
    total = nperseg + (count - 1) * step
    signal = jnp.zeros((*pieces.shape[:-2], total), pieces.dtype).at[..., places].add(pieces)
    norm = np.zeros(total)
    np.add.at(norm, places, np.broadcast_to(win**2, places.shape))
    signal = signal / jnp.asarray(np.where(norm > 1e-10, norm, 1), real)
    if boundary:
        half = nperseg // 2
        signal = signal[..., half : total - half]
    times = jnp.asarray(np.arange(signal.shape[-1]) / fs, real)
    return times, signal


# ------------------------------------------------------------------------ parts


def _window(name: str, window: Any, nperseg: int | None, length: int) -> tuple[Any, int]:
    """The window as a double-precision array, and the length of a piece."""
    if isinstance(window, (str, tuple)):
        import scipy.signal

        nperseg = min(256 if nperseg is None else int(nperseg), length)
        return scipy.signal.get_window(window, nperseg), nperseg
    win = np.asarray(window, np.float64)
    if win.ndim != 1 or win.shape[0] > length or nperseg not in (None, win.shape[0], 256):
        raise ValueError(
            f"{name} wants a window of one axis, of the length of a piece and at most that of the "
            f"signal ({length}); it was given shape {win.shape}.{here()}"
        )
    return win, win.shape[0]


def _overlap(name: str, noverlap: int | None, nperseg: int) -> int:
    chosen = nperseg // 2 if noverlap is None else int(noverlap)
    if chosen >= nperseg:
        raise ValueError(
            f"{name} wants an overlap less than the length of a piece, {nperseg}; it was given "
            f"{noverlap}.{here()}"
        )
    return chosen


def _pieces_spectra(
    rows: Any, weights: Any, noverlap: int, nfft: int, detrend: Any, onesided: bool
) -> Any:
    """Spectra of the windowed pieces: pieces along axis -2, frequencies along axis -1."""
    nperseg = weights.shape[0]
    step = nperseg - noverlap
    starts = np.arange(0, rows.shape[-1] - nperseg + 1, step)
    pieces = rows[..., starts[:, None] + np.arange(nperseg)]
    if callable(detrend):
        pieces = detrend(pieces)
    elif detrend:
        pieces = remove_trend(pieces, type=detrend)
    windowed = pieces * weights
    return jnp.fft.rfft(windowed, nfft) if onesided else jnp.fft.fft(windowed, nfft)


def _frequencies(nfft: int, fs: Any, onesided: bool) -> Array:
    made = np.fft.rfftfreq(nfft) if onesided else np.fft.fftfreq(nfft)
    return jnp.asarray(made * fs if np.isscalar(fs) else made) * (1 if np.isscalar(fs) else fs)


def _extended(rows: Any, half: int, boundary: str | None) -> Any:
    widths = [(0, 0)] * (rows.ndim - 1) + [(half, half)]
    if boundary is None:
        return rows
    if boundary in ("zeros", "constant"):
        return jnp.pad(rows, widths, mode="constant" if boundary == "zeros" else "edge")
    if boundary == "even":
        return jnp.pad(rows, widths, mode="reflect")
    if boundary == "odd":
        return jnp.pad(rows, widths, mode="reflect", reflect_type="odd")
    raise ValueError(
        "stft takes boundary 'zeros', 'even', 'odd', 'constant' or None; it was given "
        f"{boundary!r}.{here()}"
    )


def _median(power: Any) -> Any:
    if power.dtype.kind != "c":
        return jnp.median(power, axis=-2)
    return jnp.median(power.real, axis=-2) + 1j * jnp.median(power.imag, axis=-2)


def _median_bias(count: int) -> float:
    """How much larger the median of ``count`` exponential variables is than 1."""
    steps = 2 * np.arange(1.0, (count - 1) // 2 + 1)
    return float(1 + np.sum(1 / (steps + 1) - 1 / steps))
