"""The networks of `cinta.models` for images in PyTorch's layers, by torchvision's names."""

from __future__ import annotations

import itertools

import torch
from torch import nn
from torch.nn import functional as F


class Convolution(nn.Module):
    """Convolution, batch norm or a bias, ReLU."""

    def __init__(self, inputs, outputs, kernel, stride=1, padding=0, norm=True):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=not norm)
        if norm:
            self.bn = nn.BatchNorm2d(outputs, eps=0.001)
        self.norm = norm

    def forward(self, x):
        x = self.conv(x)
        return F.relu(self.bn(x) if self.norm else x, inplace=True)


class InceptionModule(nn.Module):
    def __init__(self, inputs, one, three_reduced, three, five_reduced, five, pooled, norm):
        super().__init__()
        size = 3 if norm else 5
        self.branch1 = Convolution(inputs, one, 1, norm=norm)
        self.branch2 = nn.Sequential(
            Convolution(inputs, three_reduced, 1, norm=norm),
            Convolution(three_reduced, three, 3, padding=1, norm=norm),
        )
        self.branch3 = nn.Sequential(
            Convolution(inputs, five_reduced, 1, norm=norm),
            Convolution(five_reduced, five, size, padding=size // 2, norm=norm),
        )
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), Convolution(inputs, pooled, 1, norm=norm))

    def forward(self, x):
        return torch.cat((self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)), 1)


class Classifier(nn.Module):
    def __init__(self, inputs, classes, dropout, norm):
        super().__init__()
        self.conv = Convolution(inputs, 128, 1, norm=norm)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, classes)
        self.pool = nn.AdaptiveAvgPool2d(4) if norm else nn.AvgPool2d(5, 3)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        x = torch.flatten(self.conv(self.pool(x)), 1)
        return self.fc2(self.dropout(F.relu(self.fc1(x))))


class GoogLeNet(nn.Module):
    def __init__(
        self, num_classes=1000, aux_logits=True, transform_input=False, dropout=0.2, dropout_aux=0.7, original=False
    ):
        super().__init__()
        norm = not original
        self.transform_input, self.aux_logits = transform_input, aux_logits
        self.conv1 = Convolution(3, 64, 7, 2, 3, norm)
        self.conv2 = Convolution(64, 64, 1, norm=norm)
        self.conv3 = Convolution(64, 192, 3, padding=1, norm=norm)
        self.inception3a = InceptionModule(192, 64, 96, 128, 16, 32, 32, norm)
        self.inception3b = InceptionModule(256, 128, 128, 192, 32, 96, 64, norm)
        self.inception4a = InceptionModule(480, 192, 96, 208, 16, 48, 64, norm)
        self.inception4b = InceptionModule(512, 160, 112, 224, 24, 64, 64, norm)
        self.inception4c = InceptionModule(512, 128, 128, 256, 24, 64, 64, norm)
        self.inception4d = InceptionModule(512, 112, 144, 288, 32, 64, 64, norm)
        self.inception4e = InceptionModule(528, 256, 160, 320, 32, 128, 128, norm)
        self.inception5a = InceptionModule(832, 256, 160, 320, 32, 128, 128, norm)
        self.inception5b = InceptionModule(832, 384, 192, 384, 48, 128, 128, norm)
        if aux_logits:
            self.aux1 = Classifier(512, num_classes, dropout_aux, norm)
            self.aux2 = Classifier(528, num_classes, dropout_aux, norm)
        self.fc = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(dropout)
        self.halve = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.last_halve = nn.MaxPool2d(2 if norm else 3, 2, ceil_mode=True)
        self.response = nn.LocalResponseNorm(5) if original else nn.Identity()

    def forward(self, x):
        if self.transform_input:
            x = rescaled(x)
        x = self.response(self.halve(self.conv1(x)))
        x = self.halve(self.response(self.conv3(self.conv2(x))))
        x = self.halve(self.inception3b(self.inception3a(x)))
        x = early = self.inception4a(x)
        x = late = self.inception4d(self.inception4c(self.inception4b(x)))
        x = self.last_halve(self.inception4e(x))
        x = self.inception5b(self.inception5a(x)).mean((2, 3))
        x = self.fc(self.dropout(x))
        return (x, self.aux2(late), self.aux1(early)) if self.training and self.aux_logits else x


