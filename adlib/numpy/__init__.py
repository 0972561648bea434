"""``adlib.numpy``: NumPy's functions, on arrays that can be differentiated."""

from math import e, inf, nan, pi

import adlib.backends.numpy_  # noqa: F401  (the first backend registered is the default)
from adlib.core.array import Array, install_methods
from adlib.numpy.creation import *  # noqa: F403
