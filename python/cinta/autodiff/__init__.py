"""Derivatives of Python functions on tensors: transforms (`grad`, `vjp`, `jvp`, `jacobian`, `hessian`, ...), gradient
rules of one's own (`custom_vjp`, `primitive`), and what is recorded (`no_grad`, `checkpoint`)."""

from __future__ import annotations

from cinta._core import is_grad_enabled, set_grad_enabled

from .checkpoint import checkpoint
from .custom import custom_vjp
from .gradients import elementwise_grad, grad, grad_and_aux, grad_named, multigrad_dict, value_and_grad
from .jacobians import hessian, jacobian
from .modes import enable_grad, no_grad
from .primitives import defjvp, defvjp, defvjp_argnum, defvjp_argnums, notrace_primitive, primitive
from .products import (
    deriv,
    hessian_tensor_product,
    hessian_vector_product,
    hvp,
    jvp,
    make_ggnvp,
    make_hvp,
    make_jvp,
    make_vjp,
    tensor_jacobian_product,
    vector_jacobian_product,
    vjp,
)

__all__ = [
    "checkpoint",
    "custom_vjp",
    "defjvp",
    "defvjp",
    "defvjp_argnum",
    "defvjp_argnums",
    "deriv",
    "elementwise_grad",
    "enable_grad",
    "grad",
    "grad_and_aux",
    "grad_named",
    "hessian",
    "hessian_tensor_product",
    "hessian_vector_product",
    "hvp",
    "is_grad_enabled",
    "jacobian",
    "jvp",
    "make_ggnvp",
    "make_hvp",
    "make_jvp",
    "make_vjp",
    "multigrad_dict",
    "no_grad",
    "notrace_primitive",
    "primitive",
    "set_grad_enabled",
    "tensor_jacobian_product",
    "value_and_grad",
    "vector_jacobian_product",
    "vjp",
]
