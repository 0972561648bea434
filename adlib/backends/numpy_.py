"""The CPU backend."""

import numpy as np

from adlib.core import backend

cpu = backend.Backend("cpu", np, np.ndarray)
backend.register(cpu)
