"""Weights and inputs for which kernel maps hold (2110.01765, sections 4.3, 4.4 and the summary of the method)."""

import math
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from agents.shaping.errors import ShapingError

PlaceMode: TypeAlias = Literal["one", "average", "off"]
Initialiser: TypeAlias = Literal["orthogonal", "he", "xavier"]


@torch.no_grad()
def scaled_orthogonal_(weight: Tensor, *, delta: bool = True, generator: torch.Generator | None = None) -> Tensor:
    """Scaled uniform orthogonal weights, in place: a Haar-distributed orthogonal matrix times max(√(out/in), 1).

    Args:
        weight: [out, in] or [out, in, k...].
        delta: all of a convolution in its middle tap, so that it acts on each place like a linear layer; without it the matrix is
            [out, in·k...].

    Raises:
        ShapingError: less than two axes, or an even kernel, which has no middle tap.
    """
    if weight.ndim < 2:
        raise ShapingError(f"weight of shape {tuple(weight.shape)}: expected [out, in] or [out, in, kernel...]")
    kernel = weight.shape[2:]
    if not delta or not kernel:
        rows = weight.shape[0], math.prod(weight.shape[1:])
        weight.copy_(_matrix(*rows, generator).view(weight.shape))
        return weight
    if any(size % 2 == 0 for size in kernel):
        size = "x".join(map(str, kernel))
        raise ShapingError(f"kernel {size}: expected odd sizes, as Delta initialisation needs a middle tap")
    weight.zero_()
    middle = tuple(size // 2 for size in kernel)
    weight[(slice(None), slice(None), *middle)] = _matrix(weight.shape[0], weight.shape[1], generator).to(weight)
    return weight


def _matrix(out: int, into: int, generator: torch.Generator | None) -> Tensor:
    """[out, in] float64."""
    normal = torch.randn(max(out, into), min(out, into), dtype=torch.float64, device="cpu", generator=generator)
    q, r = torch.linalg.qr(normal)
    # Without the signs of r's diagonal q would not be Haar-distributed.
    q = q * r.diagonal().sign()
    return (q if out >= into else q.T) * max(math.sqrt(out / into), 1.0)


@torch.no_grad()
def initialise(network: nn.Module, how: Initialiser = "orthogonal", generator: torch.Generator | None = None) -> nn.Module:
    """Draws all linear and convolution weights of a network and sets their biases to 0.

    Args:
        how: `orthogonal` (scaled uniform, Delta), `he` (normal, fan in) or `xavier` (uniform).
    """
    for module in network.modules():
        # On the meta device there is nothing to draw.
        if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)) and not module.weight.is_meta:
            if how == "orthogonal":
                scaled_orthogonal_(module.weight, generator=generator)
            elif how == "he":
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            else:
                nn.init.xavier_uniform_(module.weight, generator=generator)
            if module.bias is not None:
                module.bias.zero_()
    return network


def normalise_places(x: Tensor, mode: PlaceMode = "one") -> Tensor:
    """Per-location normalisation: the mean square of the channels is 1 at every place.

    Args:
        x: [N, C, ...] floating.
        mode: `one` appends a channel that is 1 before it scales, so that all-zero places can be scaled too; `average` appends the
            root of the mean square of all of x instead; `off` appends nothing, and zeros stay.

    Returns:
        [N, C + 1, ...], or [N, C, ...] where the mode is `off`; the dtype and device of x.

    Raises:
        ShapingError: another mode.
    """
    if mode not in ("one", "average", "off"):
        raise ShapingError(f"mode {mode!r}: expected one, average or off")
    # Squares in float32 at least.
    y = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
    if mode != "off":
        constant = torch.ones_like(y[:, :1])
        if mode == "average":
            constant = constant * y.square().mean().sqrt().clamp_min(1e-6)
        y = torch.cat([y, constant], 1)
    square = y.square().mean(1, keepdim=True)
    return (y * square.clamp_min(1e-12).rsqrt()).to(x.dtype)
