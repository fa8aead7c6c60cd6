"""Attention: memory, masks that leave nothing, dropout, threads, compiled, and the layers' arguments and errors.

Values of the operation itself: its row in op_cases_attention.py; of the layers: peers/test_attention_torch.py.
"""

import numpy as np
import pytest

import cinta as ct
from cinta import nn

attention = nn.functional.scaled_dot_product_attention


def draw(*shapes, grad=True):
    rng = np.random.default_rng(0)
    return [ct.tensor(rng.normal(size=shape).astype(np.float32), requires_grad=grad) for shape in shapes]


def test_memory_does_not_grow_with_the_square():
    steps = 2048
    inputs = draw(*[(1, 4, steps, 16)] * 3)
    whole = 4 * steps * steps * 4
    ct.empty_cache()
    ct.reset_peak_memory()
    before = ct.memory_stats()
    y = attention(*inputs)
    y.sum().backward()
    after = ct.memory_stats()
    assert after["peak"] - before["live"] < whole / 8, (before, after)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_rows_that_see_nothing_are_zero(dtype):
    q, k, v = (x.astype(dtype).detach().requires_grad_() for x in draw(*[(2, 3, 5, 4)] * 3))
    mask = np.ones((2, 1, 5, 5), bool)
    mask[1, :, 2] = False
    for given in (ct.tensor(mask), ct.where(ct.tensor(mask), 0.0, -float("inf"))):
        y = attention(q, k, v, given)
        y.sum().backward()
        assert not y.detach().astype("float32").numpy()[1, :, 2].any()
        for x in (q, k, v):
            assert np.isfinite(x.grad.astype("float32").numpy()).all()
            x.grad = None


def test_what_nobody_sees_is_no_matter():
    """NaN and infinity behind a mask do not reach keys that others see."""
    q, k, v = draw(*[(1, 2, 4, 3)] * 3)
    y = attention(q, k, v, is_causal=True)
    k2 = k.detach().numpy().copy()
    k2[..., 3, :] = 1e30
    z = attention(q, ct.tensor(k2), v, is_causal=True)
    np.testing.assert_array_equal(y.detach().numpy()[..., :3, :], z.detach().numpy()[..., :3, :])


@pytest.mark.parametrize("shape", [(2, 3, 150, 8), (1, 1, 300, 8), (3, 2, 7, 4)])
@pytest.mark.parametrize("p", [0.0, 0.3])
def test_same_bits_on_any_number_of_threads(shape, p):
    before, found = ct.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            ct.set_num_threads(threads)
            ct.random.seed(0)
            inputs = draw(*[shape] * 3)
            y = attention(*inputs, dropout_p=p, is_causal=True)
            (y * y).sum().backward()
            found.append([y.detach().numpy(), *(x.grad.numpy() for x in inputs)])
    finally:
        ct.set_num_threads(before)
    for other in found[1:]:
        for a, b in zip(found[0], other):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("shape", [(2, 2, 5, 4), (1, 1, 200, 3)])
def test_dropout(is_causal, shape):
    """With the identity as values the result is the weights: each is 0 or scaled up, and gradients know which."""
    steps = shape[2]
    q, k = (x.astype("float64").detach().requires_grad_() for x in draw(shape, shape))
    eye = ct.eye(steps, dtype="float64")
    whole = attention(q, k, eye, is_causal=is_causal)
    ct.random.seed(5)
    kept = attention(q, k, eye, dropout_p=0.25, is_causal=is_causal)
    ratio = kept.detach().numpy() / np.where(whole.detach().numpy() == 0, 1, whole.detach().numpy())
    seen = np.broadcast_to(np.tri(steps, dtype=bool) if is_causal else np.ones((steps, steps), bool), ratio.shape)
    assert ((abs(ratio - 1 / 0.75) < 1e-9) | (ratio == 0))[seen].all()
    share = (ratio[seen] == 0).mean()
    assert abs(share - 0.25) < 4 * (0.25 * 0.75 / seen.sum()) ** 0.5
    seed = np.random.default_rng(1).normal(size=kept.shape)
    expected = ct.grad(lambda q: (attention(q, k, eye, is_causal=is_causal) * ct.tensor(ratio * seed)).sum())(q)

    def dropped(q):
        ct.random.seed(5)
        return (attention(q, k, eye, dropout_p=0.25, is_causal=is_causal) * ct.tensor(seed)).sum()

    np.testing.assert_allclose(ct.grad(dropped)(q).numpy(), expected.numpy(), atol=1e-12)
    along = np.random.default_rng(2).normal(size=shape)  # second order: the same mask again

    def slope(q):
        return (ct.grad(dropped)(q) * ct.tensor(along)).sum()

    values = q.detach().numpy()
    difference = (
        slope(ct.tensor(values + 1e-5 * along)).item() - slope(ct.tensor(values - 1e-5 * along)).item()
    ) / 2e-5
    np.testing.assert_allclose((ct.grad(slope)(q) * ct.tensor(along)).sum().item(), difference, rtol=1e-5, atol=1e-7)


