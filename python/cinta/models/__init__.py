"""Networks of the literature, each with its shapes, its number of parameters and its paper."""

from cinta.models.deepface import DeepFace, NormalizedFeatures, SiameseL1, WeightedChiSquare
from cinta.models.googlenet import (
    BasicConv2d,
    GoogLeNet,
    GoogLeNetAuxiliary,
    GoogLeNetOutputs,
    Inception,
    auxiliary_cross_entropy,
)
from cinta.models.inception import (
    InceptionA,
    InceptionAuxiliary,
    InceptionB,
    InceptionC,
    InceptionD,
    InceptionE,
    InceptionOutputs,
    InceptionV3,
)
from cinta.models.lenet import LeNet5, LeNet5Loss
from cinta.models.resnet import BasicBlock, Bottleneck, ResNet, ResNet18, ResNet34, ResNet50, ResNet101, ResNet152
from cinta.models.resnet_cifar import CifarBlock, CifarResNet, ResNet20, ResNet32, ResNet44, ResNet56, ResNet110
from cinta.models.sequence_to_sequence import Seq2Seq
from cinta.models.super_resolution import ESPCN, FSRCNN, SRCNN
from cinta.models.vgg import VGG, VGG11, VGG13, VGG16, VGG19

__all__ = [
    "ESPCN",
    "FSRCNN",
    "SRCNN",
    "VGG",
    "VGG11",
    "VGG13",
    "VGG16",
    "VGG19",
    "BasicBlock",
    "BasicConv2d",
    "Bottleneck",
    "CifarBlock",
    "CifarResNet",
    "DeepFace",
    "GoogLeNet",
    "GoogLeNetAuxiliary",
    "GoogLeNetOutputs",
    "Inception",
    "InceptionA",
    "InceptionAuxiliary",
    "InceptionB",
    "InceptionC",
    "InceptionD",
    "InceptionE",
    "InceptionOutputs",
    "InceptionV3",
    "LeNet5",
    "LeNet5Loss",
    "NormalizedFeatures",
    "ResNet",
    "ResNet18",
    "ResNet20",
    "ResNet32",
    "ResNet34",
    "ResNet44",
    "ResNet50",
    "ResNet56",
    "ResNet101",
    "ResNet110",
    "ResNet152",
    "Seq2Seq",
    "SiameseL1",
    "WeightedChiSquare",
    "auxiliary_cross_entropy",
]
