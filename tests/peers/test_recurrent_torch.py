"""Recurrent layers beside PyTorch's: its state_dict loads, outputs and gradients agree, lengths as packed sequences."""

import itertools

import numpy as np
import pytest

import cinta as ct
from cinta import nn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

KINDS = ("RNN", "LSTM", "GRU")
LENGTHS = [3, 7, 1, 7, 4]


def twins(kind, *args, **kwargs):
    theirs = getattr(torch.nn, kind)(*args, **kwargs)
    ours = getattr(nn, kind)(*args, **kwargs)
    ours.load_state_dict({name: ct.tensor(value.numpy()) for name, value in theirs.state_dict().items()})
    return ours, theirs


def states(rng, kind, shape, projected=None):
    """Initial states as arrays."""
    made = [rng.normal(size=(*shape[:-1], projected or shape[-1])).astype(np.float32)]
    return [*made, rng.normal(size=shape).astype(np.float32)] if kind.startswith("LSTM") else made


def pair(values):
    """As the layer takes its initial states."""
    return tuple(values) if len(values) == 2 else values[0] if values else None


def flat(outputs):
    y, last = outputs
    return [y, *last] if isinstance(last, tuple) else [y, last]


def compare(ours, theirs, x, initial, *, lengths=None, batch_first=False):
    cx, tx = ct.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    ci = [ct.tensor(s, requires_grad=True) for s in initial]
    ti = [torch.tensor(s, requires_grad=True) for s in initial]
    if lengths is None:
        expected = flat(theirs(tx, pair(ti)))
    else:
        pack, pad = torch.nn.utils.rnn.pack_padded_sequence, torch.nn.utils.rnn.pad_packed_sequence
        packed = pack(tx, torch.tensor(lengths), batch_first=batch_first, enforce_sorted=False)
        y, last = theirs(packed, pair(ti))
        expected = flat((pad(y, batch_first=batch_first, total_length=max(x.shape[:2]))[0], last))
    actual = flat(ours(cx, pair(ci), lengths=lengths))
    seeds = [np.random.default_rng(k).normal(size=a.shape).astype(np.float32) for k, a in enumerate(actual)]
    sum((a * ct.tensor(s)).sum() for a, s in zip(actual, seeds)).backward()
    sum((e * torch.tensor(s)).sum() for e, s in zip(expected, seeds)).backward()
    for a, e in zip(actual, expected):
        np.testing.assert_allclose(a.detach().numpy(), e.detach().numpy(), atol=1e-6)
    gradients = [(cx, tx), *zip(ci, ti), *zip(ours.parameters(), theirs.parameters())]
    for a, e in gradients:
        scale = max(1.0, float(e.grad.abs().max()))
        np.testing.assert_allclose(a.grad.numpy(), e.grad.numpy(), atol=3e-6 * scale)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("layers", "two", "first"), list(itertools.product((1, 3), (False, True), (False, True))))
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
def test_layers(kind, layers, two, first, lengths):
    rng = np.random.default_rng(layers)
    ours, theirs = twins(kind, 6, 9, num_layers=layers, bidirectional=two, batch_first=first)
    x = rng.normal(size=(5, 7, 6) if first else (7, 5, 6)).astype(np.float32)
    initial = states(rng, kind, (layers * (1 + two), 5, 9))
    compare(ours, theirs, x, initial, lengths=lengths, batch_first=first)
    compare(*twins(kind, 6, 9, layers, bias=False, bidirectional=two, batch_first=first), x, [], lengths=lengths,
            batch_first=first)  # fmt: skip


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
def test_projection(lengths):
    rng = np.random.default_rng(0)
    ours, theirs = twins("LSTM", 6, 9, num_layers=2, bidirectional=True, proj_size=4)
    compare(ours, theirs, rng.normal(size=(7, 5, 6)).astype(np.float32), states(rng, "LSTM", (4, 5, 9), 4),
            lengths=lengths)  # fmt: skip


def test_relu():
    rng = np.random.default_rng(0)
    ours, theirs = twins("RNN", 6, 9, nonlinearity="relu")
    compare(ours, theirs, rng.normal(size=(7, 5, 6)).astype(np.float32), [], lengths=LENGTHS)


@pytest.mark.parametrize("kind", KINDS)
def test_one_sequence_without_a_batch(kind):
    rng = np.random.default_rng(0)
    compare(*twins(kind, 6, 9, 2), rng.normal(size=(7, 6)).astype(np.float32), states(rng, kind, (2, 9)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(4, 6), (6,)], ids=["batch", "one"])
def test_cells(kind, shape):
    rng = np.random.default_rng(0)
    ours, theirs = twins(f"{kind}Cell", 6, 9)
    x = rng.normal(size=shape).astype(np.float32)
    initial = states(rng, kind, (*shape[:-1], 9))
    actual = ours(ct.tensor(x), pair([ct.tensor(s) for s in initial]))
    expected = theirs(torch.tensor(x), pair([torch.tensor(s) for s in initial]))
    for a, e in zip(*((v if isinstance(v, tuple) else (v,)) for v in (actual, expected))):
        np.testing.assert_allclose(a.detach().numpy(), e.detach().numpy(), atol=1e-6)
    unset, theirs_unset = ours(ct.tensor(x)), theirs(torch.tensor(x))
    a, e = (v[0] if isinstance(v, tuple) else v for v in (unset, theirs_unset))
    np.testing.assert_allclose(a.detach().numpy(), e.detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("hidden", "batch"), [(100, 20), (200, 1), (512, 20)])
def test_errors_are_no_larger(kind, hidden, batch):
    """Against the same layer in float64."""
    rng = np.random.default_rng(hidden)
    torch.manual_seed(hidden)
    ours, theirs = twins(kind, hidden, hidden)
    x = rng.normal(size=(35, batch, hidden)).astype(np.float32)
    exact = getattr(torch.nn, kind)(hidden, hidden).double()
    exact.load_state_dict(theirs.state_dict())

    def results(model, tensor, dtype):
        model.zero_grad()
        input_ = tensor(x.astype(dtype))
        y = model(input_)[0]
        (y * tensor(np.cos(np.arange(x.size)).reshape(x.shape).astype(dtype))).sum().backward()
        return [y.detach().numpy(), *(p.grad.numpy() for p in model.parameters())]

    reference = results(exact, torch.tensor, np.float64)
    ratios = []
    for a, e, r in zip(results(ours, ct.tensor, np.float32), results(theirs, torch.tensor, np.float32), reference):
        mine, other = (float(np.sqrt(np.mean((v - r) ** 2))) for v in (a, e))
        ratios.append(mine / other)
    assert max(ratios) < 1.35  # single ones scatter by a quarter from seed to seed
    assert np.exp(np.mean(np.log(ratios))) < 1.1