def test_gradient_of_an_added_mask():
    q, k, v = (x.astype("float64").detach() for x in draw(*[(2, 2, 4, 3)] * 3))
    bias = np.random.default_rng(1).normal(size=(2, 4, 4))

    def loss(b):
        return (attention(q, k, v, b) ** 2).sum()

    along = np.random.default_rng(2).normal(size=bias.shape)
    difference = (loss(ct.tensor(bias + 1e-6 * along)) - loss(ct.tensor(bias - 1e-6 * along))).item() / 2e-6
    np.testing.assert_allclose((ct.grad(loss)(ct.tensor(bias)) * ct.tensor(along)).sum().item(), difference, rtol=1e-7)


@pytest.mark.parametrize("p", [0.0, 0.4])
def test_compiled_transformer_is_the_same(p):
    ct.random.seed(0)
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, dropout=p, batch_first=True), 2, nn.LayerNorm(8))

    def step(x, padding):
        model.zero_grad()
        loss = (model(x, src_key_padding_mask=padding, is_causal=True) ** 3).sum()
        loss.backward()
        return loss

    found = []
    for run in (step, ct.compile(step)):
        ct.random.seed(1)
        rng = np.random.default_rng(0)
        for _ in range(3):
            x, padding = ct.tensor(rng.normal(size=(3, 6, 8)).astype(np.float32)), ct.tensor(rng.random((3, 6)) < 0.3)
            found.append([run(x, padding).item(), *(w.grad.numpy().copy() for w in model.parameters())])
    for a, b in zip(found[:3], found[3:]):
        for u, v in zip(a, b):
            np.testing.assert_array_equal(u, v)


def test_multihead_of_wholly_masked_queries():
    layer = nn.MultiheadAttention(8, 2, batch_first=True, bias=False)
    x = ct.random.normal(shape=(2, 4, 8))
    padding = ~nn.functional.sequence_mask([4, 0], 4)
    for need_weights in (False, True):
        y, weights = layer(x, x, x, padding, need_weights=need_weights)
        assert not y[1].detach().numpy().any()
        assert y[0].detach().numpy().any()
        if need_weights:
            np.testing.assert_allclose(weights.sum(-1).detach().numpy(), [[1] * 4, [0] * 4], rtol=1e-6)


@pytest.mark.parametrize("arguments", [{}, {"add_bias_kv": True, "add_zero_attn": True}])
def test_weights_or_not_is_the_same_result(arguments):
    layer = nn.MultiheadAttention(8, 2, **arguments)
    q, m = ct.random.normal(shape=(5, 3, 8)), ct.random.normal(shape=(6, 3, 8))
    padding = ~nn.functional.sequence_mask([6, 2, 4])
    added = ct.random.normal(shape=(5, 6))
    for options in ({}, {"attn_mask": added}, {"is_causal": True}, {"attn_mask": added > 0, "is_causal": True}):
        a, _ = layer(q, m, m, padding, need_weights=False, **options)
        b, weights = layer(q, m, m, padding, average_attn_weights=False, **options)
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), atol=1e-6)
        assert weights.shape == (3, 2, 5, 8 if arguments else 6)


@pytest.mark.parametrize("shape", [(0, 3, 8), (5, 0, 8)], ids=["no steps", "no sequences"])
def test_empty(shape):
    layer, x = nn.TransformerEncoderLayer(8, 2, 16), ct.zeros(shape).requires_grad_()
    y = layer(x, is_causal=True)
    assert y.shape == shape
    y.sum().backward()
    assert x.grad.shape == shape
    y, weights = layer.self_attn(x, x, x)
    assert (y.shape, weights.shape) == (shape, (shape[1], shape[0], shape[0]))


