"""Layers, losses and containers: PyTorch's module, argument and parameter names, so state dictionaries interchange."""

from cinta.nn import functional, init
from cinta.nn.containers import ModuleDict, ModuleList, Sequential
from cinta.nn.layers.activations import (
    ELU,
    GELU,
    LeakyReLU,
    LogSoftmax,
    PReLU,
    ReLU,
    ScaledTanh,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from cinta.nn.layers.adaptive_pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
)
from cinta.nn.layers.alignment import AdditiveAttention, DotAttention
from cinta.nn.layers.attention import MultiheadAttention
from cinta.nn.layers.convolution import Conv1d, Conv2d
from cinta.nn.layers.convolution_transpose import ConvTranspose1d, ConvTranspose2d
from cinta.nn.layers.dropout import AlphaDropout, Dropout, Dropout1d, Dropout2d, VariationalDropout
from cinta.nn.layers.embedding import Embedding
from cinta.nn.layers.fractional_pooling import FractionalMaxPool2d
from cinta.nn.layers.linear import Identity, Linear
from cinta.nn.layers.locally_connected import LocallyConnected1d, LocallyConnected2d
from cinta.nn.layers.normalization import BatchNorm1d, BatchNorm2d, GroupNorm, LayerNorm, LocalResponseNorm
from cinta.nn.layers.pooling import (
    AvgPool1d,
    AvgPool2d,
    LPPool1d,
    LPPool2d,
    MaxPool1d,
    MaxPool2d,
)
from cinta.nn.layers.positional import LearnedPositionalEncoding, PositionalEncoding
from cinta.nn.layers.radial_basis import RadialBasis
from cinta.nn.layers.recurrent import GRU, LSTM, RNN
from cinta.nn.layers.recurrent_cells import GRUCell, LSTMCell, RNNCell
from cinta.nn.layers.recurrent_layer_norm import LayerNormGRU, LayerNormLSTM
from cinta.nn.layers.resizing import PixelShuffle, PixelUnshuffle, Upsample, UpsamplingBilinear2d, UpsamplingNearest2d
from cinta.nn.layers.shape import Flatten, Unflatten
from cinta.nn.layers.subsampling import Subsampling2d
from cinta.nn.layers.transformer import Transformer, TransformerDecoder, TransformerEncoder
from cinta.nn.layers.transformer_layers import TransformerDecoderLayer, TransformerEncoderLayer
from cinta.nn.layers.unpooling import MaxUnpool1d, MaxUnpool2d
from cinta.nn.losses import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    CTCLoss,
    HingeLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    MultiMarginLoss,
    NLLLoss,
    SmoothL1Loss,
)
from cinta.nn.module import Module
from cinta.nn.parameter import Parameter
from cinta.nn.summary import summary

__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdditiveAttention",
    "AlphaDropout",
    "AvgPool1d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "CTCLoss",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "DotAttention",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Embedding",
    "Flatten",
    "FractionalMaxPool2d",
    "GRUCell",
    "GroupNorm",
    "HingeLoss",
    "HuberLoss",
    "Identity",
    "KLDivLoss",
    "L1Loss",
    "LPPool1d",
    "LPPool2d",
    "LSTMCell",
    "LayerNorm",
    "LayerNormGRU",
    "LayerNormLSTM",
    "LeakyReLU",
    "LearnedPositionalEncoding",
    "Linear",
    "LocalResponseNorm",
    "LocallyConnected1d",
    "LocallyConnected2d",
    "LogSoftmax",
    "MSELoss",
    "MaxPool1d",
    "MaxPool2d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiMarginLoss",
    "MultiheadAttention",
    "NLLLoss",
    "PReLU",
    "Parameter",
    "PixelShuffle",
    "PixelUnshuffle",
    "PositionalEncoding",
    "RNNCell",
    "RadialBasis",
    "ReLU",
    "ScaledTanh",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "Subsampling2d",
    "Tanh",
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "Unflatten",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
    "VariationalDropout",
    "functional",
    "init",
    "summary",
]
