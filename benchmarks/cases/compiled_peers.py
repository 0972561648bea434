"""How PyTorch, Numba and autograd do the compiled cases, where they can write them as they are.

Each has its eager and its compiled form where both exist; the fastest stands for the library.
Forms of PyTorch that copy the text of ``compiled.py`` take ``torch`` for the array module.
"""

from __future__ import annotations

import importlib
from typing import Any

from .models import flat, layers, mlp_squared_loss, require_grad


def torch_function(build: Any, *, compiled: bool = True) -> tuple:
    """The forms of a function of (torch, *arrays): as it is, and through ``torch.compile``."""

    def eager(torch, *inputs):
        function = build(torch)
        return lambda: function(*inputs)

    def inductor(torch, *inputs):
        function = torch.compile(build(torch))
        return lambda: function(*inputs)

    return (eager, inductor) if compiled else (eager,)


def autograd_function(build: Any) -> tuple:
    """The form of a function of (autograd, *arrays)."""

    def taped(autograd, *inputs):
        function = build(autograd)
        return lambda: function(*inputs)

    return (taped,)


def numba_function(build: Any) -> tuple:
    """The form of a function of (njit, *arrays), compiled at its first call."""

    def jitted(numba, *inputs):
        function = build(numba.njit)
        return lambda: function(*inputs)

    return (jitted,)


# --- least squares -------------------------------------------------------------------------


def residual_square(xp):
    return lambda a, b, x: xp.sum((a @ x - b) ** 2)


def torch_squares_tape(torch, a, b, x):
    x = x.clone().requires_grad_()
    loss = residual_square(torch)
    return lambda: torch.autograd.grad(loss(a, b, x), x)[0]


def torch_squares_gradient(torch):
    return torch.func.grad(residual_square(torch), argnums=2)


def torch_squares_hessian(torch):
    return torch.func.hessian(residual_square(torch), argnums=2)


def torch_squares_jacrev_twice(torch):
    jacrev = torch.func.jacrev
    return jacrev(jacrev(residual_square(torch), argnums=2), argnums=2)


def torch_squares_jacfwd(torch):
    return torch.func.jacfwd(residual_square(torch), argnums=2)


def torch_squares_jacrev(torch):
    return torch.func.jacrev(residual_square(torch), argnums=2)


def torch_squares_product(torch):
    gradient = torch.func.grad(residual_square(torch), argnums=2)
    return lambda a, b, x, v: torch.func.jvp(lambda x: gradient(a, b, x), (x,), (v,))[1]


def autograd_squares_gradient(autograd):
    return autograd.grad(residual_square(autograd.numpy), 2)


# --- softmax, tanh, temporal differences ---------------------------------------------------


def torch_softmax(transform):
    def build(torch):
        layer = lambda w, x: torch.softmax(w @ x, 0)  # noqa: E731
        return getattr(torch.func, transform)(layer, argnums=1)

    return build


def torch_tanh_product(torch):
    gradient = torch.func.grad(lambda x: torch.sum(torch.tanh(x) ** 2))
    return lambda x, v: torch.func.jvp(gradient, (x,), (v,))[1]


def torch_tanh_hessian(torch):
    hessian = torch.func.hessian(lambda x: torch.sum(torch.tanh(x) ** 2))
    return lambda x, v: torch.tensordot(hessian(x), v, 2)


def autograd_tanh_product(autograd):
    product = autograd.hessian_vector_product
    return product(lambda x: autograd.numpy.sum(autograd.numpy.tanh(x) ** 2))


def torch_temporal(torch):
    def loss(theta, s, r, s_next):
        target = (r + theta @ s_next).detach()
        return (target - theta @ s) ** 2

    return torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0, 0))


def torch_fourth(torch):
    f = torch.tanh
    for _ in range(4):
        f = torch.func.grad(f)
    return torch.func.vmap(f)


def autograd_fourth(autograd):
    f = autograd.numpy.tanh
    for _ in range(4):
        f = autograd.elementwise_grad(f)
    return f


# --- arithmetic on large arrays ------------------------------------------------------------


def torch_polynomial(torch):
    return lambda x: x * x + 2 * x


def numba_polynomial(njit):
    return njit(lambda x: x * x + 2 * x)


def chain(xp):
    return lambda y: xp.sum(xp.log1p(xp.exp(xp.sin(y) * xp.tanh(y))) * xp.cos(y))