def test_half_precision_under_autocast():
    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0)
    x = ct.random.normal(shape=(5, 3, 16))
    exact = layer(x).detach().numpy()
    with ct.autocast(dtype=ct.bfloat16):
        y = layer(x)
    np.testing.assert_allclose(y.detach().astype("float32").numpy(), exact, atol=0.05)


def test_additive_attention_is_the_formula():
    layer = nn.AdditiveAttention(4, 6, 8, dtype="float64")
    q, k, v = (x.astype("float64").detach() for x in draw((2, 3, 4), (2, 5, 6), (2, 5, 7)))
    w, u, s = (p.detach().numpy() for p in layer.parameters())
    lengths = [5, 2]
    context, weights = layer(q, k, v, nn.functional.sequence_mask(lengths))
    for b, t in np.ndindex(2, 3):
        seen = lengths[b]
        e = np.array([(s @ np.tanh(w @ q.numpy()[b, t] + u @ k.numpy()[b, j])).item() for j in range(seen)])
        a = np.exp(e) / np.exp(e).sum()
        np.testing.assert_allclose(weights.detach().numpy()[b, t, :seen], a, rtol=1e-12)
        np.testing.assert_allclose(context.detach().numpy()[b, t], a @ v.numpy()[b, :seen], rtol=1e-12)


@pytest.mark.parametrize(
    "layer", [nn.AdditiveAttention(4, 6, 8), nn.DotAttention(4, key_dim=6), nn.DotAttention(6, scale=0.5)]
)
def test_alignment_by_steps(layer):
    q, k = draw((2, 3, layer.query_dim), (2, 5, 6))
    mask = nn.functional.sequence_mask([5, 0])
    context, weights = layer(q, k, mask=mask)
    assert not weights[1].detach().numpy().any()
    projected = layer.project(k)
    for t in range(3):
        c, a = layer(q[:, t], k, mask=mask, projected=projected)
        np.testing.assert_allclose(c.detach().numpy(), context[:, t].detach().numpy(), atol=1e-6)
        np.testing.assert_allclose(a.detach().numpy(), weights[:, t].detach().numpy(), atol=1e-6)
    context.sum().backward()
    assert all(np.isfinite(p.grad.numpy()).all() for p in layer.parameters())
    if isinstance(layer, nn.DotAttention):
        scores = (projected @ q[0, 0]).detach().numpy()[0] * layer.scale
        np.testing.assert_allclose(weights[0, 0].detach().numpy(), np.exp(scores) / np.exp(scores).sum(), rtol=1e-5)


X = ct.zeros((5, 3, 8))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: attention(X, X[..., :4], X), "the same features of query and key"),
        (lambda: attention(X, X, X, ct.zeros((4, 3))), "broadcast"),
        (lambda: attention(X, X, X, ct.zeros((2, 5, 3, 3))), r"attn_mask has shape \[2,5,3,3\]"),
        (lambda: attention(X, X, X, dropout_p=1.0), "dropout_p is 1, expected 0 to below 1"),
        (lambda: attention(X, X[:2], X[:2], enable_gqa=True), "enable_gqa"),
        (lambda: nn.MultiheadAttention(8, 3), "embed_dim got 8"),
        (lambda: nn.MultiheadAttention(8, 2)(X, X, X[..., :4]), r"value has shape \[5, 3, 4\]"),
        (lambda: nn.MultiheadAttention(8, 2)(X, X[:, :2], X[:, :2]), "batches or keys differ"),
        (lambda: nn.MultiheadAttention(8, 2)(X, X, X, ct.zeros((5, 3))),
         r"key_padding_mask has shape \[5, 3\], expected \[3, 5\]"),
        (lambda: nn.MultiheadAttention(8, 2)(X, X, X, attn_mask=ct.zeros((4, 5))), r"attn_mask has shape \[4, 5\]"),
        (lambda: nn.TransformerEncoderLayer(8, 2, activation="sine"), "activation got 'sine'"),
        (lambda: nn.AdditiveAttention(4, 6, 8)(ct.zeros((2, 5)), ct.zeros((2, 3, 6))), "expected 4 and 6 features"),
    ],
)  # fmt: skip
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_masks_of_another_dtype():
    with pytest.raises(TypeError, match="attn_mask of bool"):
        attention(X, X, X, ct.zeros((3, 3), dtype=ct.int64))
    with pytest.raises(TypeError, match="key_padding_mask has dtype int64"):
        nn.MultiheadAttention(8, 2)(X, X, X, ct.zeros((3, 5), dtype=ct.int64))
