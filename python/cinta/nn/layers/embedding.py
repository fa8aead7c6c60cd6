"""Embedding: rows of a table, looked up by number."""

from __future__ import annotations

from typing import Any

from cinta._core import Tensor, embedding, empty
from cinta.autodiff import no_grad
from cinta.nn.init import normal_
from cinta.nn.layers.arguments import positive
from cinta.nn.module import Module
from cinta.nn.parameter import Parameter


class Embedding(Module):
    """A table of learned vectors, one per symbol.

    y[..., :] = W[indices[...], :], indices [...] of integers, weight W [V, D], y [..., D]

    The weight starts as N(0, 1). The row `padding_idx` starts as zero and gets no gradient; negative counts from
    the end.
    With `sparse` the weight's gradient is a `ct.RowSparse`, the gradients of the rows that were read, for tables so
    large that a dense gradient takes most of a step: SGD and Adam update by it (`lazy=True`: those rows alone).
    Errors: IndexError where an index is outside the table.

    Example:
        >>> nn.Embedding(10, 4, padding_idx=0)(ct.tensor([[0, 3, 7]])).shape
        (1, 3, 4)
        >>> table = nn.Embedding(100_000, 8, sparse=True)
        >>> opt = optim.Adam(table.parameters(), lazy=True)
        >>> table(ct.tensor([5, 2, 5])).sum().backward()
        >>> table.weight.grad.rows.tolist()
        [2, 5]
        >>> opt.step()
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        dtype: Any = None,
        *,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        positive("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(f"[Embedding] padding_idx got {padding_idx}, expected one of {num_embeddings} rows")
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.sparse = sparse
        self.weight = Parameter(empty((num_embeddings, embedding_dim), dtype=dtype))
        self.reset_parameters()

    @classmethod
    def from_pretrained(
        cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None, *, sparse: bool = False
    ) -> Embedding:
        """A layer over a given table [V, D], which is copied; `freeze` keeps it from training."""
        table = Parameter(embeddings, requires_grad=False)
        if table.ndim != 2:
            raise ValueError(f"[Embedding] embeddings has shape {list(table.shape)}, expected [V, D]")
        rows, width = table.shape
        layer = cls(rows, width, padding_idx, table.dtype, sparse=sparse)
        layer.load_state_dict({"weight": table})
        layer.requires_grad_(not freeze)
        return layer

    def reset_parameters(self) -> None:
        """Draws the table anew."""
        normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0.0

    def forward(self, indices: Any) -> Tensor:
        return embedding(indices, self.weight, self.padding_idx, self.sparse)

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        text = text if self.padding_idx is None else f"{text}, padding_idx={self.padding_idx}"
        return f"{text}, sparse=True" if self.sparse else text
