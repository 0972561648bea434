"""Write what thousands of calls give in JAX into ``tests/reference_calls/<module>.json``.

Run in an environment with JAX (and without adlib)::

    python tools/reference_calls.py numpy           # made anew from the tables below
    python tools/reference_calls.py numpy --again   # the calls of the file, evaluated again

The file has two sections: ``calls``, which maps what a call gives in JAX to the calls that give
it, in the notation of ``tests/reference_calls/notation.py``; and ``different``, which maps a
reason to the calls in which adlib is meant to differ, with what they give there. The second one
is kept by hand and survives both commands. A module without a table here can have a file too:
list its calls under any result and run ``--again``.

    python tools/reference_calls.py numpy --differences

prints, in an environment with adlib, the calls that neither give the same nor are listed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "reference_calls"


def _notation() -> Any:
    spec = importlib.util.spec_from_file_location("notation", FOLDER / "notation.py")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


notation = _notation()

# ---------------------------------------------------------------- the table of adlib.numpy

UNARY = """
abs acos acosh angle asin asinh atan atanh bitwise_count bitwise_not cbrt ceil conj cos cosh
deg2rad exp exp2 expm1 fabs floor frexp i0 imag isfinite isinf isnan isneginf isposinf iscomplex
isreal log log10 log1p log2 logical_not modf negative positive rad2deg real reciprocal rint round
sign signbit sin sinc sinh spacing sqrt square tan tanh trunc nan_to_num sort_complex copy
ones_like zeros_like empty_like ravel atleast_1d atleast_2d atleast_3d array asarray ndim shape
size isscalar iscomplexobj result_type
"""
UNARY_ARGUMENTS = """
b1 u1 i1 i4 f2 bf f4 c8 wf wi f4m f4s f4e True 2 2.5 1j None [1.0,2.0] np.float32(1) np.arange(3)
"""
BINARY = """
add arctan2 bitwise_and bitwise_or bitwise_xor copysign divide divmod equal float_power
floor_divide fmax fmin fmod gcd greater heaviside hypot isclose lcm ldexp left_shift less_equal
logaddexp logaddexp2 logical_and logical_xor maximum minimum multiply nextafter not_equal power
remainder right_shift subtract array_equal allclose kron outer inner dot vdot vecdot polyadd
polysub polymul polydiv convolve correlate matmul append union1d setdiff1d setxor1d intersect1d
isin searchsorted digitize polyval cross result_type
"""
BINARY_ARGUMENTS = """
b1,i4 b1,f4 u1,i1 u1,f2 i1,i4 i4,f2 i4,f4 u4,i4 bf,f2 f2,f4 f4,c8 c8,i4 f4,2 i4,2.5 2,f2 True,u1
b1,2 i4,1j 2,3 2.0,True wf,i1 wi,f2 wi,wf wf,f4 f4m,f4 f4,f4s f4e,f4 f4,f4[:2] f4,None [1.0],f4
"""
REDUCTIONS = """
sum prod max min mean std var all any ptp nansum nanprod nanmax nanmin nanmean nanstd nanvar
median nanmedian argmax argmin nanargmax nanargmin cumsum cumprod nancumsum cumulative_sum
count_nonzero average sort argsort
"""
REDUCTION_ARGUMENTS = """
f4m;b1m;u1m;i1m;i4m;f2m;bfm;c8m;wfm;wim;f4s;f4e;2;True;None;f4m, axis=0;f4m, axis=-1
f4m, axis=(0, 1);f4m, axis=();f4m, axis=2;f4m, axis='a';f4m, axis=1.5;f4m, axis=0, keepdims=True
u1m, axis=0;f4m, dtype=jnp.float16;i1m, dtype=jnp.float32;f4m, dtype=int;f4m, dtype=bool
f4m, initial=2;f4m, where=b1m, initial=0;f4m, where=b1m;f4m, where=i4m;f4m, initial=f4, axis=0
f4m, out=f4
"""
# {v} a vector, {m} a matrix, {q} a square one, {t} of three axes; each in several dtypes
SHAPED = """
reshape({m}, (3, 2));transpose({m});swapaxes({m}, 0, 1);moveaxis({t}, 0, -1);rollaxis({t}, 2)
roll({m}, 1);rot90({m});flip({m});squeeze({m}[None]);expand_dims({m}, 0);repeat({m}, 2)
tile({m}, (2, 1));broadcast_to({m}, (4, 2, 3));resize({m}, (2, 2));matrix_transpose({m})
permute_dims({m}, (1, 0));concatenate([{m}, i4m]);stack([{m}, i4m]);hstack([{m}, i4m])
vstack([{m}, i4m]);dstack([{m}, i4m]);column_stack([{m}, i4m]);block([[{m}], [i4m]])
append({m}, i4m, 0);split({m}, 3, 1);array_split({m}, 2, 1);hsplit({m}, 3);unstack({m})
delete({m}, 1);insert({m}, 1, 7.0);take({m}, i4);take_along_axis({m}, i4m, 1);put({m}, i4, 9)
put({m}, i4, 9, inplace=False);place({m}, b1m, i4, inplace=False)
fill_diagonal({q}, 5, inplace=False);choose(u1 % 2, [{v}, i4]);select([b1, f4 > 0], [{v}, i4])
compress(b1[:2], {m}, axis=0);extract(b1m, {m});piecewise({v}, [b1], [7, 8]);where(b1m, {m}, 1)
where(b1m, {m}, wf);nonzero({m});argwhere({m});flatnonzero({m});lexsort({m});partition({v}, 1)
argpartition({v}, 1);unique({v});unique({m}, return_counts=True);unique_all({v})
unique_inverse({m});diag({v});diag({q});diagflat({v});diagonal({q});trace({q});tril({q});triu({q})
vander({v});tril_indices_from({q});interp({v}, f4, f4);diff({m});ediff1d({v});gradient({m})
trapezoid({m});unwrap({v});cov({m});corrcoef({m});histogram({v});bincount({v});clip({m}, 0, 1)
clip({m}, max=2);pad({m}, 1);packbits({m});unpackbits({m});poly({v});polyder({v});polyint({v})
roots({v});trim_zeros({v});quantile({m}, 0.5);percentile({m}, 50.0, axis=0)
nanquantile({m}, 0.5, axis=1);astype({m}, jnp.int8);astype({m}, bool);full_like({m}, 2)
full((2,), {v}[0]);array_equiv({m}, {m});apply_along_axis(jnp.sum, 0, {m})
apply_over_axes(jnp.sum, {m}, [0]);einsum('ij->j', {m});einsum('ij,jk', {m}, f4q)
tensordot({m}, f4q, 1);matvec({m}, f4);vecmat(f4[:2], {m});cumulative_prod({v})
average({m}, weights=f4m);logspace(0, {v}, 3);linspace(0, {v}, 3);linalg.cholesky({q})
linalg.cond({q});linalg.det({q});linalg.diagonal({q});linalg.eigh({q});linalg.eigvals({q})
linalg.inv({q});linalg.lstsq({m}, f4[:2]);linalg.matrix_norm({q});linalg.matrix_power({q}, 2)
linalg.matrix_rank({q});linalg.norm({v});linalg.norm({m}, axis=0);linalg.norm({q}, ord='nuc')
linalg.pinv({m});linalg.qr({q});linalg.slogdet({q});linalg.solve({q}, f4);linalg.svd({m})
linalg.svdvals({m});linalg.trace({q});linalg.vecdot({v}, f4);linalg.vector_norm({m})
linalg.cross({v}, f4);linalg.outer({v}, f4);linalg.multi_dot([{m}, f4q]);fft.fft({v})
fft.ifft({v});fft.rfft({v});fft.irfft({v});fft.hfft({v});fft.ihfft({v});fft.fft2({m})
fft.rfftn({m});fft.irfftn({m});fft.fftshift({v});{v}[0];{m}[:, 1];{m}[i4 % 2];{m}[b1m]
{v}.at[0].set(2);{v}.at[0].add(2.5);{v}.at[i4].get(mode='fill');{m}.sum();{m}.mean(0);{m}.T
{v}.astype(int);-{v};abs({v});~{v};{v} ** 2;{v} ** -1;2 ** {v};{v} % 2;{v} // 2;{v} / 2;{v} << 1
{v} & 3;{v} == 2;{v} < 2;{v} + 2;{v} + 2.5;{v} + 1j;{v} + True;{v} @ f4;round({v}[0])
divmod({v}, 2);{v}.argmax();{v}.view(jnp.int8)
"""
VARIANTS = "f4 i4 b1 u1 f2 c8 wf wi"
SINGLE = """
zeros(2);zeros((2, -1));zeros(2.5);zeros('a');ones((2, 3), int);ones(2, jnp.bfloat16);empty(2)
full(2, 1);full(2, 1.5);full(2, True);full(2, 1, float);full((2, 2), f4);full(-1, 2.0)
full((2, 3), [1, 2, 3]);arange(3);arange(3.0);arange(0, 1, 0.5);arange(5, dtype=jnp.uint8)
arange('a');arange(0, 1, 0);linspace(0, 1);linspace(0, 1, 5, retstep=True);linspace(0, 1, -1)
linspace(0, 1, 2.5);linspace(0, 10, 5, dtype=int);logspace(0, 1, 3);geomspace(1, 8, 4);eye(3)
eye(2, 3, dtype=int);eye(-1);eye(3, k=1.5);identity(2);tri(3);tri(-1);tri(3, k=1.5);tril(f4)
triu(f4q, 1.5);tril_indices(3);tril_indices(-1);tril_indices(3.0);triu_indices(3);diag_indices(3)
mask_indices(3, jnp.triu);indices((2, 3));meshgrid(f4, i4);meshgrid(f4, f4m)
unravel_index(i4, (2, 3));ix_(i4, b1);ravel_multi_index((i4 % 2, i4 % 3), (2, 3))
ravel_multi_index((i4, i4), (2,));ravel_multi_index((i4 % 2, i4 % 3), (2, 3), dtype=float)
array([1, 2.5]);array([[1], [2, 3]]);array(None);array('a');array([1, None]);array(2**40)
array([True, 2]);array(1j);array([wf, f4]);array(1, ndmin=2);array(f4, dtype=jnp.int8)
asarray(f4, order='X');asarray([]);bartlett(5);kaiser(5, 2.0);broadcast_arrays(f4m, f4)
broadcast_arrays(f4m, f4[:2]);broadcast_shapes((2, 1), (3,));broadcast_shapes((2,), (3,))
promote_types('uint32', 'int32');promote_types('int8', 'float16');promote_types(int, bool)
promote_types('float64', 'complex64');promote_types('nonsense', int);can_cast('int8', 'float16')
can_cast(float, int);issubdtype(jnp.float32, jnp.floating);isdtype(jnp.int8, 'integral')
isdtype(jnp.int8, 'nonsense');isdtype(object, 'numeric');finfo(int);iinfo(float)
iinfo(jnp.int8).max;reshape(f4, (2, 2));reshape(f4m, (-1, -1));reshape(f4m, -1)
reshape(f4m, (3, 2), order='F');reshape(f4m, (3, 2), order='A');ravel(f4m, order='K')
transpose(f4m, (0, 0));transpose(f4m, (0, 5));permute_dims(f4m, (1, -2));permute_dims(f4m)
moveaxis(f4m, 0, 5);swapaxes(f4m, 0, 5);squeeze(f4m);squeeze(f4m, 0);squeeze(f4m[None], 0)
expand_dims(f4m, (0, 0));expand_dims(f4m, 5);expand_dims(f4m, None);broadcast_to(f4, (2, 2))
broadcast_to(f4, (-1, 3));concatenate([]);concatenate([f4, f4m]);concatenate([f4m, f4m], 2)
concatenate([f4s, f4s]);concatenate([f4m, f4m], None);concatenate(f4m);concatenate(f4s)
concatenate(f4);stack([]);stack([f4, f4m]);stack([f4, f4], 2);stack(f4s)
stack([f4, i4], dtype=jnp.int8);hstack(f4s);block((f4, f4));split(f4m, 4);split(f4m, [1])
array_split(f4, 0);dsplit(f4m, 2);tile(f4, ());repeat(f4m, i4[:2] % 3, axis=0);repeat(f4, -1)
repeat(f4, 2, total_repeat_length=4);roll(f4m, (1, 2), (0, 1));roll(f4m, 1, 5)
roll(f4m, (1, 2, 3), (0, 1));rot90(f4);rot90(f4m, axes=(0, 0));flip(f4m, 5);delete(f4, 5)
delete(f4, [0]);delete(f4, 1.5);delete(f4, b1);insert(f4, 5, 1);insert(f4, [0], 1);take(f4, 0)
take(f4, [0]);take(f4, 0.5);take(f4, i4m);take(f4, 5, mode='raise');take(f4, 5, mode='drop')
take(f4m, 0, axis=2);take_along_axis(f4m, i4, 0);take_along_axis(f4m, f4m, 0)
take_along_axis(f4m, i4m, 1, mode='wrap');put_along_axis(f4m, i4m, 1, 1, inplace=False)
compress(b1, f4m, axis=1);compress([True], f4);compress(b1m, f4);extract(b1, f4[:1])
extract([True], f4);compress(b1, f4, size=2);compress(b1, f4, size=9);choose(i4, [f4])
choose(f4, [f4]);select([], []);select([b1], [f4, f4]);piecewise(f4, [b1], [1, 2, 3]);where(b1)
where(b1, f4);where(b1, 1, 2);where(b1, 1, 2.5);where(True, 1, 2);where(b1, f4, None)
where(b1, f4m[0], f4m);clip(None, 0, 1);clip(c8, 0, 1);clip(f4);clip(i4, 0.5);clip(f4, 2, 1)
nonzero(f4s);nonzero(f4, size=2);nonzero(f4, size=-1);argwhere(f4s);searchsorted(f4m, f4)
searchsorted(f4, f4, side='middle');searchsorted(f4, 2.0, sorter=i4);digitize(f4, f4m)
digitize(f4, f4, method='bad');bincount(f4);bincount(i4m);bincount(u1, f4);bincount(u1, length=3)
bincount(u1, f4m);partition(f4, 5);partition(f4, 1.5);sort(f4, kind='quicksort')
sort(f4, descending=True);argsort(f4, stable=False);lexsort(());lexsort((f4, f4m))
unique(f4, size=2);unique(f4e, size=2);unique(f4m, axis=0);unique(f4m, axis=5)
unique(i4, True, True, True);isin(f4, [1.0]);isin(f4, f4, method='bad');union1d(f4, f4, size=5)
intersect1d(f4, f4, return_indices=True);setxor1d(i4, i4[:1], size=4);interp(c8, f4, f4)
interp(f4, f4, f4[:2]);interp(2.5, f4, f4);interp(f4, f4, f4, left='x')
interp(f4, f4, f4, period=2.0);gradient(f4, 2.0);gradient(f4[:1]);gradient(f4m, 1.0, 2.0, 3.0)
trapezoid(f4, f4);trapezoid(f4m, axis=5);diff(f4, -1);diff(f4s);diff(f4, prepend=0);diff(f4, n=5)
ediff1d(f4, to_end=2);unwrap(f4, period=2.0);convolve(f4m, f4);convolve(f4, f4e)
convolve(f4, f4, 'bad');convolve(f4, f4, preferred_element_type=jnp.float16)
convolve(i1, i1, preferred_element_type=jnp.int32);correlate(f4, f4[:2], 'same');cov(f4m, f4)
cov(f4m, f4[:2]);cov(f4m, dtype=int);cov(f4t);cov(f4m, fweights=f4);cov(f4m, fweights=u1)
cov(f4m, dtype=jnp.float16);corrcoef(f4m, dtype=int);histogram(f4, 5);histogram(f4, f4[:1])
histogram(f4, range=(0, 1));histogram(f4, density=True);histogram(f4, weights=f4)
histogram2d(f4, f4, 3);histogramdd(f4m.T, 2);histogramdd(f4m.T, f4);pad(f4, 1, mode='edge')
pad(f4, (1, 2), constant_values=5);pad(f4, 1, mode='bad');pad(f4, -1);pad(f4, 1, mode='wrap')
pad(f4, 1, mode='linear_ramp');pad(f4m, ((1, 1),));pad(f4m, ((1, 1),) * 3);packbits(f4)
packbits(u1, bitorder='x');polyfit(f4, f4, 1);polyfit(f4, f4[:2], 1);polyfit(f4, f4, -1)
polyfit(f4, f4, 1, full=True);poly(f4m);poly(f4e);roots(f4m);roots(f4e);polyint(f4, m=-1)
polyint(f4, 2);polyder(f4, -1);polyder(f4, 5);vander(f4m);vander(f4, -1)
vander(f4, 2, increasing=True);einsum('ij,jk->ik', f4m, f4m);einsum('ij,kj', f4m, i4m)
einsum('ii', f4q);einsum('i->ij', f4);einsum('ij', f4);einsum(f4m, [0, 1], [1])
einsum('i,i', f2, f4, preferred_element_type=jnp.float32);tensordot(f4m, f4m, 1)
tensordot(f4m, f4m, ((1,), (1,)));tensordot(f4m, f4m, (0,));tensordot(f4m, f4m, True)
tensordot(f4m, f4m, 5);matmul(f4s, f4);matmul(f4t, f4t);matmul(f4t, f4[:2]);matmul(f4m, f4m)
dot(f4m, f4[:2]);dot(f4t, f4t);dot(f4, f4, preferred_element_type=jnp.float16);vecdot(f4m, f4[:2])
vecdot(f4m, f4m, axis=0);vecdot(f4m, f4, axis=5);matvec(f4m, f4[:2]);matvec(f4, f4)
vecmat(f4, f4m);vdot(f4, f4[:2]);inner(f4m, f4[:2]);cross(f4m, f4m[:1]);cross(f4[:1], f4)
cross(f4[:2], f4[:2]);kron(f4m, f4);outer(f4m, f4);quantile(f4, f4m)
quantile(f4, 0.5, method='bad');quantile(c8, 0.5);quantile(f4e, 0.5)
quantile(f4m, 0.5, axis=1, weights=f4, method='inverted_cdf');quantile(f4, 0.5, weights=f4)
quantile(f4m, [0.1, 0.5]);quantile(f4m, f4[:2] * 0, axis=0, keepdims=True);median(f4e)
median(f4m, (0, 1));average(f4m, weights=f4);average(f4m, 1, f4);average(f4m, 1, f4, True)
average(f4m, 0, f4);var(f4, ddof=1);var(f4, ddof=1, correction=1);var(c8, dtype=jnp.float32)
var(f4, dtype=complex);var(f4, mean=0.0);std(f4, dtype=int);std(c8);round(f4, 2);round(i4, -1)
round(b1);round(c8, 1);nan_to_num(f4, nan=2);apply_along_axis(jnp.sum, 5, f4m)
fromfunction(lambda i, j: i + j, (2, 3));frombuffer(b'abcd', jnp.uint8);fromstring('1 2', sep=' ')
array_split(f4m, [1], axis=1);vectorize(lambda x: x + 1)(f4)
vectorize(lambda x: x, signature='(n)->()')(f4)
vectorize(jnp.dot, signature='(n),(n)->()')(f4m, f4)
vectorize(jnp.dot, signature='(n),(n)->()')(f4m, f4[:2]);add(f4, 1, out=None);add(f4, 1, where=b1)
add(x=1, y=2);add.reduce(f4m);add.accumulate(f4);add.outer(f4, f4)
multiply.at(f4, 0, 2, inplace=False);trunc(x=f4);linalg.norm(f4, ord='fro')
linalg.norm(f4m, ord='bad');linalg.norm(f4t, ord=2);linalg.norm(f4m, axis=(0, 0))
linalg.norm(f4e, ord=-inf);linalg.norm(f4e);linalg.matrix_norm(f4);linalg.vector_norm(f4m, ord=1)
linalg.cond(f4);linalg.cond(f4m, p=1);linalg.cond(f4m);linalg.det(f4m);linalg.inv(f4m)
linalg.inv(f4t[:, :1, :1]);linalg.solve(f4q, f4[:2]);linalg.solve(f4m, f4);linalg.solve(f4q, f4q)
linalg.lstsq(f4m, f4);linalg.lstsq(f4, f4);linalg.cholesky(f4m);linalg.qr(f4m, 'r')
linalg.qr(f4m, 'bad');linalg.qr(f4m, 'complete');linalg.eigh(f4m);linalg.eigh(f4q, 'X')
linalg.svd(f4);linalg.svd(f4m, full_matrices=False);linalg.svd(f4m, compute_uv=False)
linalg.pinv(f4);linalg.matrix_power(f4q, 1.5);linalg.matrix_power(i4q, 2)
linalg.matrix_power(f4q, -1);linalg.matrix_power(f4m, 2);linalg.multi_dot([f4])
linalg.multi_dot([f4m, f4m]);linalg.multi_dot([f4[:2], f4m]);linalg.tensorinv(f4m, 0)
linalg.matmul(a=f4m, b=f4q);linalg.tensordot(f4m, f4q, 1);linalg.outer(f4m, f4)
linalg.cross(f4[:2], f4[:2]);linalg.slogdet(f4q, method='bad');fft.fft(f4e);fft.fft(f4, 0)
fft.fft(f4, 2.5);fft.fft(f4m, axis=(0, 1));fft.fft(f4m, axis=5);fft.fft(f4, norm='bad')
fft.fft([1.0]);fft.rfft(f4e);fft.irfft(f4e);fft.irfft(f4[:1]);fft.hfft(f4[:1])
fft.fftn(f4m, (2, 2), (0,));fft.fftn(f4m, axes=(0, 0));fft.fft2(f4m, axes=(0,))
fft.fftn(f4m[:, :0]);fft.fftfreq(4);fft.fftfreq(4, 1j);fft.fftfreq(4, dtype=int)
fft.rfftfreq(5, dtype=jnp.float16);fft.fftshift(f4m, 5);f4[5];f4[1.5];f4['a'];f4[[0]];f4[range(2)]
f4[0, 0];f4[...];f4[None];f4[..., ...];f4[::2];f4[::-1];f4[1.5:];f4[::0];f4[b1];f4[b1[:2]];f4[i4m]
f4m[i4[:2] % 2, i4];f4m[0, [1, 2]];f4m[(0, 1)];f4[f4e];f4m[:, b1];f4[True];f4s[()];f4s[0]
f4[jnp.uint8(1)];f4m.at[0].set([1, 2, 3]);f4m.at[0].set(f4[:2]);f4.at[0].set(None)
f4.at[0].set('a');f4.at['a'].set(1);f4.at[0].get(mode='bad');i4.at[0].set(2.5);f4.at[0].mul(2)
f4.at[0].multiply(2);f4.at[0].power(2);i4.at[0].divide(2);f4.at[0].apply(jnp.sin)
f4.at[i4].add(f4);f4.foo;len(f4s);iter(f4s);bool(f4);float(f4);int(f4);bool(f4e);f4.item()
f4.item(1);f4.tolist();f4m.tolist();f4s.tolist();hash(f4);2.0 in f4;2.0 in f4m;f4 + 'a';f4 + None
f4 + [1];f4 + (1,);f4 @ 2;f4 < c8;c8 < c8;f4 == 'a';f4 == None;f4 == jnp.float32;f4 & 1;i4 & 1.5
f4 << 1;i4 << 1.5;~f4;-b1;+b1;b1 - b1;b1 + b1;b1 * b1;b1 / b1;b1 ** 2;i4 ** -1;i4 ** i4;u1 - 1
u1 - 300;i1 + 200;i4 + 2**40;f4m + f4[:2];f4m.reshape(3, 2);f4m.reshape((3, 2));f4m.reshape(4)
f4m.transpose(1, 0);f4m.sum(keepdims=True);f4m.sum(axis=5);f4m.max(initial=2);f4m.argmax(0)
f4m.argsort(1);f4m.sort();f4m.take(i4);f4m.take([0]);f4m.ravel();f4m.flatten();f4m.squeeze(0)
f4m.clip(0, 1);f4m.round(1);f4m.view(jnp.int32);f4m.view(jnp.int8);f4.view(jnp.complex64)
f4m.dot(f4);f4q.trace();f4q.diagonal();f4m.mT;f4.mT;f4.nbytes;f4.itemsize;f4.size;f4.ndim;f4.shape
f4.dtype;f4.weak_type;wf.weak_type;f4.astype('bad');f4.astype(None);f4.real;c8.imag;f4.conj()
c8.astype(float);f4.compress(b1);f4.choose([1]);i4.choose([1, 2, 3, 4, 5]);f4.nonzero()
f4.searchsorted(2.0);f4.repeat(2);f4.all();f4.any();f4.ptp();f4m.swapaxes(0, 1);f4.cumsum()
f4.cumprod();f4.copy()
"""


def _cells(text: str, separator: str | None = None) -> list[str]:
    lines = text.strip().split("\n")
    return [c.strip() for line in lines for c in line.split(separator) if c.strip()]


def numpy_calls() -> list[str]:
    """The calls of ``adlib.numpy``, its linalg and fft, and of Array's methods and operators."""
    calls = []
    for function in _cells(UNARY):
        calls += [f"{function}({a})" for a in _cells(UNARY_ARGUMENTS)]
    for function in _cells(BINARY):
        calls += [f"{function}({a.replace(',', ', ')})" for a in _cells(BINARY_ARGUMENTS)]
    for function in _cells(REDUCTIONS):
        calls += [f"{function}({a})" for a in _cells(REDUCTION_ARGUMENTS, ";")]
    for shaped in _cells(SHAPED, ";"):
        for d in _cells(VARIANTS):
            call = shaped.replace("{v}", d)
            for suffix in "mqt":
                call = call.replace("{" + suffix + "}", d + suffix)
            calls.append(call)
    return list(dict.fromkeys([*calls, *_cells(SINGLE, ";")]))


