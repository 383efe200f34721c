"""The activation functions that have a name here, with their kinks."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from agents.shaping.errors import ShapingError


@dataclass(frozen=True)
class Function:
    """An elementwise function.

    Attributes:
        name: as messages call it.
        call: Tensor → Tensor of the same shape, differentiable twice by autograd wherever it isn't at a kink.
        kinks: where it or a derivative of it jumps; integrals are split there.
    """

    name: str
    call: Callable[[Tensor], Tensor]
    kinks: tuple[float, ...] = ()

    def __call__(self, x: Tensor) -> Tensor:
        return self.call(x)


def _softplus(x: Tensor) -> Tensor:
    # torch goes over to the identity at 20, an error of 2e-9.
    return functional.softplus(x, threshold=40)


def _bent_identity(x: Tensor) -> Tensor:
    return ((x * x + 1).sqrt() - 1) / 2 + x


def leaky(slope: float) -> Function:
    """A leaky rectifier with that slope below 0."""
    return Function("leaky_relu", lambda x: functional.leaky_relu(x, slope), (0.0,))


_ROWS = (
    Function("tanh", torch.tanh),
    Function("softplus", _softplus),
    leaky(0.01),
    Function("relu", functional.relu, (0.0,)),
    Function("selu", functional.selu, (0.0,)),
    Function("elu", functional.elu, (0.0,)),
    Function("swish", functional.silu),
    Function("sigmoid", torch.sigmoid),
    Function("erf", torch.erf),
    Function("bentid", _bent_identity),
    Function("atan", torch.atan),
    Function("asinh", torch.asinh),
    Function("square", torch.square),
    Function("softsign", functional.softsign, (0.0,)),
    Function("gelu", functional.gelu),
    Function("gelu_tanh", lambda x: functional.gelu(x, approximate="tanh")),
    Function("sin", torch.sin),
    Function("cos", torch.cos),
)
FUNCTIONS: Mapping[str, Function] = {function.name: function for function in _ROWS}
"""By name; `gelu` is the exact one as in torch, `leaky_relu` gets its slope from the method that shapes it."""


def find(function: "str | Function | Callable[[Tensor], Tensor]") -> Function:
    """A named function, or one of the caller's own.

    Raises:
        ShapingError: an unknown name, or a function that isn't finite on [−12, 12].
    """
    if isinstance(function, str):
        if function not in FUNCTIONS:
            raise ShapingError(f"activation {function!r}: expected one of {', '.join(FUNCTIONS)}, or a function of a tensor")
        return FUNCTIONS[function]
    found = function if isinstance(function, Function) else Function(getattr(function, "__name__", "activation"), function)
    x = torch.linspace(-12, 12, 97, dtype=torch.float64, device="cpu")
    y = found(x)
    if y.shape != x.shape or not bool(torch.isfinite(y).all()):
        raise ShapingError(f"activation {found.name}: expected an elementwise function that is finite on [-12, 12]")
    return found


def has_jump(function: Function) -> bool:
    """Whether the slope jumps at a kink, so that E φ''² doesn't exist."""
    step = 1e-5
    for kink in function.kinks:
        with torch.inference_mode(False), torch.enable_grad():
            x = torch.tensor([kink - step, kink + step], dtype=torch.float64, device="cpu", requires_grad=True)
            left, right = torch.autograd.grad(function(x).sum(), x)[0].tolist()
        if not math.isclose(left, right, abs_tol=1e-3):
            return True
    return False
