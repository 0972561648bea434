"""``adlib.numpy``: NumPy's functions, on arrays that can be differentiated."""

from math import e, inf, nan, pi

import adlib.backends.numpy_  # noqa: F401  (the first backend registered is the default)
from adlib.core.array import Array
from adlib.numpy.creation import *  # noqa: F403
from adlib.numpy.ranges import *
from adlib.numpy.ufuncs import *
from adlib.numpy.ufuncs_math import *
from adlib.numpy.ufuncs_logic import *
from adlib.numpy.reductions import *
from adlib.numpy.statistics import *
from adlib.numpy.shaping import *
from adlib.numpy.splitting import *
from adlib.numpy.choosing import *
from adlib.numpy.matrices import *
from adlib.numpy.contraction import *
from adlib.numpy.scalar_types import *
from adlib.numpy import array_methods, fft, linalg
array_methods.install()
