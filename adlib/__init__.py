"""adlib: automatic differentiation to learn, teach and research with.

The public names are those that the field knows: ``grad``, ``jvp``, ``vjp``, ``vmap``,
``jit`` and the namespaces ``numpy``, ``lax``, ``random``, ``nn``, ``scipy``, ``tree_util``.
``import adlib as jax, adlib.numpy as jnp`` runs a JAX tutorial.

>>> import adlib, adlib.numpy as jnp
>>> adlib.grad(jnp.sin)(0.0)
Array(1., dtype=float32, weak_type=True)
"""

from __future__ import annotations

import importlib
from typing import Any

from adlib import lax, numpy
from adlib.api.compilation import (
    ShapeDtypeStruct,
    clear_caches,
    eval_shape,
    jit,
    make_jaxpr,
)
from adlib.api.custom import closure_convert, custom_gradient
from adlib.api.derivatives import grad, jvp, linear_transpose, linearize, value_and_grad, vjp
from adlib.api.devices import (
    Device,
    block_until_ready,
    default_backend,
    device_count,
    device_get,
    device_put,
    devices,
    local_device_count,
    local_devices,
)
from adlib.api.environment import ds, live_arrays, print_environment_info
from adlib.api.jacobians import hessian, jacfwd, jacobian, jacrev
from adlib.api.naming import ensure_compile_time_eval, named_call, named_scope, typeof
from adlib.api.vectorize import vmap
from adlib.backends import numpy_ as _numpy_backend
from adlib.base.config import (
    check_tracer_leaks,
    checking_leaks,
    config,
    debug_nans,
    default_device,
    default_matmul_precision,
    disable_jit,
    enable_checks,
    enable_x64,
    log_compiles,
    no_tracing,
    numpy_dtype_promotion,
    numpy_rank_promotion,
    softmax_custom_jvp,
    threefry_partitionable,
)
from adlib.control.callbacks import pure_callback
from adlib.control.checkpoint import checkpoint, checkpoint_policies
from adlib.control.custom_jvp import custom_jvp
from adlib.control.custom_vjp import custom_vjp
from adlib.core.array import Array
from adlib.core.dtypes import float0

remat = checkpoint

__version__ = "0.1.0"

_SUBMODULES = (
    "ad_checkpoint",
    "core",
    "custom_batching",
    "custom_derivatives",
    "debug",
    "dtypes",
    "errors",
    "example_libraries",
    "experimental",
    "extend",
    "flatten_util",
    "inspect",
    "nn",
    "ops",
    "random",
    "scipy",
    "test_util",
    "tree",
    "tree_util",
)


def __getattr__(name: str) -> Any:
    # Namespaces are loaded when first asked for: `import adlib` stays fast.
    if name in _SUBMODULES:
        try:
            return importlib.import_module(f"adlib.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"adlib.{name}":
                raise
    raise AttributeError(f"module 'adlib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBMODULES})
