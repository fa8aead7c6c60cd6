"""Programs written for HIPS autograd, run unchanged under autograd and under cinta: the same numbers."""

import importlib
from itertools import pairwise
from types import SimpleNamespace

import numpy
import pytest

import cinta.autodiff
import cinta.extend
import cinta.numpy
import cinta.scipy.special
import cinta.scipy.stats

autograd = pytest.importorskip("autograd")
for module in ("extend", "numpy", "numpy.random", "scipy.special", "scipy.stats"):
    importlib.import_module(f"autograd.{module}")

THEIRS = SimpleNamespace(
    np=autograd.numpy,
    npr=autograd.numpy.random,
    ad=autograd,
    extend=autograd.extend,
    special=autograd.scipy.special,
    stats=autograd.scipy.stats,
)
OURS = SimpleNamespace(
    np=cinta.numpy,
    npr=cinta.numpy.random,
    ad=cinta.autodiff,
    extend=cinta.extend,
    special=cinta.scipy.special,
    stats=cinta.scipy.stats,
)

PROGRAMS = []


def program(f):
    PROGRAMS.append(f)
    return f


@program
def tanh_and_its_derivatives(m):
    np = m.np

    def tanh(x):
        return (1.0 - np.exp(-2 * x)) / (1.0 + np.exp(-(2 * x)))

    x = np.linspace(-3, 3, 20)
    f, found = tanh, [tanh(x)]
    for _ in range(6):
        f = m.ad.elementwise_grad(f)
        found.append(f(x))
    return found


@program
def logistic_regression(m):
    np = m.np
    inputs = np.array([[0.52, 1.12, 0.77], [0.88, -1.08, 0.15], [0.52, 0.06, -1.30], [0.74, -2.49, 1.39]])
    targets = np.array([True, True, False, True])

    def training_loss(weights):
        preds = 0.5 * (np.tanh(np.dot(inputs, weights)) + 1)
        label_probabilities = preds * targets + (1 - preds) * (1 - targets)
        return -np.sum(np.log(label_probabilities))

    gradient = m.ad.grad(training_loss)
    weights = np.array([0.0, 0.0, 0.0])
    losses = [training_loss(weights)]
    for _ in range(100):
        weights -= gradient(weights) * 0.01
        losses.append(training_loss(weights))
    return [*losses, weights]


@program
def multilayer_perceptron_with_lists_of_tuples(m):
    np = m.np
    rs = m.npr.RandomState(0)
    sizes = [4, 6, 5, 3]
    params = [(0.1 * rs.randn(a, b), 0.1 * rs.randn(b)) for a, b in pairwise(sizes)]
    inputs, labels = rs.randn(7, 4), np.eye(3)[rs.randint(0, 3, 7)]

    def predict(params, x):
        for W, b in params:
            outputs = np.dot(x, W) + b
            x = np.tanh(outputs)
        return outputs - m.special.logsumexp(outputs, axis=1, keepdims=True)

    def objective(params, t):
        prior = -sum(np.sum(W**2) + np.sum(b**2) for W, b in params)
        return -(prior / (2 * 0.1) + np.sum(predict(params, inputs) * labels))

    gradient = m.ad.grad(objective)
    for t in range(5):
        params = [(W - 0.01 * dW, b - 0.01 * db) for (W, b), (dW, db) in zip(params, gradient(params, t))]
    return [objective(params, 0), *[array for layer in params for array in layer]]


@program
def adam_over_a_dictionary(m):
    np = m.np
    x, y = np.linspace(-1, 1, 9), np.sin(3 * np.linspace(-1, 1, 9))

    def loss(p):
        hidden = np.maximum(np.outer(x, p["w"]) + p["b"], 0.1 * (np.outer(x, p["w"]) + p["b"]))
        return np.mean((np.dot(hidden, p["v"]) + p["c"] - y) ** 2)

    p = {"w": np.linspace(-1, 1, 5), "b": np.linspace(0.3, -0.2, 5), "v": np.linspace(0.5, -0.5, 5), "c": 0.1}
    first = {k: np.zeros(np.shape(v)) for k, v in p.items()}
    second = {k: np.zeros(np.shape(v)) for k, v in p.items()}
    gradient = m.ad.grad(loss)
    for i in range(20):
        g = gradient(p)
        for k in p:
            first[k] = 0.9 * first[k] + 0.1 * g[k]
            second[k] = 0.999 * second[k] + 0.001 * g[k] ** 2
            p[k] = p[k] - 0.05 * (first[k] / (1 - 0.9 ** (i + 1))) / (
                np.sqrt(second[k] / (1 - 0.999 ** (i + 1))) + 1e-8
            )
    return [loss(p), *[p[k] for k in sorted(p)]]