def rescaled(x):
    """(pixel - mean) / deviation of ImageNet -> (pixel - 0.5) / 0.5"""
    mean = torch.tensor([0.485, 0.456, 0.406], dtype=x.dtype).view(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225], dtype=x.dtype).view(3, 1, 1)
    return (x * deviation + mean - 0.5) / 0.5


class MixedA(nn.Module):
    def __init__(self, inputs, pooled):
        super().__init__()
        self.branch1x1 = Convolution(inputs, 64, 1)
        self.branch5x5_1 = Convolution(inputs, 48, 1)
        self.branch5x5_2 = Convolution(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = Convolution(inputs, 64, 1)
        self.branch3x3dbl_2 = Convolution(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, padding=1)
        self.branch_pool = Convolution(inputs, pooled, 1)

    def forward(self, x):
        parts = self.branch1x1(x), self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat((*parts, double, self.branch_pool(F.avg_pool2d(x, 3, 1, 1))), 1)


class MixedB(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.branch3x3 = Convolution(inputs, 384, 3, 2)
        self.branch3x3dbl_1 = Convolution(inputs, 64, 1)
        self.branch3x3dbl_2 = Convolution(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, 2)

    def forward(self, x):
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat((self.branch3x3(x), double, F.max_pool2d(x, 3, 2)), 1)


class MixedC(nn.Module):
    def __init__(self, inputs, inner):
        super().__init__()
        row, column = ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))
        self.branch1x1 = Convolution(inputs, 192, 1)
        self.branch7x7_1 = Convolution(inputs, inner, 1)
        self.branch7x7_2 = Convolution(inner, inner, *row)
        self.branch7x7_3 = Convolution(inner, 192, *column)
        self.branch7x7dbl_1 = Convolution(inputs, inner, 1)
        self.branch7x7dbl_2 = Convolution(inner, inner, *column)
        self.branch7x7dbl_3 = Convolution(inner, inner, *row)
        self.branch7x7dbl_4 = Convolution(inner, inner, *column)
        self.branch7x7dbl_5 = Convolution(inner, 192, *row)
        self.branch_pool = Convolution(inputs, 192, 1)

    def forward(self, x):
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = x
        for k in range(1, 6):
            twice = getattr(self, f"branch7x7dbl_{k}")(twice)
        return torch.cat((self.branch1x1(x), once, twice, self.branch_pool(F.avg_pool2d(x, 3, 1, 1))), 1)


class MixedD(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.branch3x3_1 = Convolution(inputs, 192, 1)
        self.branch3x3_2 = Convolution(192, 320, 3, 2)
        self.branch7x7x3_1 = Convolution(inputs, 192, 1)
        self.branch7x7x3_2 = Convolution(192, 192, (1, 7), 1, (0, 3))
        self.branch7x7x3_3 = Convolution(192, 192, (7, 1), 1, (3, 0))
        self.branch7x7x3_4 = Convolution(192, 192, 3, 2)

    def forward(self, x):
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        parts = self.branch3x3_2(self.branch3x3_1(x)), self.branch7x7x3_4(seven)
        return torch.cat((*parts, F.max_pool2d(x, 3, 2)), 1)


class MixedE(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        row, column = ((1, 3), 1, (0, 1)), ((3, 1), 1, (1, 0))
        self.branch1x1 = Convolution(inputs, 320, 1)
        self.branch3x3_1 = Convolution(inputs, 384, 1)
        self.branch3x3_2a = Convolution(384, 384, *row)
        self.branch3x3_2b = Convolution(384, 384, *column)
        self.branch3x3dbl_1 = Convolution(inputs, 448, 1)
        self.branch3x3dbl_2 = Convolution(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = Convolution(384, 384, *row)
        self.branch3x3dbl_3b = Convolution(384, 384, *column)
        self.branch_pool = Convolution(inputs, 192, 1)

    def forward(self, x):
        once = self.branch3x3_1(x)
        twice = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        parts = self.branch1x1(x), self.branch3x3_2a(once), self.branch3x3_2b(once)
        parts = *parts, self.branch3x3dbl_3a(twice), self.branch3x3dbl_3b(twice)
        return torch.cat((*parts, self.branch_pool(F.avg_pool2d(x, 3, 1, 1))), 1)


class MixedClassifier(nn.Module):
    def __init__(self, inputs, classes):
        super().__init__()
        self.conv0 = Convolution(inputs, 128, 1)
        self.conv1 = Convolution(128, 768, 5)
        self.fc = nn.Linear(768, classes)

    def forward(self, x):
        return self.fc(self.conv1(self.conv0(F.avg_pool2d(x, 5, 3))).mean((2, 3)))


class InceptionV3(nn.Module):
    def __init__(self, num_classes=1000, aux_logits=True, transform_input=False, dropout=0.5):
        super().__init__()
        self.transform_input, self.aux_logits = transform_input, aux_logits
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, 2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = MixedA(192, 32), MixedA(256, 64), MixedA(288, 64)
        self.Mixed_6a = MixedB(288)
        self.Mixed_6b, self.Mixed_6c = MixedC(768, 128), MixedC(768, 160)
        self.Mixed_6d, self.Mixed_6e = MixedC(768, 160), MixedC(768, 192)
        if aux_logits:
            self.AuxLogits = MixedClassifier(768, num_classes)
        self.Mixed_7a, self.Mixed_7b, self.Mixed_7c = MixedD(768), MixedE(1280), MixedE(2048)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2048, num_classes)

    def forward(self, x):
        if self.transform_input:
            x = rescaled(x)
        x = F.max_pool2d(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))), 3, 2)
        x = F.max_pool2d(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)), 3, 2)
        for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e"):
            x = getattr(self, f"Mixed_{name}")(x)
        middle = x
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean((2, 3))
        x = self.fc(self.dropout(x))
        return (x, self.AuxLogits(middle)) if self.training and self.aux_logits else x


