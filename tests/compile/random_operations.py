"""Operations that random programs are made of: each takes values from the pool and makes others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib import lax
from tests.compile.random_values import MOST, Maker, convert, kind, operation

_TAME: dict[str, Callable[[Any], Any]] = {
    "exp": lambda x: lax.exp(lax.clamp(np.array(-5, x.dtype), x, np.array(5, x.dtype))),
    "log": lambda x: lax.log(abs(x) + np.array(0.5, x.dtype)),
    "sqrt": lambda x: lax.sqrt(abs(x)),
    "rsqrt": lambda x: lax.rsqrt(abs(x) + np.array(0.5, x.dtype)),
    "asin": lambda x: lax.asin(lax.sin(x)),
    "atanh": lambda x: lax.atanh(lax.sin(x) * np.array(0.5, x.dtype)),
    "log1p": lambda x: lax.log1p(abs(x)),
}
_PLAIN = (
    "sin cos tan tanh logistic expm1 erf cbrt atan asinh sinh cosh square neg abs sign floor ceil "
    "round is_finite integer_pow exp log sqrt erf_inv lgamma"
).split()


@operation(6)
def unary(m: Maker) -> Any:
    x = m.pick("f")
    if x is None:
        return None
    if m.chance(0.4):
        return m.rng.choice(list(_TAME.values()))(x)
    name = m.rng.choice(_PLAIN)
    if name == "integer_pow":
        return lax.integer_pow(x, m.integer(-3, 5))
    return getattr(lax, name)(x)


@operation(2)
def unary_of_integers(m: Maker) -> Any:
    x = m.pick("iub")
    if x is None:
        return None
    if kind(x) == "b":
        return lax.bitwise_not(x)
    names = "neg abs sign bitwise_not population_count clz square".split()
    if kind(x) == "u":
        names.remove("abs")
    return getattr(lax, m.rng.choice(names))(x)


@operation(10)
def binary(m: Maker) -> Any:
    x = m.pick("fiu")
    if x is None:
        return None
    y = m.partner(x)
    names = "add sub mul max min".split()
    if kind(x) == "f":
        names += ["div", "tame div", "atan2", "pow", "rem"]
        names += [] if m.smooth or x.dtype.itemsize < 4 else ["nextafter"]
    else:
        names += ["div", "rem", "bitwise_and", "bitwise_or", "bitwise_xor"]
        names += ["shift_left", "shift_right_logical", "shift_right_arithmetic"]
    name = m.rng.choice(names)
    if m.chance(0.3):
        y = jnp.asarray(m.constant(x.dtype, ()))
        y = jnp.broadcast_to(y, x.shape) if x.shape else y
    if m.chance(0.3):
        x, y = y, x
    if name == "tame div":
        return lax.div(x, abs(y) + np.array(0.5, y.dtype))
    if name == "pow":
        return lax.pow(abs(x) + np.array(0.25, x.dtype), lax.tanh(y))
    return getattr(lax, name)(x, y)


@operation(2)
def comparison(m: Maker) -> Any:
    x = m.pick("fiub")
    if x is None:
        return None
    return getattr(lax, m.rng.choice("eq ne lt le gt ge".split()))(x, m.partner(x))


@operation(1)
def logic(m: Maker) -> Any:
    x = m.pick("b")
    if x is None:
        return None
    return getattr(lax, "bitwise_" + m.rng.choice(["and", "or", "xor"]))(x, m.partner(x))


@operation(3)
def select(m: Maker) -> Any:
    x = m.pick()
    y = m.partner(x)
    if m.chance(0.2):
        which = m.fit(m.rather("iu"), x.shape, np.dtype("int32")) % 3
        return lax.select_n(which, x, y, m.partner(x))
    which = m.fit(m.rather("b"), x.shape, np.dtype(bool))
    if which.size and m.chance(0.2):
        which = which.reshape(-1)[0]
    return lax.select_n(which, x, y)


@operation(1)
def clamp(m: Maker) -> Any:
    x = m.pick("fiu")
    return None if x is None else lax.clamp(m.partner(x), x, m.partner(x))


@operation(3)
def conversion(m: Maker) -> Any:
    return convert(m.pick(), m.dtype())


@operation(1)
def bitcast(m: Maker) -> Any:
    x = m.pick("fiu")
    if x is None or not m.chance(0.3):
        return None
    fits = [d for d in m.dtypes if np.dtype(d).itemsize == x.dtype.itemsize]
    fits = [d for d in fits if np.dtype(d).kind in "iu"]
    return lax.bitcast_convert_type(x, m.rng.choice(fits)) if fits else None


@operation(1)
def complex_arithmetic(m: Maker) -> Any:
    if not any(np.dtype(d).kind == "c" for d in m.dtypes):
        return None
    z = m.pick("c")
    if z is None or m.chance(0.3):
        x = m.pick("f")
        if x is None or x.dtype.itemsize < 4:
            return None
        return lax.complex(x, m.partner(x, "f"))
    w = m.partner(z)
    which = m.rng.choice("real imag conj abs add sub mul div exp neg tanh sqrt eq".split())
    if which in ("add", "sub", "mul", "eq"):
        return getattr(lax, which)(z, w)
    if which == "div":
        return z / (w * lax.conj(w) + np.array(0.5, w.dtype))
    if which in ("exp", "sqrt", "tanh"):
        z = z / (convert(abs(z), z.dtype) + np.array(0.5, z.dtype))
    return getattr(lax, which)(z)


# ------------------------------------------------------------------------- structure


@operation(4)
def reduction(m: Maker) -> Any:
    x = m.pick(rank=1)
    if x is None:
        return None
    axes = m.axes(len(x.shape), 1)
    empty = any(x.shape[a] == 0 for a in axes)
    if kind(x) == "b":
        name = m.rng.choice(["any", "all"])
        return getattr(jnp, name)(x, axes)
    names = ["sum", "sum", "prod"]
    if kind(x) != "c" and not empty:
        names += ["max", "min", "argmax", "argmin"]
    name = m.rng.choice(names)
    if name == "prod" and kind(x) in "fc":
        x = lax.tanh(x)
    if name in ("argmax", "argmin"):
        return getattr(jnp, name)(x, axes[0])
    if m.chance(0.3):
        return getattr(jnp, name)(x, axes, keepdims=True)
    return getattr(jnp, name)(x, axes)


@operation(1)
def cumulative(m: Maker) -> Any:
    x = m.pick("fiu", rank=1)
    if x is None:
        return None
    name = m.rng.choice("cumsum cumprod cummax cummin cumlogsumexp".split())
    if name in ("cumprod", "cumlogsumexp"):
        if kind(x) != "f":
            return None
        x = lax.tanh(x)
    axis = m.integer(0, len(x.shape) - 1)
    return getattr(lax, name)(x, axis, reverse=m.chance(0.4))


@operation(2)
def broadcast(m: Maker) -> Any:
    x = m.pick(most=300)
    if x is None:
        return None
    rank = len(x.shape)
    more = m.integer(0, 2)
    dims = tuple(sorted(m.rng.sample(range(rank + more), rank)))
    shape = [m.integer(1, 5) for _ in range(rank + more)]
    for d, n in zip(dims, x.shape, strict=True):
        shape[d] = shape[d] if n == 1 and m.chance(0.7) else n
    return lax.broadcast_in_dim(x, tuple(shape), dims)


@operation(2)
def reshape(m: Maker) -> Any:
    x = m.pick(most=MOST)
    n = x.size
    if not n or m.chance(0.3):
        return x.reshape(-1)
    shape = []
    while n > 1 and len(shape) < 4:
        divisors = [d for d in range(1, n + 1) if n % d == 0]
        shape.append(m.rng.choice(divisors))
        n //= shape[-1]
    shape.append(n)
    m.rng.shuffle(shape)
    return lax.reshape(x, tuple(shape))


@operation(2)
def transpose(m: Maker) -> Any:
    x = m.pick(rank=2)
    if x is None:
        return None
    order = list(range(len(x.shape)))
    m.rng.shuffle(order)
    return lax.transpose(x, tuple(order))


@operation(1)
def reverse(m: Maker) -> Any:
    x = m.pick(rank=1)
    return None if x is None else lax.rev(x, m.axes(len(x.shape), 1))


@operation(2)
def slicing(m: Maker) -> Any:
    x = m.pick(rank=1)
    if x is None:
        return None
    starts = [m.integer(0, n) for n in x.shape]
    limits = [m.integer(s, n) for s, n in zip(starts, x.shape, strict=True)]
    if m.chance(0.8):  # rather not empty
        starts = [max(0, min(s, n - 1)) for s, n in zip(starts, x.shape, strict=True)]
        limits = [min(n, max(s + 1, e)) for s, e, n in zip(starts, limits, x.shape, strict=True)]
    strides = [m.integer(1, 3) for _ in x.shape] if m.chance(0.5) else None
    return lax.slice(x, tuple(starts), tuple(limits), strides and tuple(strides))


@operation(2)
def padding(m: Maker) -> Any:
    x = m.pick(rank=1, most=1000)
    if x is None:
        return None
    config = []
    for n in x.shape:
        inside = m.integer(0, 2) if m.chance(0.3) else 0
        size = n + max(n - 1, 0) * inside
        low, high = m.integer(-2, 3), m.integer(-2, 3)
        if size + low + high < 0:
            low = high = 0
        config.append((low, high, inside))
    value = m.fit(m.pick(), (), x.dtype) if m.chance(0.5) else np.zeros((), x.dtype)
    return lax.pad(x, value, config)


@operation(2)
def joining(m: Maker) -> Any:
    x = m.pick(rank=1, most=2000)
    if x is None:
        return None
    parts = [m.partner(x) for _ in range(m.integer(1, 3))]
    parts.insert(m.integer(0, len(parts)), x)
    axis = m.integer(0, len(x.shape) - 1)
    if m.chance(0.3):
        return jnp.stack(parts, axis)
    if x.shape[axis] > 1:
        parts[0] = lax.slice_in_dim(parts[0], 1, None, axis=axis)
    return lax.concatenate(parts, axis)


@operation(1)
def counting(m: Maker) -> Any:
    shape = m.shape() or (3,)
    return lax.broadcasted_iota(m.dtype("fiu"), shape, m.integer(0, len(shape) - 1))


@operation(1)
def constants(m: Maker) -> Any:
    return jnp.asarray(m.constant(m.dtype()))


# ---------------------------------------------------------------------------- indices


def _indices(m: Maker, shape: tuple[int, ...]) -> Any:
    x = m.pick("iu")
    if x is not None and m.chance(0.6):
        return m.fit(x, shape, x.dtype)
    return jnp.asarray(m.constant(np.dtype("int32"), shape))


_MODES = ["fill", "clip", "wrap", "in bounds", None]


@operation(2)
def gathering(m: Maker) -> Any:
    x = m.pick(rank=1, most=1000)
    if x is None or 0 in x.shape:
        return None
    axis = m.integer(0, len(x.shape) - 1)
    count = tuple([m.integer(1, 4) for _ in range(m.integer(0, 2))])
    index = _indices(m, count)
    mode = m.rng.choice(_MODES)
    if mode == "in bounds":
        last = min(x.shape[axis] - 1, np.iinfo(index.dtype).max)
        index = lax.clamp(np.zeros((), index.dtype), index, np.array(last, index.dtype))
        return x.at[(slice(None),) * axis + (index,)].get(mode="promise_in_bounds")
    return jnp.take(x, index, axis=axis, mode=mode)


@operation(1)
def several_indices(m: Maker) -> Any:
    x = m.pick(rank=2, most=1000)
    if x is None or 0 in x.shape:
        return None
    count = (m.integer(1, 4),)
    first, second = _indices(m, count), _indices(m, count)
    return x.at[first, second].get(mode=m.rng.choice(["fill", "clip", None]))


@operation(2)
def scattering(m: Maker) -> Any:
    x = m.pick(rank=1, most=1000)
    if x is None or 0 in x.shape:
        return None
    index = _indices(m, (m.integer(1, 4),))
    how = m.rng.choice(["set", "add", "multiply", "min", "max"])
    if kind(x) in "bc":
        how = "set"
    target = x.at[index] if m.chance(0.6) else x.at[..., index]
    shape = (*index.shape, *x.shape[1:]) if m.chance(0.6) else ()
    if not shape:
        value = m.fit(m.pick(), (), x.dtype)
    else:
        target = x.at[index]
        value = m.fit(m.pick(), shape, x.dtype)
    return getattr(target, how)(value, mode=m.rng.choice(["drop", "clip", None]))


@operation(2)
def dynamic_slices(m: Maker) -> Any:
    x = m.pick(rank=1, most=1000)
    if x is None or 0 in x.shape:
        return None
    starts = [m.fit(_indices(m, ()), (), np.int32) for _ in x.shape]
    sizes = tuple([m.integer(1, n) for n in x.shape])
    if m.chance(0.5):
        return lax.dynamic_slice(x, starts, sizes)
    return lax.dynamic_update_slice(x, m.fit(m.pick(), sizes, x.dtype), starts)


@operation(1)
def sorting(m: Maker) -> Any:
    x = m.pick("fiu", rank=1, most=1000)
    if x is None:
        return None
    axis = m.integer(0, len(x.shape) - 1)
    which = m.integer(0, 3)
    if which == 0:
        return lax.sort(x, dimension=axis)
    if which == 1:
        return jnp.argsort(x, axis=axis)
    if which == 2:
        return list(lax.sort((x, m.partner(x)), dimension=axis, num_keys=m.integer(1, 2)))
    k = min(2, x.shape[-1])
    return list(lax.top_k(x, k))


# ------------------------------------------------------------------------ linear maths


@operation(3)
def product(m: Maker) -> Any:
    x = m.pick("fciu", rank=1, most=3000)
    if x is None:
        return None
    y = m.pick(rank=1, most=3000)
    rank = len(x.shape)
    order = m.rng.sample(range(rank), rank)
    batch = m.integer(0, min(rank, 2)) if m.chance(0.3) else 0
    inner = m.integer(0 if m.chance(0.1) else min(1, rank - batch), rank - batch)
    left_batch, left_inner = order[:batch], order[batch : batch + inner]
    sizes = [x.shape[d] for d in (*left_batch, *left_inner)]
    free = [m.integer(1, 4) for _ in range(m.integer(0, 2))]
    if int(np.prod([*x.shape, *free])) > 40_000:
        return None
    shape = [*sizes, *free]
    places = m.rng.sample(range(len(shape)), len(shape))
    rhs_shape = [0] * len(shape)
    for size, place in zip(shape, places, strict=True):
        rhs_shape[place] = size
    rhs = m.fit(y if y is not None else x, tuple(rhs_shape), x.dtype)
    dims = ((left_inner, places[batch : batch + inner]), (left_batch, places[:batch]))
    return lax.dot_general(x, rhs, dims)


@operation(0.5)
def larger_product(m: Maker) -> Any:
    x = m.pick("f", rank=1, most=3000)
    if x is None:
        return None
    a, b, c = (m.rng.choice([17, 20, 33]) for _ in range(3))
    left, right = m.fit(x, (a, b), x.dtype), m.fit(m.pick(), (b, c), x.dtype)
    if m.chance(0.5):
        left = lax.tanh(left)
    if m.chance(0.3):
        return lax.dot_general(left.T, right, (((0,), (0,)), ((), ())))
    return left @ right


@operation(0.4)
def windows(m: Maker) -> Any:
    x = m.pick("f", rank=1, most=500)
    if x is None or x.dtype.itemsize < 4 or 0 in x.shape:
        return None
    sizes = tuple([m.integer(1, min(n, 3)) for n in x.shape])
    strides = tuple([m.integer(1, 2) for _ in x.shape])
    start, op = m.rng.choice([(0.0, lax.add), (-np.inf, lax.max), (np.inf, lax.min)])
    padding_ = m.rng.choice(["VALID", "SAME"])
    return lax.reduce_window(x, np.array(start, x.dtype), op, sizes, strides, padding_)


@operation(0.4)
def convolution(m: Maker) -> Any:
    x = m.pick("f")
    if x is None or x.dtype.itemsize < 4:
        return None
    spatial = m.integer(1, 2)
    channels, filters = m.integer(1, 3), m.integer(1, 3)
    image = (m.integer(1, 2), channels, *[m.integer(3, 7) for _ in range(spatial)])
    kernel = (filters, channels, *[m.integer(1, 3) for _ in range(spatial)])
    lhs, rhs = m.fit(x, image, x.dtype), m.fit(m.pick(), kernel, x.dtype)
    # a hole times NaN is NaN, or is never computed
    lhs, rhs = (lax.select_n(lax.is_finite(v), jnp.zeros_like(v), v) for v in (lhs, rhs))
    strides = [m.integer(1, 2) for _ in range(spatial)]
    dilation = [m.integer(1, 2) for _ in range(spatial)] if m.chance(0.3) else None
    around: Any = [(1, 0)] * spatial if dilation else m.rng.choice(["SAME", "VALID"])
    return lax.conv_general_dilated(lhs, rhs, strides, around, lhs_dilation=dilation)


@operation(0.3)
def factors(m: Maker) -> Any:
    x = m.pick("f", rank=1)
    if x is None or x.dtype.itemsize < 4:
        return None
    n = m.integer(1, 5)
    a = lax.tanh(m.fit(x, (n, n), x.dtype))
    spd = a @ a.T + n * jnp.eye(n, dtype=x.dtype)
    which = m.integer(0, 3)
    if which == 0:
        return jnp.linalg.cholesky(spd)
    if which == 1:
        return jnp.linalg.solve(spd, m.fit(m.pick("f"), (n, 2), x.dtype))
    if which == 2:
        return jnp.linalg.inv(spd)
    return jnp.linalg.eigvalsh(spd)


@operation(0.3)
def draws(m: Maker) -> Any:
    key = adlib.random.PRNGKey(m.integer(0, 99))
    shape = m.shape()
    if m.chance(0.5):
        return adlib.random.uniform(key, shape, np.float32)
    return adlib.random.bits(key, shape, np.uint32)