@program
def recurrent_network(m):
    np = m.np
    rs = m.npr.RandomState(1)
    params = {"init": 0.1 * rs.randn(1, 6), "change": 0.4 * rs.randn(3 + 6 + 1, 6), "predict": 0.4 * rs.randn(6 + 1, 3)}
    inputs = np.eye(3)[rs.randint(0, 3, (8, 2))]

    def concat_and_multiply(weights, *args):
        cat_state = np.hstack((*args, np.ones((args[0].shape[0], 1))))
        return np.dot(cat_state, weights)

    def loss(params):
        hiddens = np.repeat(params["init"], inputs.shape[1], axis=0)
        total = 0.0
        for step in inputs:
            output = concat_and_multiply(params["predict"], hiddens)
            output = output - m.special.logsumexp(output, axis=1, keepdims=True)
            total = total - np.sum(output * step)
            hiddens = np.tanh(concat_and_multiply(params["change"], step, hiddens))
        return total / inputs.shape[0]

    value, g = m.ad.value_and_grad(loss)(params)
    return [value, *[g[k] for k in sorted(g)]]


@program
def lstm_gates(m):
    np = m.np
    rs = m.npr.RandomState(2)
    W = 0.3 * rs.randn(4, 3 + 5 + 1, 5)
    xs = rs.randn(6, 2, 3)

    def sigmoid(x):
        return 0.5 * (np.tanh(x / 2) + 1)

    def loss(W):
        h, c = np.zeros((2, 5)), np.zeros((2, 5))
        for x in xs:
            z = np.concatenate([x, h, np.ones((2, 1))], axis=1)
            i, f, o, g = [np.dot(z, W[k]) for k in range(4)]
            c = sigmoid(f + 1.0) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        return np.mean(h**2)

    return [loss(W), m.ad.grad(loss)(W)]


@program
def gaussian_process_likelihood(m):
    np = m.np
    x = np.linspace(-2, 2, 8)[:, None]
    y = np.sin(2 * x[:, 0])

    def negative_log_likelihood(params):
        scale, length, noise = np.exp(params[0]), np.exp(params[1]), np.exp(params[2]) + 0.01
        diffs = np.expand_dims(x / length, 1) - np.expand_dims(x / length, 0)
        K = scale * np.exp(-0.5 * np.sum(diffs**2, axis=2)) + noise * np.eye(len(y))
        _, logdet = np.linalg.slogdet(K)
        return 0.5 * np.dot(y, np.linalg.solve(K, y)) + 0.5 * logdet + 0.5 * len(y) * np.log(2 * np.pi)

    p = np.array([0.1, -0.3, -2.0])
    return [negative_log_likelihood(p), m.ad.grad(negative_log_likelihood)(p), m.ad.hessian(negative_log_likelihood)(p)]


@program
def black_box_variational_inference(m):
    np = m.np
    rs = m.npr.RandomState(3)
    draws = rs.randn(40, 2)

    def log_density(x):
        mu, log_sigma = x[:, 0], x[:, 1]
        return m.stats.norm.logpdf(log_sigma, 0, 1.35) + m.stats.norm.logpdf(mu, 0, np.exp(log_sigma))

    def objective(params):
        mean, log_std = params[:2], params[2:]
        samples = draws * np.exp(log_std) + mean
        entropy = 0.5 * 2 * (1.0 + np.log(2 * np.pi)) + np.sum(log_std)
        return -(entropy + np.mean(log_density(samples)))

    p = np.concatenate([-1 * np.ones(2), -5 * np.ones(2)])
    gradient = m.ad.grad(objective)
    for _ in range(10):
        p = p - 0.05 * gradient(p)
    return [objective(p), p]


