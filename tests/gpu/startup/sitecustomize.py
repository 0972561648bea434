"""A process that computes on a GPU from its start: see tests/gpu/installed.py."""

import os
import sys
from pathlib import Path

where = os.environ.get("ADLIB_TEST_GPU", "")
if where == "card":
    import adlib

    adlib.config.update("jax_platform_name", "gpu")
elif where:
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    from tests.gpu.installed import install

    install(where == "kernels")
