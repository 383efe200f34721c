"""The optimisers of the comparison, each with one learning rate to tune, on a cosine schedule."""

import contextlib
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.shaping import KFAC, KFACOptions
from experiments.classification.methods import OptimizerName

MOMENTUM = 0.9
BURN_IN = 6
"""Batches that K-FAC's factors are of before its first step."""
KFAC_STEP = 0.1
"""Square root of K-FAC's norm constraint over its learning rate: the length of a step in the Fisher metric is what is tuned."""


class Muon(torch.optim.Optimizer):
    """Momentum whose matrices are orthogonalised by Newton–Schulz steps (Jordan 2024), newer than the papers compared here.

    Matrices are [out, in·k·k]; other parameters, the first and the last layer's too, follow Adam with a tenth of the rate.
    """

    COEFFICIENTS = (3.4445, -4.7750, 2.0315)
    STEPS = 5
    SHARE = 0.1

    def __init__(self, network: nn.Module, lr: float) -> None:
        weights = [layer.weight for layer in network.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
        matrices = weights[1:-1]
        chosen = {id(weight) for weight in matrices}
        others = [p for p in network.parameters() if id(p) not in chosen]
        super().__init__([{"params": matrices, "matrices": True}, {"params": others, "matrices": False}], {"lr": lr, "steps": 0})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        assert closure is None
        for group in self.param_groups:
            group["steps"] += 1
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if group["matrices"]:
                    self._orthogonal(parameter, group["lr"])
                else:
                    self._adam(parameter, self.SHARE * group["lr"], group["steps"])

    def _orthogonal(self, parameter: Tensor, rate: float) -> None:
        state = self.state[parameter]
        momentum = state.setdefault("momentum", torch.zeros_like(parameter))
        momentum.mul_(MOMENTUM).add_(parameter.grad)  # type: ignore[arg-type]
        x = momentum.flatten(1)
        wide = x.shape[0] <= x.shape[1]
        x = (x if wide else x.T) / (x.norm() + 1e-12)
        a, b, c = self.COEFFICIENTS
        for _ in range(self.STEPS):
            square = x @ x.T
            x = a * x + (b * square + c * square @ square) @ x
        out, into = parameter.shape[0], parameter[0].numel()
        direction = (x if wide else x.T).reshape(parameter.shape)
        parameter.add_(direction, alpha=-rate * max(1.0, out / into) ** 0.5)

    def _adam(self, parameter: Tensor, rate: float, steps: int) -> None:
        state = self.state[parameter]
        mean = state.setdefault("mean", torch.zeros_like(parameter))
        square = state.setdefault("square", torch.zeros_like(parameter))
        gradient = parameter.grad
        assert gradient is not None
        mean.lerp_(gradient, 0.1)
        square.lerp_(gradient.square(), 0.001)
        mean_hat, square_hat = mean / (1 - 0.9**steps), square / (1 - 0.999**steps)
        parameter.addcdiv_(mean_hat, square_hat.sqrt().add_(1e-8), value=-rate)


def make_optimizer(name: OptimizerName, network: nn.Module, rate: float) -> torch.optim.Optimizer:
    """Nesterov's SGD, Adam, K-FAC or Muon."""
    if name == "sgd":
        return torch.optim.SGD(network.parameters(), rate, momentum=MOMENTUM, nesterov=True)
    if name == "adam":
        return torch.optim.Adam(network.parameters(), rate)
    if name == "kfac":
        return KFAC(network, rate, KFACOptions(norm_constraint=(KFAC_STEP * rate) ** 2))
    return Muon(network, rate)


def schedule(step: int, steps: int) -> float:
    """Share of the learning rate at a step: a cosine from 1 to 0."""
    return 0.5 * (1 + math.cos(math.pi * step / steps))


def loss_of(logits: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Mean cross-entropy of [N, classes·P] logits and labels [N] or [N, P]."""
    return functional.cross_entropy(logits.view(len(logits), classes, *labels.shape[1:]), labels)


def accuracy_of(logits: Tensor, labels: Tensor, classes: int) -> float:
    """Share of labels that are named rightly."""
    return float((logits.view(len(logits), classes, *labels.shape[1:]).argmax(1) == labels).float().mean())


def train_step(
    network: nn.Module, optimizer: torch.optim.Optimizer, inputs: Tensor, labels: Tensor, classes: int
) -> tuple[float, float]:
    """One step; loss and accuracy of the batch before it. Without a step, and infinite, where the logits aren't finite."""
    with optimizer.recording() if isinstance(optimizer, KFAC) else contextlib.nullcontext():
        logits = network(inputs)
    if not bool(logits.isfinite().all()):
        return math.inf, 0.0
    if isinstance(optimizer, KFAC):
        optimizer.observe(logits.view(len(logits), classes, *labels.shape[1:]))
    loss = loss_of(logits, labels, classes)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss.detach()), accuracy_of(logits.detach(), labels, classes)


def burn_in(network: nn.Module, optimizer: torch.optim.Optimizer, inputs: Tensor, classes: int) -> None:
    """Lets K-FAC see a batch without a step."""
    if isinstance(optimizer, KFAC):
        with optimizer.recording(always=True):
            logits = network(inputs)
        optimizer.observe(logits.view(len(logits), classes, -1).squeeze(2))
