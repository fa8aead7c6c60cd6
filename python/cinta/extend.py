"""What programs import from `autograd.extend`: the means to define new primitives and their gradients."""

from __future__ import annotations

from cinta.autodiff.primitives import defjvp, defvjp, defvjp_argnum, defvjp_argnums, notrace_primitive, primitive

__all__ = ["defjvp", "defvjp", "defvjp_argnum", "defvjp_argnums", "notrace_primitive", "primitive"]
