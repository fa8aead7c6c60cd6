"""Random numbers: counter-based streams, their distributions, and what is random about dropout."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import cinta as ct

random = ct.random
SIZES = [1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 1000, 4097]


def philox(key: int, counter: int) -> list[int]:
    """Philox 4x32-10 (Salmon et al. 2011), one block of four words."""
    c = [counter & 0xFFFFFFFF, counter >> 32, 0, 0]
    k = [key & 0xFFFFFFFF, key >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def test_the_stream_is_philox() -> None:
    assert [f"{w:08x}" for w in philox(0, 0)] == ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]  # as published
    for seed in (0, 1, 123456789):
        random.seed(seed)
        random.uniform(shape=(3,))  # so that the draw begins inside a block
        key, counter = random.get_state()
        words = [philox(key, i // 4)[i % 4] for i in range(counter, counter + 500)]
        assert random.uniform(shape=(500,)).tolist() == [(w >> 8) * 2.0**-24 for w in words]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("draw", [random.normal, random.uniform], ids=["normal", "uniform"])
def test_a_short_draw_is_a_prefix_of_a_long_one(draw, dtype: str) -> None:
    random.seed(5)
    long = draw(shape=(5000,), dtype=dtype).numpy()
    for n in SIZES:
        random.seed(5)
        np.testing.assert_array_equal(draw(shape=(n,), dtype=dtype).numpy(), long[:n])


def test_a_seed_repeats_and_another_differs() -> None:
    def three(seed: int) -> list[float]:
        random.seed(seed)
        return random.normal(shape=(3,)).tolist()

    assert three(1) == three(1)
    assert three(1) != three(2)
    random.seed(1)
    first, second = random.normal(shape=(3,)), random.normal(shape=(3,))
    assert first.tolist() != second.tolist()


def test_state_is_restored() -> None:
    random.seed(3)
    random.uniform(shape=(10,))
    state = random.get_state()
    after = random.normal(shape=(7,)).tolist()
    random.integers(10, shape=(100,))
    random.set_state(state)
    assert random.normal(shape=(7,)).tolist() == after


def test_the_number_of_threads_changes_nothing() -> None:
    results = []
    for threads in (1, 2, 3):
        ct.set_num_threads(threads)
        random.seed(11)
        results.append([random.normal(shape=(300_000,)).numpy(), random.uniform(shape=(300_000,)).numpy(),
                        random.permutation(1000).numpy(), ct.dropout(ct.ones(300_000), 0.3).numpy()])  # fmt: skip
    for other in results[1:]:
        for a, b in zip(results[0], other):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_distributions(dtype: str) -> None:
    n = 200_000
    random.seed(1)
    normal = random.normal(2.0, 3.0, (n,), dtype=dtype).numpy()
    uniform = random.uniform(-1.0, 4.0, (n,), dtype=dtype).numpy()
    assert stats.kstest(normal, stats.norm(2, 3).cdf).pvalue > 1e-3
    assert stats.kstest(uniform, stats.uniform(-1, 5).cdf).pvalue > 1e-3
    assert uniform.min() >= -1
    assert uniform.max() < 4
    assert np.abs(normal - 2).max() > 3 * 4  # tails are there
    assert abs(np.corrcoef(normal[:-1], normal[1:])[0, 1]) < 0.01


def test_uniform_stays_below_its_bound_in_every_dtype() -> None:
    for dtype in ("float32", "float64", "float16", "bfloat16"):
        x = random.uniform(shape=(100_000,), dtype=dtype).astype("float64").numpy()
        assert x.min() >= 0
        assert x.max() < 1, dtype


def test_integers() -> None:
    x = random.integers(3, 7, (40_000,)).numpy()
    assert x.dtype == np.int64
    counts = np.bincount(x, minlength=7)
    assert counts[:3].sum() == 0
    assert stats.chisquare(counts[3:7]).pvalue > 1e-3
    assert set(random.integers(2, shape=(100,)).tolist()) == {0, 1}
    with pytest.raises(ValueError, match="5"):
        random.integers(5, 5)


def test_permutation() -> None:
    x = random.permutation(1000).numpy()
    np.testing.assert_array_equal(np.sort(x), np.arange(1000))
    assert not np.array_equal(x, np.arange(1000))
    assert not np.array_equal(x, random.permutation(1000).numpy())
    first = [int(random.permutation(4)[0]) for _ in range(4000)]
    assert stats.chisquare(np.bincount(first, minlength=4)).pvalue > 1e-3


def test_bernoulli() -> None:
    x = random.bernoulli(0.3, (100_000,)).astype("float64").numpy()
    assert set(np.unique(x)) == {0.0, 1.0}
    assert abs(x.mean() - 0.3) < 0.01


def test_fills() -> None:
    t = ct.empty((100, 100))
    assert np.abs(random.normal_(t, 1.0, 0.5).numpy().mean() - 1) < 0.05
    random.uniform_(t, 2.0, 3.0)
    assert t.numpy().min() >= 2
    assert t.numpy().max() < 3
    columns = ct.zeros((100, 4))
    random.normal_(columns[:, ::2], 0.0, 1.0)
    assert (columns[:, 1::2].numpy() == 0).all()
    assert (columns[:, ::2].numpy() != 0).all()


def test_shapes_and_scalars() -> None:
    assert random.normal().shape == ()
    assert random.uniform(shape=(2, 3)).shape == (2, 3)
    assert random.normal(shape=(0, 3)).shape == (0, 3)
    assert random.normal(shape=4).shape == (4,)


def test_dropout() -> None:
    x = ct.tensor(np.full((200, 500), 3.0, np.float32), requires_grad=True)
    y = ct.dropout(x, 0.25)
    values = y.detach().numpy()
    assert set(np.unique(values)) == {0.0, 4.0}
    assert abs((values == 0).mean() - 0.25) < 0.01
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), values / 3.0)
    assert not np.array_equal(ct.dropout(x, 0.25).detach().numpy(), values)


def test_dropout_differentiates_twice() -> None:
    x = ct.tensor(np.arange(1.0, 9.0), requires_grad=True)
    y = (ct.dropout(x, 0.5) ** 2).sum()
    (first,) = ct._core.backward([y], inputs=[x], create_graph=True)
    (second,) = ct._core.backward([first.sum()], inputs=[x])
    np.testing.assert_allclose(second.numpy() * x.detach().numpy(), first.detach().numpy())
