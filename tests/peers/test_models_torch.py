"""The networks for images beside their PyTorch twins: weights load by torchvision's names, results are the same."""

from __future__ import annotations

import numpy as np
import pytest

import cinta as ct
from cinta import models

torch = pytest.importorskip("torch")
save_file = pytest.importorskip("safetensors.torch").save_file

import torch_vision as twins  # noqa: E402

OFF = {"dropout": 0.0, "dropout_aux": 0.0}
# Ours, the twin, the shape of the images. Small images and batches: what is tested is the wiring.
PAIRS = {
    "VGG13": (lambda: models.VGG13(10, cifar=True), lambda: twins.VGG(13, 10, cifar=True), (2, 3, 32, 32)),
    "VGG16 with batch norm": (
        lambda: models.VGG16(10, batch_norm=True, cifar=True),
        lambda: twins.VGG(16, 10, batch_norm=True, cifar=True),
        (3, 3, 32, 32),
    ),
    "ResNet18": (lambda: models.ResNet18(10), lambda: twins.ResNet(twins.Basic, (2, 2, 2, 2), 10), (3, 3, 64, 64)),
    "ResNet18 for CIFAR": (
        lambda: models.ResNet18(10, cifar=True),
        lambda: twins.ResNet(twins.Basic, (2, 2, 2, 2), 10, cifar=True),
        (2, 3, 16, 16),
    ),
    "ResNet50": (lambda: models.ResNet50(10), lambda: twins.ResNet(twins.Narrow, (3, 4, 6, 3), 10), (3, 3, 64, 64)),
    "ResNet20": (lambda: models.ResNet20(), lambda: twins.CifarResNet(20), (2, 3, 32, 32)),
    "ResNet20 with projections": (
        lambda: models.ResNet20(shortcut="projection"),
        lambda: twins.CifarResNet(20, shortcut="projection"),
        (2, 3, 16, 16),
    ),
    "plain 20": (lambda: models.ResNet20(shortcut=None), lambda: twins.CifarResNet(20, shortcut=None), (2, 3, 16, 16)),
    "GoogLeNet": (
        lambda: models.GoogLeNet(10, transform_input=True, **OFF),
        lambda: twins.GoogLeNet(10, transform_input=True, **OFF),
        (2, 3, 96, 96),
    ),
    "the original GoogLeNet": (
        lambda: models.GoogLeNet(10, original=True, **OFF),
        lambda: twins.GoogLeNet(10, original=True, **OFF),
        (1, 3, 224, 224),
    ),
    "InceptionV3": (
        lambda: models.InceptionV3(10, transform_input=True, dropout=0.0, aux_logits=False),
        lambda: twins.InceptionV3(10, transform_input=True, dropout=0.0, aux_logits=False),
        (3, 3, 107, 107),
    ),
}


def error(ours, theirs):
    """The largest difference, relative to the largest value."""
    a, b = ours.detach().numpy(), theirs.detach().numpy()
    assert a.shape == b.shape
    return abs(a - b).max() / max(abs(b).max(), 1e-30)


def loss_of(outputs, y, cross_entropy):
    main, *others = outputs if isinstance(outputs, tuple) else (outputs,)
    loss = cross_entropy(main, y)
    for scores in others:
        loss = loss + 0.3 * cross_entropy(scores, y)
    return loss


@pytest.mark.parametrize("name", PAIRS)
def test_weights_load_and_results_agree(name, tmp_path):
    build, twin, shape = PAIRS[name]
    torch.manual_seed(4)
    theirs, ours = twin(), build()
    for module in theirs.modules():  # statistics and affine parts other than those of a fresh network
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.8, 1.2)
            torch.nn.init.uniform_(module.bias, -0.1, 0.1)
            module.num_batches_tracked.fill_(7)
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=shape).astype(np.float32), rng.integers(0, 10, shape[0])
    save_file(theirs.state_dict(), tmp_path / "weights.safetensors")
    ours.load_state_dict(ct.load(tmp_path / "weights.safetensors"), strict=True)
    assert set(ours.state_dict()) == set(theirs.state_dict())

    # In float64, where rounding cannot hide a wrong number: some 10^4 roundings of 1e-16 meet in an output, and batch
    # norm over few values amplifies them.
    ours.double(), theirs.double()
    a, b = ct.tensor(x, dtype="float64", requires_grad=True), torch.tensor(x.astype(np.float64), requires_grad=True)
    outputs, expected = ours(a), theirs(b)
    pairs = zip(outputs, expected) if isinstance(expected, tuple) else [(outputs, expected)]
    assert all(error(one, other) < 1e-9 for one, other in pairs)
    models.auxiliary_cross_entropy(outputs, ct.tensor(y)).backward()
    loss_of(expected, torch.tensor(y), torch.nn.functional.cross_entropy).backward()
    assert error(a.grad, b.grad) < 1e-7
    gradients = dict(ours.named_parameters())
    largest = max(float(p.grad.abs().max()) for p in theirs.parameters())
    for key, p in theirs.named_parameters():
        difference = abs(gradients[key].grad.numpy() - p.grad.numpy()).max()
        assert difference < 1e-7 * max(float(p.grad.abs().max()), 1e-6 * largest), key
    for key, value in theirs.state_dict().items():  # what batch norm tracked
        if "running" in key or "tracked" in key:
            assert error(ours.state_dict()[key], value) < 1e-9, key
    with ct.no_grad(), torch.no_grad():
        assert (
            error(ours.eval()(ct.tensor(x, dtype="float64")), theirs.eval()(torch.tensor(x.astype(np.float64)))) < 1e-9
        )


@pytest.mark.parametrize("name", ["ResNet18", "GoogLeNet", "VGG16 with batch norm"])
def test_float32_outputs_agree(name, tmp_path):
    """Both round every product: some tens of layers of relative error 1e-7 each."""
    build, twin, shape = PAIRS[name]
    torch.manual_seed(4)
    theirs, ours = twin().eval(), build().eval()
    save_file(theirs.state_dict(), tmp_path / "weights.safetensors")
    ours.load_state_dict(ct.load(tmp_path / "weights.safetensors"))
    x = np.random.default_rng(6).normal(size=shape).astype(np.float32)
    with ct.no_grad(), torch.no_grad():
        assert error(ours(ct.tensor(x)), theirs(torch.tensor(x))) < 2e-5
        assert error(ct.compile(ours)(ct.tensor(x)), theirs(torch.tensor(x))) < 2e-5
