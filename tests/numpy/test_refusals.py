"""Calls that are refused, with the class of the exception and the text that teaches."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp

V = jnp.arange(3.0)
M = jnp.arange(6.0).reshape(2, 3)
Q = jnp.eye(3)
B = jnp.array([True, False, True])
LA = jnp.linalg

REFUSED = [
    # reductions
    (lambda: jnp.sum(M, where=jnp.ones((2, 3), int)), ValueError, "where must be None or a bool"),
    (lambda: jnp.mean(M, where=M), ValueError, "jnp.mean: where must be None or a boolean"),
    (lambda: jnp.nanvar(M, where=M), ValueError, "where must be None or a boolean array, got f32"),
    (lambda: jnp.max(M, initial=V), ValueError, r"initial must be a scalar, got f32\[3\]"),
    (lambda: jnp.prod(M, axis="i"), NotImplementedError, "does not reduce over named axes"),
    (lambda: jnp.sum(M, axis="i"), NameError, "i"),
    (lambda: jnp.mean(V, dtype=bool), TypeError, "no division of booleans"),
    (lambda: jnp.var(V + 1j, dtype=float), ValueError, "takes a complex dtype"),
    (lambda: jnp.median(V[:0]), TypeError, "there are no elements along axis=None"),
    (
        lambda: jnp.quantile(V, 0.5, weights=V),
        NotImplementedError,
        "method 'linear' takes no weights; 'inverted_cdf' does",
    ),
    (
        lambda: jnp.quantile(M, 0.5, axis=1, weights=V[:2], method="inverted_cdf"),
        ValueError,
        r"or \(3,\) of the axes reduced, got \(2,\)",
    ),
    # making arrays
    (lambda: jnp.full((2, -1), 2.0), TypeError, "every element be nonnegative, got .2, -1."),
    (lambda: jnp.broadcast_to(V, (-1, 3)), TypeError, "sizes must not be negative"),
    (lambda: jnp.tri(-1), TypeError, "tri shape must have every element be nonnegative"),
    (lambda: jnp.repeat(V, -1), TypeError, "repetitions must not be negative"),
    (lambda: jnp.tril_indices(-1), TypeError, "must not be negative, got -1 and -1"),
    (lambda: jnp.eye(3, k=1.5), ValueError, "offset k of the diagonal is an integer, got 1.5"),
    (lambda: jnp.tril(Q, k=1.5), TypeError, "'float' object cannot be interpreted"),
    (lambda: jnp.asarray(V, order="X"), NotImplementedError, "order"),
    (lambda: jnp.isdtype(jnp.int8, "nonsense"), ValueError, "Unrecognized kind 'nonsense'"),
    (lambda: jnp.isdtype("nonsense", "integral"), TypeError, "nonsense"),
    # taking and putting
    (lambda: jnp.append(V, [1.0]), TypeError, "append requires ndarray or scalar arguments"),
    (lambda: jnp.take(V, [0]), TypeError, "take requires ndarray or scalar arguments"),
    (lambda: jnp.take(V, 0, mode="drop"), ValueError, "Invalid mode 'drop' for indices out of"),
    (lambda: jnp.delete(V, 1.5), ValueError, "obj must hold integers or booleans, got float64"),
    (lambda: jnp.compress(jnp.ones(4), V), ValueError, "has 4 entries, and the array 3 along"),
    (lambda: jnp.extract(B, V, size=7), ValueError, "size=7 is negative, or more than the 3"),
    (lambda: jnp.ravel_multi_index((0, 1), (2, 3), dtype=float), ValueError, "not an integer type"),
    (lambda: V[jnp.array([])], TypeError, "Indexer must have integer or boolean type"),
    (lambda: V[range(2)], TypeError, "non-tuple sequence.*got the range"),
    (lambda: V.at[0].set(None), ValueError, "None is not a value for an array"),
    (lambda: 2.0 in M, ValueError, "must be one-dimensional, got shape .2, 3."),
    (lambda: jnp.clip(None, 0, 1), ValueError, "clip was given no array"),
    (lambda: jnp.expand_dims(V, None), TypeError, "axis is an int or several, got None"),
    (lambda: jnp.permute_dims(M, (1, -2)), TypeError, "does not list each of the 2 axes"),
    (lambda: jnp.stack(jnp.float32(1)), TypeError, "got one of rank 0"),
    (lambda: jnp.concatenate(jnp.float32(1)), ValueError, "got one of rank 0"),
    (lambda: M[jnp.array([0, 1]), jnp.arange(3)], ValueError, "do not fit each other"),
    (lambda: V.view(jnp.complex64), ValueError, "must be a divisor of the total size"),
    (lambda: V.view(bool), TypeError, "does not make booleans of other bits"),
    (lambda: jnp.fmax(V, V[:2]), TypeError, "fmax got incompatible shapes"),
    (lambda: jnp.fmax(M, V[:2]), ValueError, "Incompatible shapes"),
    (lambda: jnp.unique(V[:0], size=2), ValueError, "no element to fill size=2.*Repair: give fill"),
    (lambda: jnp.isin(V, V, method="bad"), ValueError, "method='bad' is not understood"),
    (lambda: jnp.digitize(V, V, method="bad"), ValueError, "method='bad' not understood"),
    # sampled functions and polynomials
    (lambda: jnp.interp(V + 1j, V, V), ValueError, "x and xp cannot be complex"),
    (lambda: jnp.cov(M, dtype=int), ValueError, "cov: dtype must be floating or complex"),
    (lambda: jnp.cov(M, V[:2]), ValueError, r"as many samples each, got .*\(2, 3\) and \(1, 2\)"),
    (
        lambda: jnp.convolve(V, V, preferred_element_type=jnp.float16),
        TypeError,
        "must not be of another kind or narrower than the arguments, got float16 for float32",
    ),
    (lambda: jnp.ediff1d(B), TypeError, "ediff1d does not subtract booleans.*Repair: jnp.diff"),
    (lambda: jnp.histogram(V, bins=0), ValueError, "at least one bin, got 0"),
    (lambda: jnp.roots(M), ValueError, r"vector of coefficients, got shape \(2, 3\)"),
    (lambda: jnp.polyder(2.0), TypeError, r"got a number.*Repair: jnp.array\(\[c\]\)"),
    (lambda: jnp.ldexp(V + 1j, 2), ValueError, "ldexp takes real numbers"),
    (lambda: jnp.spacing(V + 1j), ValueError, "not defined for complex numbers"),
    (lambda: jnp.add(V, 1, out=V), NotImplementedError, "'out' argument to jnp.add"),
    (lambda: jnp.maximum(V, 1, where=B), NotImplementedError, "Repair: jnp.where.mask, jnp.maxi"),
    (lambda: round(B), ValueError, "round does not round booleans"),
    # products, linear algebra, transforms
    (lambda: jnp.vecdot(M, V[:2]), ValueError, "vecdot: the axes summed over must have the same"),
    (lambda: jnp.matvec(V, V), ValueError, "matvec takes a matrix and a vector"),
    (lambda: jnp.vecmat(2.0, Q), ValueError, "vecmat takes a vector and a matrix"),
    (lambda: jnp.tensordot(M, M, True), TypeError, "a pair of axes or a pair of sequences"),
    (lambda: jnp.trace(Q, axis2=0), ValueError, "axis1 and axis2 must be different"),
    (lambda: LA.cond(V), ValueError, r"cond takes matrices with elements, got shape \(3,\)"),
    (lambda: LA.cond(M, p=1), ValueError, "of order p=1 takes square matrices"),
    (lambda: LA.pinv(V), ValueError, r"pinv takes matrices.*Repair: x\[:, None\]"),
    (lambda: LA.norm(V[:0], ord=-jnp.inf), ValueError, "there is no smallest one"),
    (lambda: LA.multi_dot([M, M]), ValueError, "must be the first of the next"),
    (lambda: jnp.fft.rfft(V[:0]), ValueError, "transform of no points would have one term"),
    (lambda: jnp.fft.fftfreq(4, 1j), TypeError, "spacing d must be real"),
]


@pytest.mark.parametrize(("call", "error", "text"), REFUSED)
def test_refused(call, error, text):
    with pytest.raises(error, match=f"(?s){text}"):
        call()


def test_python_numbers_of_traced_arrays():
    with pytest.raises(adlib.errors.ConcretizationTypeError, match="tobytes"):
        adlib.jit(lambda x: x.tobytes())(V)


def test_scalar_types_are_no_elements():
    assert (jnp.float32 == V) is False
    assert (V == jnp.float32) is False
    assert np.dtype("float32") == jnp.float32
