"""Layers, losses and containers: PyTorch's module, argument and parameter names, so state dictionaries interchange."""

from cinta.nn import functional, init
from cinta.nn.containers import ModuleDict, ModuleList, Sequential
from cinta.nn.layers.activations import (
    ELU,
    GELU,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from cinta.nn.layers.alignment import AdditiveAttention, DotAttention
from cinta.nn.layers.attention import MultiheadAttention
from cinta.nn.layers.convolution import Conv1d, Conv2d
from cinta.nn.layers.convolution_transpose import ConvTranspose1d, ConvTranspose2d
from cinta.nn.layers.dropout import AlphaDropout, Dropout, Dropout1d, Dropout2d, VariationalDropout
from cinta.nn.layers.embedding import Embedding
from cinta.nn.layers.linear import Identity, Linear
from cinta.nn.layers.normalization import BatchNorm1d, BatchNorm2d, GroupNorm, LayerNorm
from cinta.nn.layers.pooling import AdaptiveAvgPool1d, AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d
from cinta.nn.layers.positional import LearnedPositionalEncoding, PositionalEncoding
from cinta.nn.layers.recurrent import GRU, LSTM, RNN
from cinta.nn.layers.recurrent_cells import GRUCell, LSTMCell, RNNCell
from cinta.nn.layers.recurrent_layer_norm import LayerNormGRU, LayerNormLSTM
from cinta.nn.layers.shape import Flatten, Unflatten
from cinta.nn.layers.transformer import Transformer, TransformerDecoder, TransformerEncoder
from cinta.nn.layers.transformer_layers import TransformerDecoderLayer, TransformerEncoderLayer
from cinta.nn.losses import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
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
    "AdditiveAttention",
    "AlphaDropout",
    "AvgPool1d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
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
    "GRUCell",
    "GroupNorm",
    "HingeLoss",
    "HuberLoss",
    "Identity",
    "KLDivLoss",
    "L1Loss",
    "LSTMCell",
    "LayerNorm",
    "LayerNormGRU",
    "LayerNormLSTM",
    "LeakyReLU",
    "LearnedPositionalEncoding",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool1d",
    "MaxPool2d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiMarginLoss",
    "MultiheadAttention",
    "NLLLoss",
    "Parameter",
    "PositionalEncoding",
    "RNNCell",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "Tanh",
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "Unflatten",
    "VariationalDropout",
    "functional",
    "init",
    "summary",
]
