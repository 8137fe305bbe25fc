"""The dtype policy of the kernels that sum or square, in one function.

Half types are raised to float32 inside a kernel, wider types stay as they are, and a result has the dtype that was
given. A bfloat16 number has 8 significant bits, so sums and squares taken in it lose what they should keep
(Micikevicius et al. 2018, "Mixed Precision Training", arXiv:1710.03740, section 3.3).
"""

import torch
from jaxtyping import Float
from torch import Tensor


def widen(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """x in float32 when x is a half type, else x itself."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