TABLES = {"numpy": numpy_calls}

# ------------------------------------------------------------------------------- recording


def record(module: str, calls: list[str]) -> dict[str, list[str]]:
    """What the calls give in JAX: result -> calls."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    jax, jnp = importlib.import_module("jax"), importlib.import_module("jax.numpy")
    names = {**vars(importlib.import_module(f"jax.{module}")), **notation.names_of(jnp)}
    names |= {"jnp": jnp, "lax": importlib.import_module("jax.lax")}
    found: dict[str, list[str]] = {}
    for number, call in enumerate(calls):
        result, _ = notation.evaluate(call, names, jax.Array)
        found.setdefault(result, []).append(call)
        if number % 500 == 499:
            jax.clear_caches()
            print(number + 1, "of", len(calls), flush=True)
    return {result: sorted(found[result]) for result in sorted(found)}


def save(path: Path, calls: dict[str, list[str]], different: dict[str, dict[str, str]]) -> None:
    """Write the file, with the differences that concern its calls."""
    known = {c for some in calls.values() for c in some}
    kept = {why: {c: r for c, r in some.items() if c in known} for why, some in different.items()}
    text = json.dumps({"calls": calls, "different": kept}, separators=(",", ":"), indent=0)
    path.write_text(text.replace('",\n"', '","') + "\n")


def differences(path: Path) -> list[tuple[str, str, str, Any]]:
    """Calls of the file that adlib answers otherwise than it says."""
    adlib, jnp = importlib.import_module("adlib"), importlib.import_module("adlib.numpy")
    names = {**vars(importlib.import_module(f"adlib.{path.stem}")), **notation.names_of(jnp)}
    names |= {"jnp": jnp, "lax": importlib.import_module("adlib.lax")}
    return notation.disagreements(path, names, adlib.Array)  # type: ignore[no-any-return]


def main() -> None:
    """Read the arguments and do what they say."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("module", help="the public module, such as numpy")
    parser.add_argument("--again", action="store_true", help="evaluate the file's calls again")
    parser.add_argument("--differences", action="store_true", help="compare adlib with the file")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    path = FOLDER / f"{given.module}.json"
    if given.differences:
        for call, result, wanted, _ in differences(path):
            print(f"{call:60} {result:24} on record: {wanted}")
        return
    stored = json.loads(path.read_text()) if path.exists() else {"calls": {}, "different": {}}
    if given.again:
        calls = [c for some in stored["calls"].values() for c in some]
    else:
        calls = TABLES[given.module]()
    save(path, record(given.module, calls), stored["different"])


if __name__ == "__main__":
    main()