WIDTHS = {11: "64 M 128 M 256 256 M 512 512 M 512 512 M", 13: "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M",
          16: "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
          19: "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M"}  # fmt: skip


class VGG(nn.Module):
    def __init__(self, depth, num_classes=1000, batch_norm=False, dropout=0.5, cifar=False):
        super().__init__()
        layers, inputs = [], 3
        for word in WIDTHS[depth].split():
            if word == "M":
                layers.append(nn.MaxPool2d(2))
                continue
            layers.append(nn.Conv2d(inputs, int(word), 3, padding=1))
            layers += [nn.BatchNorm2d(int(word))] if batch_norm else []
            layers.append(nn.ReLU(inplace=True))
            inputs = int(word)
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1 if cifar else 7)
        widths = [512, num_classes] if cifar else [25088, 4096, 4096, num_classes]
        layers = []
        for i, o in itertools.pairwise(widths):
            layers += [nn.Linear(i, o), nn.ReLU(inplace=True), nn.Dropout(dropout)]
        self.classifier = nn.Sequential(*layers[:-2])

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class Basic(nn.Module):
    expansion = 1

    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = shortcut(inputs, width, stride)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        y += self.downsample(x)
        return F.relu(y, inplace=True)


class Narrow(nn.Module):
    expansion = 4

    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = shortcut(inputs, 4 * width, stride)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(y)), inplace=True)))
        y += self.downsample(x)
        return F.relu(y, inplace=True)


def shortcut(inputs, outputs, stride):
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class ResNet(nn.Module):
    def __init__(self, block, counts, num_classes=1000, cifar=False):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3 if cifar else 7, 1 if cifar else 2, 1 if cifar else 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.Identity() if cifar else nn.MaxPool2d(3, 2, 1)
        inputs = 64
        for stage, count in enumerate(counts):
            blocks = []
            for k in range(count):
                blocks.append(block(inputs, 64 << stage, 2 if stage and not k else 1))
                inputs = (64 << stage) * block.expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inputs, num_classes)

    def forward(self, x):
        x = self.maxpool(F.relu(self.bn1(self.conv1(x)), inplace=True))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class CifarBlock(nn.Module):
    def __init__(self, inputs, width, stride, kind):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        if kind == "projection":
            self.downsample = shortcut(inputs, width, stride)
        self.kind, self.stride, self.added = kind, stride, width - inputs

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.kind == "projection":
            y = y + self.downsample(x)
        elif self.kind == "zeros":
            y = y + F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.added))
        return F.relu(y)


class CifarResNet(nn.Module):
    def __init__(self, depth, num_classes=10, shortcut="zeros"):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        inputs = 16
        for stage, width in enumerate((16, 32, 64)):
            blocks = []
            for k in range((depth - 2) // 6):
                blocks.append(CifarBlock(inputs, width, 2 if stage and not k else 1, shortcut))
                inputs = width
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(64, num_classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))
