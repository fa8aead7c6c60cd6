"""The CTC loss: against every alignment there is, at its edges, to higher order, recorded, and its errors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import cinta as ct
from cinta import nn
from ctc_alignments import occupancies, probabilities
from op_cases_ctc import log_likelihood

F = nn.functional


def drawn(*shape, seed=0, scale=2.0):
    x = np.random.default_rng(seed).normal(size=shape) * scale
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def loss_and_gradient(log_probs, *args, dtype="float64", **how):
    x = ct.tensor(log_probs, dtype=dtype, requires_grad=True)
    loss = F.ctc_loss(x, *args, **{"reduction": "none", **how})
    loss.sum().backward()
    return loss.detach().astype("float64").numpy(), x.grad.astype("float64").numpy()


@pytest.mark.parametrize("blank", [0, 1, 2])
@pytest.mark.parametrize("frames", [1, 2, 5])
def test_every_target_of_every_alignment(frames, blank):
    log_probs = drawn(frames, 3, seed=frames)
    found = probabilities(log_probs, blank)
    assert sum(found.values()) == pytest.approx(1)
    labels = [label for label in range(3) if label != blank]
    targets = [t for length in range(frames + 2) for t in itertools.product(labels, repeat=length)]
    padded = np.array([[*t, *[blank] * (frames + 1 - len(t))] for t in targets])
    lengths = [len(t) for t in targets]
    batch = np.repeat(log_probs[:, None], len(targets), axis=1)
    losses, gradients = loss_and_gradient(batch, padded, [frames] * len(targets), lengths, blank=blank)
    for n, target in enumerate(targets):
        if target in found:
            assert losses[n] == pytest.approx(-np.log(found[target]), rel=1e-13, abs=1e-14)
            np.testing.assert_allclose(gradients[:, n], -occupancies(log_probs, target, blank), atol=1e-14)
        else:
            assert losses[n] == np.inf
            assert not gradients[:, n].any()


class TestEdges:
    def test_targets_that_do_not_fit(self):
        args = drawn(3, 3, 3), [[1, 1], [1, 2], [1, 2]], [2, 1, 3], [2, 2, 2]
        losses, gradients = loss_and_gradient(*args)
        assert np.isinf(losses).tolist() == [True, True, False]
        masked, same = loss_and_gradient(*args, zero_infinity=True)
        assert masked[:2].tolist() == [0, 0]
        assert masked[2] == losses[2]
        np.testing.assert_array_equal(gradients, same)
        assert not gradients[:, :2].any()
        assert np.isfinite(gradients).all()
        _, mean = loss_and_gradient(*args, reduction="mean")
        np.testing.assert_allclose(mean, gradients / 6)

    def test_no_labels_no_frames_no_sequences(self):
        log_probs = drawn(4, 3, 3)
        losses, gradients = loss_and_gradient(log_probs, np.zeros((3, 0), int), [4, 0, 2], [0, 0, 0])
        np.testing.assert_allclose(losses, [-log_probs[:4, 0, 0].sum(), 0, -log_probs[:2, 2, 0].sum()])
        assert not np.signbit(losses[1])
        assert (gradients[:, :, 0] != 0).T.tolist() == [[True] * 4, [False] * 4, [True, True, False, False]]
        losses, gradients = loss_and_gradient(np.zeros((4, 0, 3)), [], [], [])
        assert (losses.shape, gradients.shape) == ((0,), (4, 0, 3))
        assert loss_and_gradient(np.zeros((0, 2, 3)), [1], [0, 0], [0, 1])[0].tolist() == [0, np.inf]

    def test_probabilities_of_zero(self):
        log_probs = drawn(4, 2, 3)
        log_probs[1, 0, [0, 2]] = -np.inf  # frame 1 must be a 1
        log_probs[2, 1, 1:] = -np.inf
        losses, gradients = loss_and_gradient(log_probs, [[1], [1]], [4, 4], [1, 1])
        for n in range(2):
            assert losses[n] == pytest.approx(-np.log(probabilities(log_probs[:, n], 0)[(1,)]))
            np.testing.assert_allclose(gradients[:, n], -occupancies(log_probs[:, n], (1,), 0), atol=1e-14)
        log_probs[:, 0, 1] = -np.inf
        losses, gradients = loss_and_gradient(log_probs, [[1], [1]], [4, 4], [1, 1])
        assert losses[0] == np.inf
        assert not gradients[:, 0].any()

    def test_padding_is_not_read(self):
        log_probs = drawn(5, 2, 3)
        log_probs[3:, 0] = np.nan
        losses, gradients = loss_and_gradient(log_probs, [[1, -7], [2, 1]], [3, 5], [1, 2])
        assert np.isfinite(losses).all()
        assert np.isfinite(gradients).all()
        assert not gradients[3:, 0].any()

    def test_a_watch_sees_nothing_undefined(self):
        x = ct.tensor(drawn(9, 3, 4), requires_grad=True)
        poison = [ct.full((n,), np.nan, dtype="float64") for n in (9 * 4 * (6 + 3), 9 * 4 * (4 + 3))]
        del poison
        with ct.debug():
            for targets in ([[1, 2], [3, -1], [2, -1]], [1, 2, 3, 2]):
                F.ctc_loss(x, targets, [9, 3, 0], [2, 1, 1], zero_infinity=True, reduction="sum").backward()

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_nan_and_inf_are_not_hidden(self, bad):
        log_probs = drawn(5, 2, 3)
        log_probs[2, 0, 1] = bad
        losses, gradients = loss_and_gradient(log_probs, [[1], [1]], [5, 5], [1, 1])
        assert np.isnan(losses).tolist() == [True, False]
        assert np.isnan(gradients[:, 0]).any()
        assert np.isfinite(gradients[:, 1]).all()
        x = ct.tensor(log_probs, requires_grad=True)
        loss = F.ctc_loss(x, [[1], [1]], [5, 5], [1, 1], reduction="sum")
        (gradient,) = ct._core.backward([loss], [ct.ones((), dtype="float64")], inputs=[x], create_graph=True)
        assert np.isnan(gradient.detach().numpy()[:, 0]).any() or bad == np.inf

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_sizes_beyond_any_float(self, dtype):
        log_probs = drawn(3000, 1, 4, scale=30)
        labels = np.random.default_rng(1).integers(1, 4, 40)
        losses, gradients = loss_and_gradient(log_probs, labels[None], [3000], [40], dtype=dtype)
        given = np.asarray(log_probs, dtype).astype(float)
        assert losses[0] == pytest.approx(-log_likelihood(given[:, 0], labels, 0), rel=3e-7)
        assert losses[0] > 1e4
        np.testing.assert_allclose(gradients.sum(-1), -1, rtol=1e-5 if dtype == "float32" else 1e-12)
        masked = np.where(np.arange(4) == 2, -1e9, log_probs[:50])
        masked_losses, _ = loss_and_gradient(masked, [[1, 2, 3]], [50], [3], dtype=dtype)
        assert masked_losses[0] == pytest.approx(1e9, rel=1e-5)


def error_of(length, frames, dtype="float32"):
    log_probs = drawn(frames, 1, 20, seed=length).astype(dtype)
    labels = np.random.default_rng(length).integers(1, 20, (1, length))
    loss, gradient = loss_and_gradient(log_probs, labels, [frames], [length], dtype=dtype)
    exact_loss, exact = loss_and_gradient(log_probs.astype(float), labels, [frames], [length])
    return abs(loss - exact_loss)[0] / exact_loss[0], abs(gradient - exact).max()


@pytest.mark.parametrize(("length", "frames"), [(0, 10), (1, 30), (15, 40), (33, 100), (250, 700)])
def test_float32_keeps_its_digits(length, frames):
    loss, gradient = error_of(length, frames)
    assert loss < 3e-7
    assert gradient < 4e-6


class TestForms:
    LABELS = ((1, 2, 2, 3), (3, 0, 0, 0), (2, 1, 0, 0))
    FRAMES, LENGTHS = (9, 4, 6), (4, 1, 2)

    def call(self, x, targets, frames=FRAMES, lengths=LENGTHS, **how):
        x = ct.tensor(x, dtype="float32", requires_grad=True) if isinstance(x, np.ndarray) else x
        loss = F.ctc_loss(x, targets, frames, lengths, **how)
        (gradient,) = ct._core.backward([loss], [ct.ones(loss.shape)], inputs=[x])
        return loss.detach().numpy().tobytes() + gradient.numpy().tobytes()

    def test_targets_and_lengths_of_every_kind(self):
        x = drawn(9, 3, 4)
        expected = self.call(x, ct.tensor(self.LABELS), ct.tensor(self.FRAMES), ct.tensor(self.LENGTHS))
        flat = [1, 2, 2, 3, 3, 2, 1]
        assert self.call(x, self.LABELS) == expected
        assert self.call(x, flat) == expected
        assert self.call(x, np.array(flat, np.uint8), np.array(self.FRAMES, np.int16), list(self.LENGTHS)) == expected

    def test_memory_in_another_order(self):
        x = drawn(9, 3, 4)
        rows = ct.tensor(np.ascontiguousarray(x.transpose(1, 0, 2)), dtype="float32").requires_grad_()
        strided = rows.transpose(1, 0, 2)
        loss = F.ctc_loss(strided, self.LABELS, self.FRAMES, self.LENGTHS)
        loss.backward()
        loss_there, gradient = loss_and_gradient(
            x, self.LABELS, self.FRAMES, self.LENGTHS, dtype="float32", reduction="mean"
        )
        assert loss.item() == loss_there
        np.testing.assert_array_equal(rows.grad.numpy().transpose(1, 0, 2), gradient)

    @pytest.mark.parametrize("look", ["frames", "sequences", "classes", "repeated"])
    def test_views(self, look):
        part = {
            "frames": lambda wide: wide[::2, :3, :4],
            "sequences": lambda wide: wide[3:12, ::2, :4],
            "classes": lambda wide: wide[:9, :3, ::2],
            "repeated": lambda wide: ct.broadcast_to(wide[:1, :3, :4], (9, 3, 4)),
        }[look]
        wide, same = (ct.tensor(drawn(18, 6, 8), dtype="float32", requires_grad=True) for _ in range(2))
        F.ctc_loss(part(wide), self.LABELS, self.FRAMES, self.LENGTHS).backward()
        copied = part(wide).detach().clone().requires_grad_()
        F.ctc_loss(copied, self.LABELS, self.FRAMES, self.LENGTHS).backward()
        (part(same) * copied.grad).sum().backward()
        np.testing.assert_array_equal(wide.grad.numpy(), same.grad.numpy())

    def test_one_sequence(self):
        x = drawn(9, 1, 4)
        loss, gradient = loss_and_gradient(x[:, 0], [1, 2, 2, 9], 9, 3)
        expected_loss, expected = loss_and_gradient(x, [[1, 2, 2]], [9], [3])
        assert loss.shape == ()
        assert loss == expected_loss[0]
        np.testing.assert_array_equal(gradient, expected[:, 0])

    def test_module(self):
        x = ct.tensor(drawn(9, 3, 4))
        args = x, self.LABELS, self.FRAMES, self.LENGTHS
        assert nn.CTCLoss()(*args).item() == F.ctc_loss(*args).item()
        assert nn.CTCLoss(reduction="sum")(*args).item() == F.ctc_loss(*args, reduction="sum").item()
        assert repr(nn.CTCLoss(3, "sum", True)) == "CTCLoss(reduction='sum', blank=3, zero_infinity=True)"
        with pytest.raises(ValueError, match="blank got -1"):
            nn.CTCLoss(blank=-1)
        with pytest.raises(ValueError, match="reduction got 'all'"):
            nn.CTCLoss(reduction="all")

    def test_any_number_of_threads(self):
        x = drawn(60, 32, 30)
        labels = np.random.default_rng(0).integers(1, 30, (32, 20))
        results = []
        for threads in (1, 2, 3):
            ct.set_num_threads(threads)
            results.append(self.call(x, labels, [60] * 32, list(range(20)) + [20] * 12))
        assert len(set(results)) == 1

    def test_autocast(self):
        x = ct.tensor(drawn(9, 3, 4), dtype="bfloat16")
        with ct.autocast(dtype=ct.bfloat16):
            assert F.ctc_loss(x, self.LABELS, self.FRAMES, self.LENGTHS).dtype == ct.float32


class TestDerivatives:
    ARGS = ([[1, 2, 2], [2, 0, 0], [1, 1, 1]], [7, 4, 4], [3, 1, 3])  # the last fits no alignment

    def loss(self, x, **how):
        return F.ctc_loss(ct.log_softmax(x, axis=2), *self.ARGS, **how)

    @pytest.mark.parametrize("order", [1, 2, 3])
    def test_gradcheck(self, order):
        x = np.random.default_rng(0).normal(size=(7, 3, 3))
        assert ct.gradcheck(lambda x: self.loss(x, zero_infinity=True), x, order=order)

    def test_hvp_and_jvp(self):
        rng = np.random.default_rng(1)
        x, v = ct.tensor(rng.normal(size=(7, 3, 3))), ct.tensor(rng.normal(size=(7, 3, 3)))

        def f(x):
            return self.loss(x, reduction="sum", zero_infinity=True)

        step = 1e-5
        gradient = ct.grad(f)
        np.testing.assert_allclose(
            ct.hvp(f, x, v).numpy(),
            (gradient(x + step * v).numpy() - gradient(x - step * v).numpy()) / (2 * step), atol=1e-8,
        )  # fmt: skip
        value, slope = ct.jvp(f, (x,), (v,))
        assert value.item() == pytest.approx(f(x).item())
        assert slope.item() == pytest.approx((gradient(x) * v).sum().item())

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_both_ways_to_the_gradient_agree(self, dtype):
        x = ct.tensor(drawn(50, 3, 9), dtype=dtype, requires_grad=True)
        labels = np.random.default_rng(0).integers(1, 9, (3, 12))
        loss = F.ctc_loss(x, labels, [50, 30, 12], [12, 9, 12])
        (step_form,) = ct._core.backward([loss], [ct.ones((), dtype=dtype)], inputs=[x], create_graph=True)
        loss.backward()
        tolerance = 1e-6 if dtype == "float32" else 1e-14
        np.testing.assert_allclose(step_form.detach().numpy(), x.grad.numpy(), atol=tolerance)
        assert step_form.dtype == x.dtype

    def test_impossible_alignments_stay_finite(self):
        x = ct.tensor(drawn(7, 3, 3), requires_grad=True)
        loss = F.ctc_loss(x, *self.ARGS, reduction="sum")
        assert loss.item() == np.inf
        (gradient,) = ct._core.backward([loss], [ct.ones((), dtype="float64")], inputs=[x], create_graph=True)
        (gradient**2).sum().backward()
        assert np.isfinite(gradient.detach().numpy()).all()
        assert np.isfinite(x.grad.numpy()).all()
        assert not x.grad.numpy()[:, 2].any()


class TestCompiled:
    def trained(self, compiled, padded):
        ct.random.seed(0)
        net = nn.Linear(6, 5)
        optimizer = ct.optim.SGD(net.parameters(), lr=0.1)
        rng = np.random.default_rng(0)

        def step(x, targets, frames, lengths):
            optimizer.zero_grad()
            loss = F.ctc_loss(ct.log_softmax(net(x), axis=2), targets, frames, lengths, zero_infinity=True)
            loss.backward()
            optimizer.step()
            return loss

        run = ct.compile(step) if compiled else step
        losses = []
        for _ in range(10):
            x, frames = ct.tensor(rng.normal(size=(12, 4, 6)), dtype="float32"), rng.integers(5, 13, 4)
            lengths = rng.permutation([1, 2, 5, 0])
            labels = rng.integers(1, 5, (4, 5) if padded else 8)
            losses.append(run(x, ct.tensor(labels), ct.tensor(frames), ct.tensor(lengths)).item())
        return losses, [p.detach().numpy().tobytes() for p in net.parameters()]

    @pytest.mark.parametrize("padded", [True, False])
    def test_the_same_bits(self, padded):
        assert self.trained(True, padded) == self.trained(False, padded)

    def test_curvature(self):
        args = ct.tensor([[1, 2], [2, 1]]), ct.tensor([5, 4]), ct.tensor([2, 1])
        x, v = (ct.tensor(drawn(5, 2, 3, seed=s)) for s in range(2))

        def curved(x, v, *args):
            return ct.hvp(lambda x: F.ctc_loss(x, *args), x, v)

        compiled = ct.compile(curved)
        for _ in range(3):
            np.testing.assert_array_equal(compiled(x, v, *args).numpy(), curved(x, v, *args).numpy())
        flat = ct.tensor([1, 2, 2]), ct.tensor([5, 4]), ct.tensor([2, 1])
        np.testing.assert_allclose(ct.compile(curved)(x, v, *flat).numpy(), curved(x, v, *args).numpy(), atol=1e-14)

    def test_targets_are_checked_at_every_call(self):
        compiled = ct.compile(F.ctc_loss)
        x = ct.tensor(drawn(4, 1, 3))
        compiled(x, ct.tensor([[1]]), ct.tensor([4]), ct.tensor([1]))
        with pytest.raises(IndexError, match="target 3 at place 0 of sequence 0 is out of range"):
            compiled(x, ct.tensor([[3]]), ct.tensor([4]), ct.tensor([1]))
        with pytest.raises(ValueError, match=r"input_lengths\[0\] is 5"):
            compiled(x, ct.tensor([[1]]), ct.tensor([5]), ct.tensor([1]))


@pytest.mark.parametrize(("args", "how", "error", "message"), [
    ((np.zeros(4), [1], [4], [1]), {}, ValueError, r"log_probs have shape \[4\], expected \[T,N,C\] or \[T,C\]"),
    ((np.zeros((4, 1, 3), int), [1], [4], [1]), {}, TypeError, "dtype int64"),
    ((np.zeros((4, 1, 3)), [1.0], [4], [1]), {}, TypeError, "targets of an integer dtype"),
    ((np.zeros((4, 1, 3)), [1], [4.0], [1]), {}, TypeError, "input_lengths of an integer dtype"),
    ((np.zeros((4, 1, 3)), [1], [4], np.ones(1, bool)), {}, TypeError, "target_lengths of an integer dtype"),
    ((np.zeros((4, 2, 3)), [[1], [1]], [4], [1, 1]), {}, ValueError, r"input_lengths have shape \[1\], expected \[2\]"),
    ((np.zeros((4, 1, 3)), [[1]], 4, [1]), {}, ValueError, r"input_lengths have shape \[\], expected \[1\]"),
    ((np.zeros((4, 2, 3)), [[1]], [4, 4], [1, 1]), {}, ValueError, r"targets have shape \[1,1\], expected \[2,S\]"),
    ((np.zeros((4, 1, 3)), [[1]], [5], [1]), {}, ValueError, r"input_lengths\[0\] is 5, expected 0 to 4"),
    ((np.zeros((4, 1, 3)), [[1]], [-1], [1]), {}, ValueError, r"input_lengths\[0\] is -1"),
    ((np.zeros((4, 1, 3)), [[1]], [4], [2]), {}, ValueError, r"target_lengths\[0\] is 2, expected 0 to 1"),
    ((np.zeros((4, 2, 3)), [1, 2], [4, 4], [1, 2]), {}, ValueError, "have 2 labels, expected the sum of target_le"),
    ((np.zeros((4, 2, 3)), [1, 2], [4, 4], [1, 0]), {}, ValueError, "have 2 labels, expected the sum of target_le"),
    ((np.zeros((4, 1, 3)), [[3]], [4], [1]), {}, IndexError, "target 3 at place 0 of sequence 0 is out of range"),
    ((np.zeros((4, 1, 3)), [[-1]], [4], [1]), {}, IndexError, "target -1"),
    ((np.zeros((4, 1, 3)), [[1, 0]], [4], [2]), {}, ValueError, "target 0 at place 1 of sequence 0 is the blank"),
    ((np.zeros((4, 1, 3)), [[1]], [4], [1]), {"blank": 3}, ValueError, "blank is 3, expected 0 to 2"),
    ((np.zeros((4, 1, 3)), [[1]], [4], [1]), {"reduction": "all"}, ValueError, "reduction is 'all'"),
])  # fmt: skip
def test_errors(args, how, error, message):
    with pytest.raises(error, match=message):
        F.ctc_loss(*args, **how)
