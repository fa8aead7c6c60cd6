"""The models that are trained beside others': each function builds one from any library's `nn`."""

from __future__ import annotations

import itertools
from typing import Any


def mlp(nn, *widths):
    layers = [layer for i, o in itertools.pairwise(widths) for layer in (nn.Linear(i, o), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def lenet(nn):
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def vgg(nn, classes=10):
    """64-128-256-256-512-512 channels of 3x3 on 32x32 images, halved by max pooling (Simonyan and Zisserman, 2014)."""
    layers, channels = [], 3
    for stage in ([64], [128], [256, 256], [512, 512]):
        for width in stage:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512 * 2 * 2, classes))


def resnet18(nn, classes=10):
    """ResNet-18 in its form for 32x32 images: a 3x3 stem, four stages of two blocks (He et al., 2015)."""

    module: Any = nn.Module

    class Block(module):
        def __init__(self, channels, width, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.relu = nn.ReLU()
            self.shortcut = nn.Sequential()
            if stride != 1 or channels != width:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(channels, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width)
                )

        def forward(self, x):
            y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
            return self.relu(y + self.shortcut(x))

    blocks, channels = [], 64
    for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        blocks += [Block(channels, width, stride), Block(width, width, 1)]
        channels = width
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        *blocks, nn.AvgPool2d(4), nn.Flatten(), nn.Linear(512, classes),
    )  # fmt: skip


def srcnn(nn):
    """Super-resolution by 9-5-5 kernels and 64-32 channels on one plane (Dong et al., 2014)."""
    return nn.Sequential(
        nn.Conv2d(1, 64, 9, padding=4), nn.ReLU(),
        nn.Conv2d(64, 32, 5, padding=2), nn.ReLU(),
        nn.Conv2d(32, 1, 5, padding=2),
    )  # fmt: skip


def language_model(nn, kind, vocabulary, hidden, layers=1):
    """Tokens [T,B] -> scores of the next ones [T B, vocabulary]: embedding, recurrent layers, a linear layer."""
    module: Any = nn.Module

    class Model(module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(vocabulary, hidden)
            self.recurrent = getattr(nn, kind)(hidden, hidden, num_layers=layers)
            self.linear = nn.Linear(hidden, vocabulary)

        def forward(self, tokens):
            y, _ = self.recurrent(self.embedding(tokens))
            return self.linear(y.reshape(-1, hidden))

    return Model()


def seq2seq(torch, source, target, embedding, hidden):
    """The network of `cinta.models.Seq2Seq`, one layer and "general" attention, by the same names, in PyTorch's layers.

    Batches of full length: [B,S] read, [B,T] written -> scores [B,T,target].
    """
    nn = torch.nn
    module: Any = nn.Module

    class Model(module):
        def __init__(self):
            super().__init__()
            self.source_embedding, self.target_embedding = (
                nn.Embedding(source, embedding),
                nn.Embedding(target, embedding),
            )
            self.encoder, self.decoder = nn.LSTM(embedding, hidden // 2, bidirectional=True), nn.LSTM(embedding, hidden)
            self.attention = nn.Module()
            self.attention.weight = nn.Parameter(torch.empty(hidden, hidden))
            self.combine, self.output = nn.Linear(2 * hidden, hidden, bias=False), nn.Linear(hidden, target)

        def forward(self, read, written):
            memory, states = self.encoder(self.source_embedding(read.T))
            begin = tuple(torch.cat([state[0], state[1]], 1)[None] for state in states)
            query, _ = self.decoder(self.target_embedding(written.T), begin)
            memory, query = memory.transpose(0, 1), query.transpose(0, 1)
            keys = nn.functional.linear(memory, self.attention.weight)
            context = torch.bmm(torch.bmm(query, keys.transpose(1, 2)).softmax(2), memory)
            return self.output(torch.tanh(self.combine(torch.cat([context, query], 2))))

    return Model()


def layer_norm_lstm(torch, features, hidden):
    """What cinta's `nn.LayerNormLSTM` computes, in PyTorch's operations step by step, by the same names."""
    norm = torch.nn.functional.layer_norm
    module: Any = torch.nn.Module

    class LayerNormLSTM(module):
        def __init__(self):
            super().__init__()
            rows = 4 * hidden
            shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, features), "weight_hh": (rows, hidden)}
            for name, size in (("ih", rows), ("hh", rows), ("c", hidden)):
                shapes |= {f"norm_{name}_weight": (size,), f"norm_{name}_bias": (size,)}
            for name, shape in shapes.items():
                setattr(self, f"{name}_l0", torch.nn.Parameter(torch.empty(shape)))

        def forward(self, x):
            of_x = norm(x @ self.weight_ih_l0.T, (4 * hidden,), self.norm_ih_weight_l0, self.norm_ih_bias_l0)
            h = c = x.new_zeros(x.shape[1], hidden)
            y = []
            for step in of_x:
                of_h = norm(h @ self.weight_hh_l0.T, (4 * hidden,), self.norm_hh_weight_l0, self.norm_hh_bias_l0)
                i, f, g, o = (step + of_h).chunk(4, -1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                inner = norm(c, (hidden,), self.norm_c_weight_l0, self.norm_c_bias_l0)
                h = torch.sigmoid(o) * torch.tanh(inner)
                y.append(h)
            return torch.stack(y), (h, c)

    return LayerNormLSTM()


def transformer(nn, vocabulary, width, heads, layers, steps, dropout=0.0):
    """Tokens [B,T] -> scores of the next ones [B T, vocabulary]: embedding, positions, causal encoder layers."""
    module: Any = nn.Module

    class Model(module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(vocabulary, width)
            self.positions = nn.Embedding(steps, width)
            layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout, batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, layers)
            self.linear = nn.Linear(width, vocabulary)

        def forward(self, tokens):
            x = self.embedding(tokens) + self.positions.weight
            return self.linear(self.encoder(x, **self.causal)).reshape(-1, vocabulary)

    model = Model()
    model.causal = {"is_causal": True}
    if nn.__name__.startswith("torch"):  # PyTorch wants the mask beside the word
        model.causal["mask"] = nn.Transformer.generate_square_subsequent_mask(steps)
    return model
