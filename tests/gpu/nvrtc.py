"""NVIDIA's compiler library, which comes as a wheel and needs no card: CUDA C to machine code."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
from pathlib import Path
from typing import Any

# The oldest and the newest cards that the CUDA releases of the `gpu` extra share.
ARCHITECTURES = ("sm_70", "sm_90")


@functools.cache
def library() -> Any:
    """The library; None where the wheel is not installed."""
    if importlib.util.find_spec("nvidia") is None:
        return None
    spec = importlib.util.find_spec("nvidia")
    for folder in spec.submodule_search_locations or ():
        for path in sorted(Path(folder).glob("*/lib/libnvrtc.so*")):
            return ctypes.CDLL(str(path))
    return None


def cubin(source: str, architecture: str, options: tuple[str, ...] = ()) -> bytes:
    """Machine code for an architecture; AssertionError with the compiler's messages otherwise."""
    nvrtc = library()
    program = ctypes.c_void_p()
    text = source.encode()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), text, b"kernels.cu", 0, None, None) == 0
    try:
        flags = [f"-arch={architecture}".encode(), *[o.encode() for o in options]]
        status = nvrtc.nvrtcCompileProgram(
            program, len(flags), (ctypes.c_char_p * len(flags))(*flags)
        )
        size = ctypes.c_size_t()
        if status:
            nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
            log = ctypes.create_string_buffer(size.value)
            nvrtc.nvrtcGetProgramLog(program, log)
            raise AssertionError(f"{log.value.decode()}\n{source}")
        nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size))
        code = ctypes.create_string_buffer(size.value)
        nvrtc.nvrtcGetCUBIN(program, code)
        return code.raw
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
