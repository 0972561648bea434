"""What the Python array API standard asks of a namespace: its version and its inspection."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib.api.devices import devices
from adlib.base.source import here
from adlib.core import dtypes

VERSION = "2024.12"
# Later versions of the standard only add to earlier ones, as far as their texts say.
VERSIONS = ("2021.12", "2022.12", "2023.12", VERSION)

_BY_KIND: dict[str, tuple[str, ...]] = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
_BY_KIND["integral"] = _BY_KIND["signed integer"] + _BY_KIND["unsigned integer"]
_BY_KIND["numeric"] = (
    _BY_KIND["integral"] + _BY_KIND["real floating"] + _BY_KIND["complex floating"]
)


def check_version(version: str | None) -> None:
    """ValueError for a version of the standard that is not offered."""
    if version is not None and version not in VERSIONS:
        raise ValueError(
            f"api_version={version!r} is not available; available versions are: "
            f"{list(VERSIONS)}{here()}"
        )


class ArrayNamespaceInfo:
    """What ``adlib.numpy`` can do, in the words of the Python array API standard.

    >>> import adlib.numpy as jnp
    >>> jnp.__array_namespace_info__().default_dtypes()["real floating"]
    dtype('float32')
    """

    def capabilities(self) -> dict[str, Any]:
        """Boolean indexing and shapes that depend on data work outside of ``jit`` only, so the
        answer to both is False; ``max dimensions`` is that of NumPy."""
        return {"boolean indexing": False, "data-dependent shapes": False, "max dimensions": 64}

    def default_device(self) -> None:
        """None: an array is on the device where its operands are."""
        return None

    def devices(self) -> list[Any]:
        """None, for the default, and every device of the machine."""
        return [None, *devices()]

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        """The dtypes of Python numbers, and of indices, as ``jax_enable_x64`` has them."""
        return {
            name: dtypes.canonicalize_dtype(np.dtype(wide))
            for name, wide in (
                ("real floating", "float64"),
                ("complex floating", "complex128"),
                ("integral", "int64"),
                ("indexing", "int64"),
            )
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        """The standard's dtypes by name, of one ``kind`` or of a tuple of kinds.

        64-bit dtypes are there while ``jax_enable_x64`` is on. KeyError for unknown kinds.
        """
        if kind is None:
            names = _BY_KIND["bool"] + _BY_KIND["numeric"]
        elif isinstance(kind, tuple):
            names = tuple(dict.fromkeys(name for k in kind for name in _BY_KIND[k]))
        else:
            names = _BY_KIND[kind]
        every = {name: np.dtype(name) for name in names}
        return {n: d for n, d in every.items() if dtypes.canonicalize_dtype(d) == d}


def namespace_info() -> ArrayNamespaceInfo:
    """What the namespace can do: its capabilities, devices and dtypes.

    >>> import adlib.numpy as jnp
    >>> sorted(jnp.__array_namespace_info__().dtypes(kind="unsigned integer"))
    ['uint16', 'uint32', 'uint8']
    """
    return ArrayNamespaceInfo()