def torch_chain_tape(torch, y):
    y = y.clone().requires_grad_()
    return lambda: torch.autograd.grad(chain(torch)(y), y)[0]


def torch_chain_gradient(torch):
    return torch.func.grad(chain(torch))


def autograd_chain_gradient(autograd):
    return autograd.grad(chain(autograd.numpy))


def numba_chain(njit):
    import math

    import numpy as np

    @njit
    def total(y):
        found = 0.0
        for v in y:
            found += math.log1p(math.exp(math.sin(v) * math.tanh(v))) * math.cos(v)
        return np.float32(found)

    return total


# --- networks, loops, factorizations -------------------------------------------------------


def torch_step_tape(torch, parameters, x, y):
    parameters = require_grad(parameters)
    leaves = flat(parameters)

    def run():
        slopes = torch.autograd.grad(mlp_squared_loss(torch, parameters, x, y), leaves)
        with torch.no_grad():
            return layers([p - 0.1 * g for p, g in zip(leaves, slopes, strict=True)])

    return run


def torch_step(torch):
    gradient = torch.func.grad(lambda p, x, y: mlp_squared_loss(torch, p, x, y))

    def step(parameters, x, y):
        slopes = gradient(parameters, x, y)
        pairs = zip(flat(parameters), flat(slopes), strict=True)
        return layers([p - 0.1 * g for p, g in pairs])

    return step


def autograd_step(autograd):
    gradient = autograd.grad(lambda p, x, y: mlp_squared_loss(autograd.numpy, p, x, y))

    def step(parameters, x, y):
        pairs = zip(flat(parameters), flat(gradient(parameters, x, y)), strict=True)
        return layers([p - 0.1 * g for p, g in pairs])

    return step


def torch_network(torch, parameters, x):
    functional = torch.nn.functional
    (w1, b1), (w2, b2), (w3, b3), (w4, b4) = parameters
    h = x.permute(0, 3, 1, 2)
    for w, b in ((w1, b1), (w2, b2)):
        h = functional.conv2d(h, w.permute(3, 2, 0, 1), b.reshape(-1), padding=1).relu()
    h = functional.max_pool2d(h, 2, 1).permute(0, 2, 3, 1).reshape(len(x), -1)
    return torch.log_softmax((h @ w3 + b3).relu() @ w4 + b4, 1)


def torch_convolution(torch, parameters, x, labels):
    def run():
        with torch.no_grad():
            return torch_network(torch, parameters, x)

    return run


def torch_convolution_gradient(torch, parameters, x, labels):
    parameters = require_grad(parameters)
    leaves = flat(parameters)

    def run():
        loss = -(torch_network(torch, parameters, x) * labels).sum(1).mean()
        return layers(list(torch.autograd.grad(loss, leaves)))

    return run


def _torch_states(torch, w, h, xs):
    states = []
    for x in xs:
        h = torch.tanh(w @ h + x)
        states.append(h)
    return torch.stack(states)


def torch_recurrent(torch):
    return lambda w, h, xs: torch.sum(_torch_states(torch, w, h, xs) ** 2)


def torch_recurrent_gradient(torch, w, h, xs):
    w = w.clone().requires_grad_()
    loss = torch_recurrent(torch)
    return lambda: torch.autograd.grad(loss(w, h, xs), w)[0]


def numba_recurrent(njit):
    import numpy as np

    @njit
    def loss(w, h, xs):
        found = 0.0
        for x in xs:
            h = np.tanh(np.dot(w, h) + x)
            found += np.sum(h**2)
        return np.float32(found)

    return loss


def torch_newton(torch):
    def root(a):
        x, last = a, a + 1
        while True:
            going = (x - last).abs() > 1e-5
            if not going.any():
                return x
            x, last = torch.where(going, (x + a / x) / 2, x), torch.where(going, x, last)

    return root


def numba_newton(njit):
    import numpy as np

    @njit
    def roots(starts):
        found = np.empty_like(starts)
        for i, a in enumerate(starts):
            x, last = a, a + np.float32(1)
            while abs(x - last) > np.float32(1e-5):
                x, last = (x + a / x) / np.float32(2), x
            found[i] = x
        return found

    return roots


def numba_counted(njit):
    import numpy as np

    @njit
    def orbit(x):
        for _ in range(1000):
            x = x + np.float32(0.01) * (np.float32(1) - x * x)
        return x

    return orbit


