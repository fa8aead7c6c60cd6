"""Layer-norm LSTM and GRU, and dropout on recurrent connections: loops in NumPy, finite differences, lengths."""

import numpy as np
import pytest

import cinta as ct
from cinta import nn

NORMED = {"LSTM": nn.LayerNormLSTM, "GRU": nn.LayerNormGRU}
PLAIN = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
LENGTHS = [2, 6, 0, 4]


def hidden(state):
    return state[0] if isinstance(state, tuple) else state


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def norm(z, weight, bias, eps=1e-5):
    return (z - z.mean()) / np.sqrt(z.var() + eps) * weight + bias


def parameters_of(layer, suffix):
    return {
        name.removesuffix(suffix): value.detach().numpy()
        for name, value in layer.named_parameters()
        if name.endswith(suffix)
    }


def products(kind, p, x, h):
    """Of one sequence at one step: what the gates get from the input and from the state."""
    of_x, of_h = p["weight_ih"] @ x, p["weight_hh"] @ h
    if "norm_ih_weight" not in p:
        return of_x + p["bias_ih"], of_h + p["bias_hh"]
    cut = len(of_x) * 2 // 3 if kind == "GRU" else len(of_x)
    parts = [slice(0, cut), slice(cut, None)] if kind == "GRU" else [slice(None)]
    return (
        np.concatenate([norm(z[part], p[f"norm_{of}_weight"][part], p[f"norm_{of}_bias"][part]) for part in parts])
        for z, of in ((of_x, "ih"), (of_h, "hh"))
    )


def one_step(kind, p, x, h, c, mask):
    of_x, of_h = products(kind, p, x, h * mask)
    if kind == "RNN":
        return np.tanh(of_x + of_h), c
    if kind == "GRU":
        (rx, zx, nx), (rh, zh, nh) = np.split(of_x, 3), np.split(of_h, 3)
        z = sigmoid(zx + zh)
        return (1 - z) * np.tanh(nx + sigmoid(rx + rh) * nh) + z * h, c
    i, f, g, o = np.split(of_x + of_h, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    inner = norm(c, p["norm_c_weight"], p["norm_c_bias"]) if "norm_c_weight" in p else c
    return sigmoid(o) * np.tanh(inner), c


def reference(kind, layer, x, h0, c0, lengths, masks=None):
    """All layers and directions of [T,B,I]: y and the last states. masks: of h, one for each run."""
    last, run, (steps, batch, _) = [], 0, x.shape
    for depth in range(layer.num_layers):
        outputs = []
        for suffix in [f"_l{depth}"] + [f"_l{depth}_reverse"] * layer.bidirectional:
            p, y = parameters_of(layer, suffix), np.zeros((steps, batch, layer.hidden_size))
            h, c = h0[run].copy(), c0[run].copy()
            for b in range(batch):
                times = range(steps if lengths is None else lengths[b])
                for t in reversed(times) if suffix.endswith("reverse") else times:
                    mask = 1.0 if masks is None else masks[run][b]
                    h[b], c[b] = one_step(kind, p, x[t, b], h[b], c[b], mask)
                    y[t, b] = h[b]
            outputs.append(y)
            last.append((h, c))
            run += 1
        x = np.concatenate(outputs, -1)
    return x, *(np.stack(states) for states in zip(*last))


def randomised(layer):
    """Norms away from 1 and 0."""
    for name, parameter in layer.named_parameters():
        if name.startswith("norm"):
            ct.random.normal_(parameter, 1.0 if "weight" in name else 0.0, 0.3)
    return layer


def states(kind, h, c):
    return (ct.tensor(h), ct.tensor(c)) if kind == "LSTM" else ct.tensor(h)


@pytest.mark.parametrize("kind", NORMED)
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
@pytest.mark.parametrize(("layers", "two"), [(1, False), (2, True)])
def test_layer_norm_is_the_loop(kind, lengths, layers, two):
    rng = np.random.default_rng(0)
    layer = randomised(NORMED[kind](3, 5, layers, bidirectional=two, dtype="float64"))
    x, h0, c0 = (rng.normal(size=s) for s in [(6, 4, 3), *[(layers * (1 + two), 4, 5)] * 2])
    expected = reference(kind, layer, x, h0, c0, lengths)
    y, last = layer(ct.tensor(x), states(kind, h0, c0), lengths=lengths)
    for a, e in zip([y, *(last if kind == "LSTM" else [last])], expected):
        np.testing.assert_allclose(a.detach().numpy(), e, atol=1e-12)


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
def test_recurrent_dropout_is_one_mask_for_all_steps(kind, lengths):
    rng = np.random.default_rng(0)
    layer = PLAIN[kind](3, 8, bidirectional=True, dtype="float64", recurrent_dropout=0.4)
    x, h0, c0 = (rng.normal(size=s) for s in [(6, 4, 3), (2, 4, 8), (2, 4, 8)])
    ct.random.seed(3)
    masks = [ct.nn.functional.dropout(ct.ones((4, 8), dtype="float64"), 0.4).numpy() for _ in range(2)]
    assert {0.0, 1 / 0.6} == {float(v) for v in np.unique(masks)}
    expected = reference(kind, layer, x, h0, c0, lengths, masks)
    ct.random.seed(3)
    y, _ = layer(ct.tensor(x), states(kind, h0, c0), lengths=lengths)
    np.testing.assert_allclose(y.detach().numpy(), expected[0], atol=1e-12)
    layer.eval()
    y, _ = layer(ct.tensor(x), states(kind, h0, c0), lengths=lengths)
    np.testing.assert_allclose(y.detach().numpy(), reference(kind, layer, x, h0, c0, lengths)[0], atol=1e-12)


@pytest.mark.parametrize("kind", NORMED)
def test_derivatives_of_two_orders(kind):
    """Along a random direction, against central differences."""
    rng = np.random.default_rng(0)
    layer = randomised(NORMED[kind](3, 4, dtype="float64"))
    x = rng.normal(size=(4, 3, 3))
    names = list(dict(layer.named_parameters()))
    values = [p.detach().numpy().copy() for p in layer.parameters()]
    along = [rng.normal(size=v.shape) for v in values]

    def loss(*parameters):
        for name, value in zip(names, parameters):
            object.__setattr__(layer, name, value)
        y, last = layer(ct.tensor(x), lengths=[4, 2, 3])
        return (y**2).sum() + (hidden(last) ** 3).sum()

    def slope(*parameters):
        gradients = ct.grad(loss, tuple(range(len(names))))(*parameters)
        return sum((g * ct.tensor(d)).sum() for g, d in zip(gradients, along))

    def moved(step):
        return [ct.tensor(v + step * d) for v, d in zip(values, along)]

    for f, derivative in ((loss, slope), (slope, lambda *p: sum(
        (g * ct.tensor(d)).sum() for g, d in zip(ct.grad(slope, tuple(range(len(names))))(*p), along)))):  # fmt: skip
        difference = (f(*moved(1e-5)).item() - f(*moved(-1e-5)).item()) / 2e-5
        np.testing.assert_allclose(derivative(*moved(0)).item(), difference, rtol=1e-6)


@pytest.mark.parametrize("layer", [*NORMED.values(), lambda *a, **k: nn.GRU(*a, recurrent_dropout=0.5, **k)])
def test_padding_is_never_read(layer):
    layer = layer(3, 4, num_layers=2, bidirectional=True)
    x = np.random.default_rng(0).normal(size=(6, 4, 3)).astype(np.float32)
    poisoned = x.copy()
    for b, length in enumerate(LENGTHS):
        poisoned[length:, b] = np.nan
    results = []
    for values in (x, poisoned):
        ct.random.seed(0)
        layer.zero_grad()
        tensor = ct.tensor(values, requires_grad=True)
        y, last = layer(tensor, lengths=LENGTHS)
        (y.sum() + hidden(last).sum()).backward()
        gradients = [p.grad.numpy().copy() for p in layer.parameters()]
        results.append([y.detach().numpy(), hidden(last).detach().numpy(), tensor.grad.numpy(), *gradients])
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)
    assert not results[0][0][4:, 3].any()


