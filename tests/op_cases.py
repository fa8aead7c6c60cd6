"""THE table: one row per public operation. It drives forward, gradient, dtype, layout, ISA and peer tests alike."""

import op_cases_attention
import op_cases_augment
import op_cases_creation
import op_cases_ctc
import op_cases_elementwise
import op_cases_linalg
import op_cases_losses
import op_cases_nn
import op_cases_recurrent
import op_cases_reductions
import op_cases_resampling
import op_cases_shape
from op_row import Op

FAMILIES = (op_cases_elementwise, op_cases_reductions, op_cases_shape, op_cases_linalg, op_cases_losses, op_cases_nn,
            op_cases_ctc, op_cases_recurrent, op_cases_attention, op_cases_creation, op_cases_augment,
            op_cases_resampling)  # fmt: skip
OPS: list[Op] = [row for family in FAMILIES for row in family.ROWS]
BY_NAME: dict[str, Op] = {row.name: row for row in OPS}
DIFFERENTIABLE: list[Op] = [row for row in OPS if row.gradient]

_TRUTH = "its result is bool"
_INDEX = "its result is an index"
_INTEGER = "it is defined on integers alone"
_MADE = "it makes values, or takes only a shape from its input"
_DATA = "it makes training data, which nobody trains"
_COPIED = "it copies values out of any graph"
NON_DIFFERENTIABLE: dict[str, str] = {
    **dict.fromkeys(
        ["isnan", "isinf", "isfinite", "logical_not", "logical_and", "logical_or", "logical_xor", "any", "all"], _TRUTH
    ),
    **dict.fromkeys(["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"], _TRUTH),
    "tensor": _COPIED,
    "mix_noise": _DATA,
    **dict.fromkeys(["argmax", "argmin", "argsort", "nonzero"], _INDEX),
    **dict.fromkeys(
        ["bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "invert", "one_hot"], _INTEGER
    ),
    **dict.fromkeys(
        ["zeros", "ones", "full", "arange", "linspace", "eye", "zeros_like", "ones_like", "full_like"], _MADE
    ),
}
