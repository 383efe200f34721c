"""What the Kronecker factors of a layer are made of: its inputs and the gradients of its outputs, as rows."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.shaping.errors import ShapingError

LAYERS = (nn.Linear, nn.Conv2d)


def input_rows(layer: nn.Module, entered: Tensor) -> Tensor:
    """Rows a of a layer's input, one a place: [N, in] or [N, C, H, W] → [N·T, in·k·k (+ 1, the bias's input)]."""
    if isinstance(layer, nn.Conv2d):
        patches = functional.unfold(entered, layer.kernel_size, layer.dilation, layer.padding, layer.stride)  # type: ignore[arg-type]
        rows = patches.transpose(1, 2).flatten(0, 1)
    else:
        rows = entered.flatten(0, -2)
    if layer.bias is not None:
        rows = torch.cat([rows, rows.new_ones(len(rows), 1)], 1)
    return rows


def output_rows(layer: nn.Module, gradient: Tensor) -> Tensor:
    """Rows g of the gradient of a layer's output, one a place: [N, out] or [N, C, H, W] → [N·T, out]."""
    if isinstance(layer, nn.Conv2d):
        return gradient.flatten(2).transpose(1, 2).flatten(0, 1)
    return gradient.flatten(0, -2)


@contextmanager
def observe_layers(layers: Mapping[str, nn.Module], recorded: dict[str, tuple[Tensor, Tensor]]) -> Iterator[None]:
    """Keeps input and output of each layer's forward passes in `recorded`.

    Raises:
        ShapingError: a layer is used twice in a pass, so that its gradient isn't the product that the factors describe.
    """

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if name in recorded:
                raise ShapingError(f"K-FAC: layer {name} is used twice in a pass; expected each of them once")
            recorded[name] = inputs[0].detach(), output

        return hook

    handles = [layer.register_forward_hook(keep(name)) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