def torch_process(torch, theta, x, y):
    theta = theta.clone().requires_grad_()
    eye = torch.eye(len(x))

    def run():
        length, scale, noise = torch.exp(theta)
        square = (x[:, None] - x[None, :]) ** 2
        k = scale * torch.exp(-square / (2 * length**2)) + noise * eye
        factor = torch.linalg.cholesky(k)
        white = torch.linalg.solve_triangular(factor, y[:, None], upper=False)
        loss = torch.sum(white**2) / 2 + torch.sum(torch.log(torch.diag(factor)))
        return torch.autograd.grad(loss, theta)[0]

    return run


def autograd_process(autograd):
    anp = autograd.numpy
    linalg = importlib.import_module("autograd.scipy.linalg")

    def loss(theta, x, y):
        length, scale, noise = anp.exp(theta)
        square = (x[:, None] - x[None, :]) ** 2
        k = scale * anp.exp(-square / (2 * length**2)) + noise * anp.eye(len(x))
        factor = anp.linalg.cholesky(k)
        white = linalg.solve_triangular(factor, y, lower=True)
        return anp.sum(white**2) / 2 + anp.sum(anp.log(anp.diag(factor)))

    return autograd.grad(loss)


FORMS: dict[str, dict[str, tuple]] = {
    "jit_squares_gradient": {
        "torch": (torch_squares_tape, *torch_function(torch_squares_gradient)),
        "autograd": autograd_function(autograd_squares_gradient),
    },
    "jit_squares_hessian": {"torch": torch_function(torch_squares_hessian, compiled=False)},
    "jit_squares_jacrev_twice": {
        "torch": torch_function(torch_squares_jacrev_twice, compiled=False)
    },
    "jit_squares_jacfwd": {"torch": torch_function(torch_squares_jacfwd, compiled=False)},
    "jit_squares_jacrev": {"torch": torch_function(torch_squares_jacrev, compiled=False)},
    "jit_squares_hvp": {"torch": torch_function(torch_squares_product, compiled=False)},
    "jit_softmax_jacfwd": {"torch": torch_function(torch_softmax("jacfwd"), compiled=False)},
    "jit_softmax_jacrev": {"torch": torch_function(torch_softmax("jacrev"), compiled=False)},
    "jit_tall_jacfwd": {"torch": torch_function(torch_softmax("jacfwd"), compiled=False)},
    "jit_tall_jacrev": {"torch": torch_function(torch_softmax("jacrev"), compiled=False)},
    "jit_hvp": {
        "torch": torch_function(torch_tanh_product),
        "autograd": autograd_function(autograd_tanh_product),
    },
    "jit_hvp_by_hessian": {"torch": torch_function(torch_tanh_hessian, compiled=False)},
    "jit_temporal": {"torch": torch_function(torch_temporal)},
    "jit_fourth": {
        "torch": torch_function(torch_fourth, compiled=False),
        "autograd": autograd_function(autograd_fourth),
    },
    "jit_polynomial": {
        "torch": torch_function(torch_polynomial),
        "numba": numba_function(numba_polynomial),
    },
    "jit_chain": {"torch": torch_function(chain), "numba": numba_function(numba_chain)},
    "jit_chain_gradient": {
        "torch": (torch_chain_tape, *torch_function(torch_chain_gradient)),
        "autograd": autograd_function(autograd_chain_gradient),
    },
    "jit_step": {
        "torch": (torch_step_tape, *torch_function(torch_step)),
        "autograd": autograd_function(autograd_step),
    },
    "jit_small_step": {
        "torch": (torch_step_tape, *torch_function(torch_step)),
        "autograd": autograd_function(autograd_step),
    },
    "jit_convolution": {"torch": (torch_convolution,)},
    "jit_convolution_gradient": {"torch": (torch_convolution_gradient,)},
    "jit_recurrent": {
        "torch": torch_function(torch_recurrent, compiled=False),
        "numba": numba_function(numba_recurrent),
    },
    "jit_recurrent_gradient": {"torch": (torch_recurrent_gradient,)},
    "jit_newton": {
        "torch": torch_function(torch_newton, compiled=False),
        "numba": numba_function(numba_newton),
    },
    "jit_counted": {"numba": numba_function(numba_counted)},
    "jit_process": {
        "torch": (torch_process,),
        "autograd": autograd_function(autograd_process),
    },
}