@pytest.mark.parametrize("kind", NORMED)
def test_compiled_is_the_same(kind):
    layer = NORMED[kind](3, 6, recurrent_dropout=0.3)

    def step(x, lengths):
        layer.zero_grad()
        y, _ = layer(x, lengths=lengths)
        loss = (y * y).sum()
        loss.backward()
        return loss

    compiled, found = ct.compile(step), []
    for run in (step, compiled):
        ct.random.seed(0)
        rng = np.random.default_rng(0)
        for _ in range(4):
            x, lengths = ct.tensor(rng.normal(size=(5, 4, 3)).astype(np.float32)), ct.tensor(rng.integers(0, 6, 4))
            found.append([run(x, lengths).item(), *(p.grad.numpy().copy() for p in layer.parameters())])
    for a, b in zip(found[:4], found[4:]):
        for u, v in zip(a, b):
            np.testing.assert_array_equal(u, v)


def test_arguments():
    layer = nn.LayerNormLSTM(4, 6, 2, bias=False, batch_first=True, proj_size=3)
    y, (h, c) = layer(ct.ones((2, 5, 4)))
    assert (y.shape, h.shape, c.shape) == ((2, 5, 3), (2, 2, 3), (2, 2, 6))
    assert not any("bias" in name for name in layer.state_dict())
    assert layer.weight_hr_l1.shape == (3, 6)
    y, h = nn.LayerNormGRU(4, 6)(ct.ones((0, 2, 4)))
    assert (y.shape, h.shape) == ((0, 2, 6), (1, 2, 6))
    other = nn.LayerNormLSTM(4, 6, 2, bias=False, batch_first=True, proj_size=3)
    other.load_state_dict(layer.state_dict())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.LSTM(4, 6, recurrent_dropout=1.0), "recurrent_dropout got 1.0, expected a probability below 1"),
        (lambda: nn.LayerNormGRU(4, 6)(ct.zeros((3, 2, 4)), lengths=[3, 4]), r"lengths\[1\] is 4, expected 0 to 3"),
        (lambda: nn.LayerNormGRU(4, 6)(ct.zeros((3, 2, 4)), lengths=[3]), r"lengths has shape \[1\], expected \[2\]"),
        (lambda: nn.LayerNormGRU(4, 6)(ct.zeros((3, 2, 5))), "input has 5 features"),
        (lambda: nn.VariationalDropout(2.0), "p got 2.0"),
        (lambda: nn.VariationalDropout()(ct.zeros(3)), r"input has shape \[3\]"),
    ],
)  # fmt: skip
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_variational_dropout_of_batches_and_modes():
    x = ct.ones((3, 50, 4))
    y = nn.VariationalDropout(0.5, batch_first=True)(x).numpy()
    assert (y == y[:, :1]).all()
    assert not (y == y[:1]).all()
    assert nn.VariationalDropout(0.5).eval()(x) is x
    assert not nn.VariationalDropout(1.0)(x).numpy().any()
