"""Gradients of a loss: the bread and butter, with and without the optimizer's step."""

from __future__ import annotations

import numpy as np

from ..case import Case, jax_forms
from .models import (
    flat,
    layers,
    logistic,
    mlp_parameters,
    mlp_squared_loss,
    normal,
    require_grad,
)

STEP_SIZE = 0.01


def small_inputs(rng):
    return mlp_parameters(rng, (8, 32, 32, 4)), normal(rng, 32, 8), normal(rng, 32, 4)


def classifier_inputs(rng):
    one_hot = np.eye(10, dtype=np.float32)[rng.integers(0, 10, 128)]
    return mlp_parameters(rng, (784, 256, 128, 10)), normal(rng, 128, 784), one_hot


def logistic_inputs(rng):
    return normal(rng, 3), normal(rng, 1)[0], normal(rng, 4, 3), np.array([1, 1, 0, 1], np.float32)


# --- gradient of a small MLP ----------------------------------------------------------------


def grad(jax, parameters, x, y):
    gradient = jax.grad(lambda p, x, y: mlp_squared_loss(jax.numpy, p, x, y))
    return lambda: gradient(parameters, x, y)


def autograd_grad(autograd, parameters, x, y):
    gradient = autograd.grad(lambda p, x, y: mlp_squared_loss(autograd.numpy, p, x, y))
    return lambda: gradient(parameters, x, y)


def torch_autograd_grad(torch, parameters, x, y):
    parameters = require_grad(parameters)
    leaves = flat(parameters)
    return lambda: layers(torch.autograd.grad(mlp_squared_loss(torch, parameters, x, y), leaves))


def torch_backward(torch, parameters, x, y):
    parameters = require_grad(parameters)
    leaves = flat(parameters)

    def run():
        for leaf in leaves:
            leaf.grad = None
        mlp_squared_loss(torch, parameters, x, y).backward()
        return layers([leaf.grad for leaf in leaves])

    return run


def torch_func_grad(torch, parameters, x, y):
    gradient = torch.func.grad(lambda p, x, y: mlp_squared_loss(torch, p, x, y))
    return lambda: gradient(parameters, x, y)


# --- one step of gradient descent on it -----------------------------------------------------


def step(jax, parameters, x, y):
    value_and_grad = jax.value_and_grad(lambda p, x, y: mlp_squared_loss(jax.numpy, p, x, y))

    def run():
        loss, gradient = value_and_grad(parameters, x, y)
        update = jax.tree_util.tree_map(lambda p, g: p - STEP_SIZE * g, parameters, gradient)
        return loss, update

    return run


def autograd_step(autograd, parameters, x, y):
    value_and_grad = autograd.value_and_grad(
        lambda p, x, y: mlp_squared_loss(autograd.numpy, p, x, y)
    )

    def run():
        loss, gradient = value_and_grad(parameters, x, y)
        pairs = zip(flat(parameters), flat(gradient), strict=True)
        return loss, layers([p - STEP_SIZE * g for p, g in pairs])

    return run


def torch_step(torch, parameters, x, y):
    parameters = require_grad(parameters)
    leaves = flat(parameters)

    def run():
        loss = mlp_squared_loss(torch, parameters, x, y)
        gradient = torch.autograd.grad(loss, leaves)
        with torch.no_grad():
            new = [p - STEP_SIZE * g for p, g in zip(leaves, gradient, strict=True)]
        return loss.detach(), layers(new)

    return run


# --- a classifier large enough for the arithmetic to count -----------------------------------


def classifier(jax, parameters, x, labels):
    def loss(parameters):
        hidden = x
        for weights, biases in parameters[:-1]:
            hidden = jax.nn.relu(hidden @ weights + biases)
        weights, biases = parameters[-1]
        scores = jax.nn.log_softmax(hidden @ weights + biases)
        return -jax.numpy.mean(jax.numpy.sum(scores * labels, axis=1))

    gradient = jax.grad(loss)
    return lambda: gradient(parameters)


def autograd_classifier(autograd, parameters, x, labels):
    anp, logsumexp = autograd.numpy, autograd.scipy.special.logsumexp

    def loss(parameters):
        hidden = x
        for weights, biases in parameters[:-1]:
            hidden = anp.maximum(hidden @ weights + biases, 0)
        weights, biases = parameters[-1]
        logits = hidden @ weights + biases
        scores = logits - logsumexp(logits, axis=1, keepdims=True)
        return -anp.mean(anp.sum(scores * labels, axis=1))

    gradient = autograd.grad(loss)
    return lambda: gradient(parameters)


def torch_classifier(torch, parameters, x, labels):
    functional = torch.nn.functional
    parameters = require_grad(parameters)
    leaves = flat(parameters)

    def run():
        hidden = x
        for weights, biases in parameters[:-1]:
            hidden = functional.relu(hidden @ weights + biases)
        weights, biases = parameters[-1]
        loss = functional.cross_entropy(hidden @ weights + biases, labels)
        return layers(torch.autograd.grad(loss, leaves))

    return run


# --- the cookbook's logistic regression: nothing but overhead --------------------------------


def logistic_loss(xp, weights, bias, x, targets):
    predictions = logistic(xp, weights, bias, x)
    return -xp.sum(xp.log(predictions * targets + (1 - predictions) * (1 - targets)))


def logistic_grad(jax, weights, bias, x, targets):
    gradient = jax.grad(lambda w, b: logistic_loss(jax.numpy, w, b, x, targets), (0, 1))
    return lambda: gradient(weights, bias)


def autograd_logistic_grad(autograd, weights, bias, x, targets):
    gradient = autograd.grad(lambda w, b: logistic_loss(autograd.numpy, w, b, x, targets), (0, 1))
    return lambda: gradient(weights, bias)


def torch_logistic_grad(torch, weights, bias, x, targets):
    weights, bias = weights.requires_grad_(), bias.requires_grad_()
    return lambda: torch.autograd.grad(
        logistic_loss(torch, weights, bias, x, targets), (weights, bias)
    )


CASES = (
    Case(
        name="mlp_gradient",
        group="Gradient",
        title="gradient of an MLP's squared loss, 8-32-32-4, batch 32",
        inputs=small_inputs,
        forms={
            **jax_forms(grad),
            "autograd": (autograd_grad,),
            "torch": (torch_autograd_grad, torch_backward, torch_func_grad),
        },
    ),
    Case(
        name="mlp_step",
        group="Gradient",
        title="the same, with the loss and a gradient-descent step",
        inputs=small_inputs,
        forms={
            **jax_forms(step),
            "autograd": (autograd_step,),
            "torch": (torch_step,),
        },
    ),
    Case(
        name="classifier_gradient",
        group="Gradient",
        title="gradient of a ReLU classifier, 784-256-128-10, batch 128",
        inputs=classifier_inputs,
        forms={
            **jax_forms(classifier),
            "autograd": (autograd_classifier,),
            "torch": (torch_classifier,),
        },
    ),
    Case(
        name="logistic_gradient",
        group="Gradient",
        title="gradient of the cookbook's logistic regression, 4 examples of 3 features",
        inputs=logistic_inputs,
        forms={
            **jax_forms(logistic_grad),
            "autograd": (autograd_logistic_grad,),
            "torch": (torch_logistic_grad,),
        },
    ),
)
