"""Attention and transformers beside PyTorch's: state_dicts load, outputs, weights and gradients agree."""

import itertools

import numpy as np
import pytest

import cinta as ct
from cinta import nn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:.*nested_tensor.*", "ignore:.*mismatched.*")


def twins(name, *args, **kwargs):
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(*args, **kwargs)
    ours = getattr(nn, name)(*args, **kwargs)
    randomise(theirs)
    ours.load_state_dict({name: ct.tensor(value.numpy()) for name, value in theirs.state_dict().items()})
    return ours, theirs


def randomise(module):
    """Biases and norms away from 0 and 1, and layers of a stack apart."""
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += torch.tensor(rng.normal(size=parameter.shape).astype(np.float32)) * 0.1


def compare(ours, theirs, inputs, mine=None, others=None):
    """The same arrays in, further arguments by name."""
    a_in = [ct.tensor(x, requires_grad=True) for x in inputs]
    e_in = [torch.tensor(x, requires_grad=True) for x in inputs]
    actual, expected = ours(*a_in, **(mine or {})), theirs(*e_in, **(others or mine or {}))
    actual, expected = (v if isinstance(v, tuple) else (v,) for v in (actual, expected))
    for a, e in zip(actual, expected, strict=True):
        assert (a is None) == (e is None)
        if a is not None:
            assert a.shape == tuple(e.shape)
            scale = max(1.0, float(e.detach().abs().max()))
            np.testing.assert_allclose(a.detach().numpy(), e.detach().numpy(), atol=1e-6 * scale)
    seed = np.random.default_rng(1).normal(size=actual[0].shape).astype(np.float32)
    (actual[0] * ct.tensor(seed)).sum().backward()
    (expected[0] * torch.tensor(seed)).sum().backward()
    for a, e in [*zip(a_in, e_in), *zip(ours.parameters(), theirs.parameters(), strict=True)]:
        if e.grad is not None:
            scale = max(1.0, float(e.grad.abs().max()))
            np.testing.assert_allclose(a.grad.numpy(), e.grad.numpy(), atol=4e-6 * scale)


def normal(*shapes):
    rng = np.random.default_rng(3)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def both(**arrays):
    """The arguments for each library."""
    return tuple(
        {k: make(v) if isinstance(v, np.ndarray) else v for k, v in arrays.items()}
        for make in (ct.tensor, torch.tensor)
    )


PADDING = np.arange(6) >= np.array([6, 3, 5])[:, None]
CAUSAL = np.triu(np.ones((5, 6), bool), 2)
MASKS = {
    "none": {},
    "padding": {"key_padding_mask": PADDING},
    "bool": {"attn_mask": CAUSAL},
    "both": {"key_padding_mask": PADDING, "attn_mask": CAUSAL},
    "added": {"attn_mask": normal((5, 6))[0]},
    "heads": {"attn_mask": np.broadcast_to(CAUSAL, (12, 5, 6)).copy()},
}


@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize(("need_weights", "average"), [(False, True), (True, True), (True, False)])
@pytest.mark.parametrize("first", [False, True])
def test_multihead(masks, need_weights, average, first):
    q, k, v = normal((3, 5, 8), (3, 6, 8), (3, 6, 8))
    inputs = [x if first else x.swapaxes(0, 1).copy() for x in (q, k, v)]
    given = both(**MASKS[masks], need_weights=need_weights, average_attn_weights=average)
    compare(*twins("MultiheadAttention", 8, 4, batch_first=first), inputs, *given)


