"""The arguments of special functions: real numbers in one floating dtype, weakly typed or not."""

from __future__ import annotations

from typing import Any

from adlib.base.source import here
from adlib.core.array import Array
from adlib.numpy.promotion import convert, promote_inexact

# Complex numbers are a TypeError to these and a ValueError to the others, as programs expect.
_TYPE_ERRORS = frozenset(
    "bessel_jn betaln comb digamma factorial gammainc gammaincc gammaln hyp2f1 log_ndtr "
    "multigammaln ndtr ndtri polygamma spence".split()
)


def real_inexact(name: str, *xs: Any, weak: str = "all") -> list[Array]:
    """As ``promote_inexact``, for functions of real numbers.

    Args:
      name: the function's, for messages.
      xs: its arguments.
      weak: whether results may be weakly typed: "never", if "all" arguments together are, or if
        besides the "first" one is itself.

    Raises ValueError or TypeError, by the function, for complex numbers.
    """
    arrays = promote_inexact(name, *xs)
    dtype = arrays[0].aval.dtype
    if dtype.kind == "c":
        raise (TypeError if name in _TYPE_ERRORS else ValueError)(
            f"{name} does not support complex-valued inputs: it is a function of real numbers."
            f"{here()}\n  Repair: pass x.real, if the imaginary part is known to be zero."
        )
    strong = weak == "never" or (
        weak == "first" and isinstance(xs[0], Array) and not xs[0].aval.weak_type
    )
    return [convert(x, dtype) for x in arrays] if strong else arrays
