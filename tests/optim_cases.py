"""Every optimizer with its formula in NumPy float64: a generator that takes (parameter, gradient), gives the next."""

import itertools

import numpy as np

from cinta import optim


def sgd(lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False):
    v = None
    p, g = yield
    while True:
        g = (-g if maximize else g) + weight_decay * p
        if momentum:
            v = g if v is None else momentum * v + (1 - dampening) * g
            g = g + momentum * v if nesterov else v
        p, g = yield p - lr * g


def adam(lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False, maximize=False, decoupled=False):
    m = v = largest = 0.0
    p, g = yield
    for t in itertools.count(1):
        g = -g if maximize else g
        if decoupled:
            p = p * (1 - lr * weight_decay)
        else:
            g = g + weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        largest = np.maximum(largest, v)
        second = (largest if amsgrad else v) / (1 - betas[1] ** t)
        p, g = yield p - lr * m / (1 - betas[0] ** t) / (np.sqrt(second) + eps)


def adamw(weight_decay=1e-2, **options):
    return adam(weight_decay=weight_decay, decoupled=True, **options)


def rmsprop(lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False, maximize=False):
    s = mean = b = 0.0
    p, g = yield
    while True:
        g = (-g if maximize else g) + weight_decay * p
        s = alpha * s + (1 - alpha) * g**2
        mean = alpha * mean + (1 - alpha) * g
        b = momentum * b + g / (np.sqrt(s - mean**2 if centered else s) + eps)
        p, g = yield p - lr * b


def adagrad(lr=1e-2, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, eps=1e-10, maximize=False):
    s = initial_accumulator_value
    p, g = yield
    for t in itertools.count():
        g = (-g if maximize else g) + weight_decay * p
        s = s + g**2
        p, g = yield p - lr / (1 + t * lr_decay) * g / (np.sqrt(s) + eps)


def adadelta(lr=1.0, rho=0.9, eps=1e-6, weight_decay=0.0, maximize=False):
    s = u = 0.0
    p, g = yield
    while True:
        g = (-g if maximize else g) + weight_decay * p
        s = rho * s + (1 - rho) * g**2
        d = np.sqrt(u + eps) / np.sqrt(s + eps) * g
        u = rho * u + (1 - rho) * d**2
        p, g = yield p - lr * d


def nadam(lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, momentum_decay=4e-3, decoupled_weight_decay=False,
          maximize=False):  # fmt: skip
    m, v, product = 0.0, 0.0, 1.0
    p, g = yield
    for t in itertools.count(1):
        g = -g if maximize else g
        if decoupled_weight_decay:
            p = p * (1 - lr * weight_decay)
        else:
            g = g + weight_decay * p
        mu, mu_next = (betas[0] * (1 - 0.5 * 0.96 ** (s * momentum_decay)) for s in (t, t + 1))
        product = product * mu
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        ahead = (1 - mu) * g / (1 - product) + mu_next * m / (1 - product * mu_next)
        p, g = yield p - lr * ahead / (np.sqrt(v / (1 - betas[1] ** t)) + eps)


def radam(lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, decoupled_weight_decay=False, maximize=False):
    m = v = 0.0
    longest = 2 / (1 - betas[1]) - 1
    p, g = yield
    for t in itertools.count(1):
        g = -g if maximize else g
        if decoupled_weight_decay:
            p = p * (1 - lr * weight_decay)
        else:
            g = g + weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        length = longest - 2 * t * betas[1] ** t / (1 - betas[1] ** t)
        step = lr * m / (1 - betas[0] ** t)
        if length > 5:
            r = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            step = step * np.sqrt(r * (1 - betas[1] ** t)) / (np.sqrt(v) + eps)
        p, g = yield p - step


def adamax(lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, maximize=False):
    m = u = 0.0
    p, g = yield
    for t in itertools.count(1):
        g = (-g if maximize else g) + weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        u = np.maximum(betas[1] * u, abs(g) + eps)
        p, g = yield p - lr / (1 - betas[0] ** t) * m / u


def lion(lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0, maximize=False):
    m = 0.0
    p, g = yield
    while True:
        g = -g if maximize else g
        c = np.sign(betas[0] * m + (1 - betas[0]) * g)
        m = betas[1] * m + (1 - betas[1]) * g
        p, g = yield p * (1 - lr * weight_decay) - lr * c


def rprop(lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50.0), maximize=False):
    before, size = 0.0, lr
    p, g = yield
    while True:
        g = -g if maximize else g
        q = g * before
        size = np.clip(size * np.where(q > 0, etas[1], np.where(q < 0, etas[0], 1.0)), *step_sizes)
        before = np.where(q < 0, 0.0, g)
        p, g = yield p - size * np.sign(before)


CASES = [
    (optim.SGD, sgd, {}),
    (optim.SGD, sgd, {"lr": 0.1}),
    (optim.SGD, sgd, {"lr": 0.1, "weight_decay": 0.3, "maximize": True}),
    (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.9}),
    (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.9, "dampening": 0.4, "weight_decay": 0.1}),
    (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.9, "maximize": True}),
    (optim.Adam, adam, {}),
    (optim.Adam, adam, {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3}),
    (optim.Adam, adam, {"lr": 0.05, "weight_decay": 0.2, "amsgrad": True}),
    (optim.Adam, adam, {"lr": 0.05, "maximize": True}),
    (optim.AdamW, adamw, {}),
    (optim.AdamW, adamw, {"lr": 0.05, "weight_decay": 0.2, "amsgrad": True, "maximize": True}),
    (optim.RMSprop, rmsprop, {}),
    (optim.RMSprop, rmsprop, {"lr": 0.05, "alpha": 0.9, "weight_decay": 0.1, "maximize": True}),
    (optim.RMSprop, rmsprop, {"lr": 0.05, "momentum": 0.8}),
    (optim.RMSprop, rmsprop, {"lr": 0.05, "centered": True, "eps": 1e-2}),
    (optim.RMSprop, rmsprop, {"lr": 0.05, "centered": True, "momentum": 0.8, "eps": 1e-2}),
    (optim.Adagrad, adagrad, {}),
    (optim.Adagrad, adagrad, {"lr": 0.3, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5}),
    (optim.Adagrad, adagrad, {"lr": 0.3, "eps": 1e-2, "maximize": True}),
    (optim.Adadelta, adadelta, {}),
    (optim.Adadelta, adadelta, {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    (optim.NAdam, nadam, {}),
    (optim.NAdam, nadam, {"lr": 0.05, "betas": (0.8, 0.95), "weight_decay": 0.2, "momentum_decay": 0.1}),
    (optim.NAdam, nadam, {"lr": 0.05, "weight_decay": 0.2, "decoupled_weight_decay": True, "maximize": True}),
    (optim.RAdam, radam, {}),
    (optim.RAdam, radam, {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.2}),
    (optim.RAdam, radam, {"lr": 0.05, "weight_decay": 0.2, "decoupled_weight_decay": True, "maximize": True}),
    (optim.Adamax, adamax, {}),
    (optim.Adamax, adamax, {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-2, "weight_decay": 0.2, "maximize": True}),
    (optim.Lion, lion, {}),
    (optim.Lion, lion, {"lr": 0.02, "betas": (0.8, 0.95), "weight_decay": 0.2, "maximize": True}),
    (optim.Rprop, rprop, {}),
    (optim.Rprop, rprop, {"lr": 0.05, "etas": (0.4, 1.5), "step_sizes": (0.02, 0.08), "maximize": True}),
]
