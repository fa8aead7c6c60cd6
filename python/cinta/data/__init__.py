"""Data: datasets, batches of them in an order that can be had again, and files as NumPy arrays."""

from cinta.data.bptt import BPTTLoader
from cinta.data.cifar import Cifar, load_cifar10, load_cifar100, read_cifar
from cinta.data.collate import Padded, default_collate, pad_collate
from cinta.data.csv import Table, read_csv, text_columns
from cinta.data.dataset import ConcatDataset, Dataset, Subset, TensorDataset, random_split
from cinta.data.idx import Mnist, load_mnist, read_idx
from cinta.data.image_folder import ImageFolder, read_image
from cinta.data.loader import DataLoader
from cinta.data.samplers import BucketSampler, RandomSampler, Sampler, SequentialSampler, WeightedRandomSampler

__all__ = [
    "BPTTLoader",
    "BucketSampler",
    "Cifar",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "ImageFolder",
    "Mnist",
    "Padded",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "Table",
    "TensorDataset",
    "WeightedRandomSampler",
    "default_collate",
    "load_cifar10",
    "load_cifar100",
    "load_mnist",
    "pad_collate",
    "random_split",
    "read_cifar",
    "read_csv",
    "read_idx",
    "read_image",
    "text_columns",
]
