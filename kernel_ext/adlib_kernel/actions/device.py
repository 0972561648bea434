"""``%addevice``: where adlib computes, and what is missing for a GPU."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass
from typing import Any

import adlib
from adlib_kernel.actions.mistakes import MagicMistake

PLATFORMS = ("cpu", "gpu")


@dataclass(frozen=True)
class DeviceReport:
    """The device in use, and what else there is.

    Attributes:
      current: ``"cpu"`` or ``"gpu"``.
      missing: what stands between this machine and a GPU, in one sentence; empty if nothing.
      card: the GPU's name and memory, where there is one.
    """

    current: str
    missing: str
    card: str = ""

    def __repr__(self) -> str:
        card = f" ({self.card})" if self.card else ""
        if self.current == "gpu":
            return f"adlib computes on gpu{card}."
        return f"adlib computes on cpu. {self.missing or f'gpu is available{card}: %addevice gpu'}"


def device_report() -> DeviceReport:
    """Where adlib computes now.

    >>> device_report().current
    'cpu'
    """
    missing = missing_for_gpu()
    return DeviceReport(adlib.default_backend(), missing, "" if missing else _card())


def choose_device(name: str) -> DeviceReport:
    """Compute on ``"cpu"`` or ``"gpu"`` from now on.

    Raises:
      MagicMistake: another name, or no usable GPU; the message says what is missing.
    """
    if name not in PLATFORMS:
        raise MagicMistake(f"%addevice takes cpu or gpu; {name!r} is neither.")
    missing = missing_for_gpu() if name == "gpu" else ""
    if missing:
        raise MagicMistake(f"%addevice gpu: {missing}")
    adlib.config.update("jax_default_device", adlib.devices(name)[0])
    return device_report()


def missing_for_gpu() -> str:
    """What is missing for computing on a GPU, in one sentence; empty if nothing is."""
    try:
        adlib.devices("gpu")
    except RuntimeError as error:
        if _driver_is_missing():
            return "A GPU needs an NVIDIA card with its driver, and this machine shows none."
        if importlib.util.find_spec("cupy") is None:
            return "A GPU needs CuPy, which is not installed: pip install 'adlib-jupyter[gpu]'."
        return f"The GPU cannot be used: {str(error).splitlines()[0].rstrip('.')}."
    return ""


def _card() -> str:
    """The name of the GPU that is computed on, and how much of its memory is free."""
    device = adlib.devices("gpu")[0]
    memory = device.memory_stats() or {}
    total = memory["bytes_limit"]
    free = total - memory["bytes_in_use"]
    return f"{device.device_kind}, {free / 1e9:.3g} of {total / 1e9:.3g} GB free"


def _driver_is_missing() -> bool:
    paths: tuple[Any, ...] = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg")
    return shutil.which("nvidia-smi") is None and not any(map(os.path.exists, paths))