@program
def mixture_of_gaussians(m):
    np = m.np
    rs = m.npr.RandomState(4)
    data = np.vstack([rs.randn(6, 2) - 1.5, rs.randn(6, 2) + 1.5])

    def log_likelihood(params):
        proportions = params["log_proportions"] - m.special.logsumexp(params["log_proportions"])
        parts = []
        for log_p, mean, lower in zip(proportions, params["means"], params["lowers"]):
            cov = np.dot(lower.T, lower)
            centred = data - mean
            solved = np.linalg.solve(cov, centred.T)
            parts.append(
                log_p - 0.5 * np.sum(centred * solved.T, axis=1) - 0.5 * np.log(np.linalg.det(2 * np.pi * cov))
            )
        return np.sum(m.special.logsumexp(np.vstack(parts), axis=0))

    params = {
        "log_proportions": np.zeros(2),
        "means": [np.array([-1.0, 0.0]), np.array([1.0, 0.5])],
        "lowers": [np.array([[1.0, 0.2], [0.0, 1.1]]), np.eye(2)],
    }
    value, g = m.ad.value_and_grad(log_likelihood)(params)
    return [value, g["log_proportions"], *g["means"], *g["lowers"]]


@program
def fluid_simulation_steps(m):
    np = m.np
    rows, cols = 6, 7
    start = np.reshape(np.sin(np.arange(2.0 * rows * cols)), (2, rows, cols))

    def project(vx, vy):
        p = np.zeros(vx.shape)
        h = 1.0 / vx.shape[0]
        div = (
            -0.5
            * h
            * (np.roll(vx, -1, axis=0) - np.roll(vx, 1, axis=0) + np.roll(vy, -1, axis=1) - np.roll(vy, 1, axis=1))
        )
        for _ in range(6):
            p = (
                div + np.roll(p, 1, axis=0) + np.roll(p, -1, axis=0) + np.roll(p, 1, axis=1) + np.roll(p, -1, axis=1)
            ) / 4.0
        vx = vx - 0.5 * (np.roll(p, -1, axis=0) - np.roll(p, 1, axis=0)) / h
        vy = vy - 0.5 * (np.roll(p, -1, axis=1) - np.roll(p, 1, axis=1)) / h
        return vx, vy

    def advect(f, vx, vy):
        cell_ys, cell_xs = np.meshgrid(np.arange(cols), np.arange(rows))
        center_xs, center_ys = (cell_xs - vx).ravel(), (cell_ys - vy).ravel()
        left_ix, top_ix = np.floor(center_xs).astype(int), np.floor(center_ys).astype(int)
        rw, bw = center_xs - left_ix, center_ys - top_ix
        left_ix, right_ix = np.mod(left_ix, rows), np.mod(left_ix + 1, rows)
        top_ix, bot_ix = np.mod(top_ix, cols), np.mod(top_ix + 1, cols)
        flat = (1 - rw) * ((1 - bw) * f[left_ix, top_ix] + bw * f[left_ix, bot_ix])
        flat = flat + rw * ((1 - bw) * f[right_ix, top_ix] + bw * f[right_ix, bot_ix])
        return np.reshape(flat, (rows, cols))

    def objective(flat):
        vx, vy = np.reshape(flat, (2, rows, cols))
        smoke = np.cos(np.reshape(np.arange(1.0 * rows * cols), (rows, cols)))
        for _ in range(2):
            vx, vy = project(advect(vx, vx, vy), advect(vy, vx, vy))
            smoke = advect(smoke, vx, vy)
        return np.mean((smoke - 0.3) ** 2)

    value, g = m.ad.value_and_grad(objective)(0.3 * start.ravel())
    return [value, g]


@program
def rosenbrock_with_newton(m):
    np = m.np

    def rosenbrock(x):
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    x = np.array([-1.2, 1.0, 0.8])
    path = []
    for _ in range(4):
        g, h = m.ad.grad(rosenbrock)(x), m.ad.hessian(rosenbrock)(x)
        path += [g, h, m.ad.hessian_vector_product(rosenbrock)(x, g)]
        x = x - np.linalg.solve(h, g)
    return [*path, x]


