"""Precision of matrix products in training: float32, or bfloat16 where the processor has instructions for it.

Parameters, gradients, cell states, policy, values and losses stay float32 (torch's automatic mixed precision).
"""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from agents.config import Precision


def resolve(precision: Precision, device: torch.device) -> torch.dtype:
    """The dtype of products on `device`; `auto` takes bfloat16 on CPUs with instructions for it, and float32 elsewhere."""
    if precision == "auto":
        return torch.bfloat16 if device.type == "cpu" and _cpu_multiplies_bfloat16() else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def _cpu_multiplies_bfloat16() -> bool:
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def products_in(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """A context in which products of float32 tensors on `device` are computed in `dtype`."""
    return torch.autocast(device.type, dtype) if dtype == torch.bfloat16 else nullcontext()


def whole_precision(device: torch.device) -> AbstractContextManager[object]:
    """A context in which nothing is rounded to less than its own dtype."""
    return torch.autocast(device.type, enabled=False) if _narrows(device) else nullcontext()


def product_dtype(weight: Tensor) -> torch.dtype:
    """What products with `weight` are computed in, in the present context."""
    narrow = weight.dtype == torch.float32 and _narrows(weight.device)
    return torch.get_autocast_dtype(weight.device.type) if narrow else weight.dtype


def _narrows(device: torch.device) -> bool:
    return torch.amp.autocast_mode.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type)