@pytest.mark.parametrize(
    "arguments",
    [{"kdim": 5, "vdim": 7}, {"bias": False}, {"add_bias_kv": True}, {"add_zero_attn": True},
     {"vdim": 7, "bias": False}, {"add_bias_kv": True, "add_zero_attn": True, "kdim": 5}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("need_weights", [False, True])
def test_multihead_arguments(arguments, need_weights):
    inputs = normal((5, 3, 8), (6, 3, arguments.get("kdim", 8)), (6, 3, arguments.get("vdim", 8)))
    given = both(attn_mask=CAUSAL, key_padding_mask=PADDING, need_weights=need_weights)
    compare(*twins("MultiheadAttention", 8, 2, **arguments), inputs, *given)


def test_one_sequence():
    compare(*twins("MultiheadAttention", 8, 2), normal((5, 8), (6, 8), (6, 8)), *both(key_padding_mask=PADDING[1]))


@pytest.mark.parametrize("same", ["all", "key and value"])
def test_shared_inputs(same):
    ours, theirs = twins("MultiheadAttention", 8, 2)
    q, m = normal((5, 3, 8), (6, 3, 8))

    def shared(layer):
        def run(*given):
            return layer(given[0], given[-1], given[-1])

        run.parameters = layer.parameters
        return run

    compare(shared(ours), shared(theirs), [q] if same == "all" else [q, m])


@pytest.mark.parametrize(
    ("norm_first", "activation", "first", "bias"),
    list(itertools.product((False, True), ("relu", "gelu"), (False, True), (True, False))),
)
def test_encoder_layer(norm_first, activation, first, bias):
    options = {"norm_first": norm_first, "activation": activation, "batch_first": first, "bias": bias}
    (x,) = normal((3, 6, 8) if first else (6, 3, 8))
    pair = twins("TransformerEncoderLayer", 8, 2, 16, dropout=0.0, layer_norm_eps=1e-4, **options)
    compare(*pair, [x], *both(src_key_padding_mask=PADDING))
    mask = np.triu(np.full((6, 6), -np.inf, np.float32), 1)
    compare(*pair, [x], {"is_causal": True}, {"is_causal": True, "src_mask": torch.tensor(mask)})


@pytest.mark.parametrize("norm_first", [False, True])
def test_decoder_layer(norm_first):
    pair = twins("TransformerDecoderLayer", 8, 2, 16, dropout=0.0, activation="gelu", norm_first=norm_first)
    tgt, memory = normal((5, 3, 8), (6, 3, 8))
    future = np.triu(np.ones((5, 5), bool), 1)
    given = both(tgt_mask=future, memory_key_padding_mask=PADDING, tgt_key_padding_mask=PADDING[:, :5])
    compare(*pair, [tgt, memory], *given)


def test_stacks():
    """Encoder and decoder of two layers and a norm, by PyTorch's names."""
    torch.manual_seed(0)
    encoders, decoders = [], []
    for library in (nn, torch.nn):
        layer = library.TransformerEncoderLayer(8, 2, 16, dropout=0.0)
        encoders.append(library.TransformerEncoder(layer, 2, library.LayerNorm(8)))
        layer = library.TransformerDecoderLayer(8, 2, 16, dropout=0.0)
        decoders.append(library.TransformerDecoder(layer, 2, library.LayerNorm(8)))
    for ours, theirs in (encoders, decoders):
        randomise(theirs)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        ours.load_state_dict({name: ct.tensor(value.numpy()) for name, value in theirs.state_dict().items()})
    (src,) = normal((6, 3, 8))
    compare(*encoders, [src], *both(src_key_padding_mask=PADDING))
    compare(*decoders, normal((5, 3, 8), (6, 3, 8)), *both(memory_key_padding_mask=PADDING))


@pytest.mark.parametrize("first", [False, True])
def test_transformer(first):
    options = {"dropout": 0.0, "batch_first": first}
    ours, theirs = twins("Transformer", 8, 2, 2, 1, 16, **options)
    src, tgt = (x.swapaxes(0, 1).copy() if first else x for x in normal((6, 3, 8), (5, 3, 8)))
    mask = theirs.generate_square_subsequent_mask(5)
    np.testing.assert_array_equal(ours.generate_square_subsequent_mask(5).numpy(), mask.numpy())
    mine, others = both(src_key_padding_mask=PADDING, memory_key_padding_mask=PADDING)
    compare(ours, theirs, [src, tgt], mine | {"tgt_is_causal": True}, others | {"tgt_mask": mask})
    assert list(ours.state_dict()) == list(theirs.state_dict())


@pytest.mark.parametrize("causal", [False, True])
def test_errors_are_no_larger(causal):
    """Of long sequences, against float64."""
    *arrays, seed = normal(*[(2, 4, 300, 64)] * 4)

    def results(make, dtype, attend):
        inputs = [make(x.astype(dtype)).requires_grad_() for x in arrays]
        y = attend(*inputs, is_causal=causal)
        (y * make(seed.astype(dtype))).sum().backward()
        return [y.detach().numpy(), *(x.grad.numpy() for x in inputs)]

    theirs = torch.nn.functional.scaled_dot_product_attention
    exact = results(torch.tensor, np.float64, theirs)
    mine = results(ct.tensor, np.float32, nn.functional.scaled_dot_product_attention)
    other = results(torch.tensor, np.float32, theirs)
    ratios = [np.sqrt(np.mean((a - e) ** 2) / np.mean((o - e) ** 2)) for a, o, e in zip(mine, other, exact)]
    assert max(ratios) < 1.5, ratios