@program
def jacobians_and_products(m):
    np = m.np

    def f(x):
        return np.array([x[0] * x[1], np.sin(x[2]), np.sum(x**3), np.max(x)])

    x, v, u = np.array([0.5, -1.5, 2.0]), np.array([1.0, 2.0, -1.0]), np.array([0.3, 0.2, 0.1, -1.0])
    pull, value = m.ad.make_vjp(f)(x)
    return [m.ad.jacobian(f)(x), value, pull(u), *m.ad.make_jvp(lambda x: np.sin(x) * x[0])(x)(v)]


@program
def primitive_with_its_own_gradient(m):
    np = m.np

    @m.extend.primitive
    def logsumexp(x):
        max_x = np.max(x)
        return max_x + np.log(np.sum(np.exp(x - max_x)))

    def logsumexp_vjp(ans, x):
        shape = x.shape
        return lambda g: np.full(shape, g) * np.exp(x - np.full(shape, ans))

    m.extend.defvjp(logsumexp, logsumexp_vjp)
    x = np.array([1.5, 6.7, 1e-10])

    def example(y):
        z = y**2
        lse = logsumexp(z)
        return lse * y[0]

    return [example(x), m.ad.grad(example)(x), m.ad.hessian(example)(x)]


@program
def convolution_by_hand_and_pooling(m):
    np = m.np
    rs = m.npr.RandomState(6)
    image, kernel = rs.randn(6, 6), rs.randn(3, 3)

    def loss(kernel):
        rows = [np.sum(np.sum(image[i : i + 4, j : j + 4]) * kernel[i, j]) for i in range(3) for j in range(3)]
        windows = np.stack(
            [np.stack([np.sum(image[i : i + 3, j : j + 3] * kernel) for j in range(4)]) for i in range(4)]
        )
        pooled = np.max(np.reshape(windows, (2, 2, 2, 2)), axis=(1, 3))
        return np.sum(np.log1p(np.exp(pooled))) + 0.01 * np.sum(np.array(rows))

    return [loss(kernel), m.ad.grad(loss)(kernel)]


@program
def ordinary_differential_equation(m):
    np = m.np

    def trajectory(theta):
        state, out = np.array([2.0, 0.0]), []
        for _ in range(30):

            def slope(s):
                return np.array([s[1], theta[0] * (1 - s[0] ** 2) * s[1] - theta[1] * s[0]])

            k1 = slope(state)
            k2 = slope(state + 0.05 * k1)
            state = state + 0.1 * k2
            out.append(state)
        return np.concatenate(out)

    theta = np.array([0.7, 1.1])
    return [trajectory(theta), m.ad.jacobian(trajectory)(theta), m.ad.grad(lambda t: np.sum(trajectory(t) ** 2))(theta)]


@program
def statistics_of_data(m):
    np = m.np
    x = np.array([[0.3, -1.2, 2.0, 0.7], [1.1, 0.4, -0.6, 1.9], [0.2, 0.9, 1.3, -2.1]])

    def f(x):
        z = (x - np.mean(x, axis=0)) / np.std(x, axis=0)
        corner = np.where(z > 0, z**2, np.linalg.norm(z, axis=0) + 0.0 * z) + np.tril(np.dot(z.T, z)).sum()
        spread = np.sum(np.diff(np.cumsum(x, axis=1), axis=1) ** 2) + np.sum(np.sort(x[0])[1:] ** 2)
        return np.sum(corner) + spread + np.trace(np.einsum("ij,kj->ik", x, x)) + np.var(x) * np.prod(x[0])

    return [f(x), m.ad.grad(f)(x)]


@pytest.mark.parametrize("run", PROGRAMS, ids=lambda f: f.__name__)
def test_program_gives_the_same_numbers(run):
    theirs, ours = run(THEIRS), run(OURS)
    assert len(theirs) == len(ours)
    for a, b in zip(ours, theirs):
        a, b = numpy.asarray(a), numpy.asarray(b)
        assert a.shape == b.shape
        assert a.dtype == b.dtype == numpy.float64
        numpy.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


def test_as_many_programs_as_promised():
    assert len(PROGRAMS) >= 12
