"""K-FAC: the natural gradient with a Kronecker-factored Fisher matrix (1503.05671; convolutions 1602.01407)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from agents.shaping.errors import ShapingError
from agents.shaping.factors import LAYERS, input_rows, observe_layers, output_rows


@dataclass(frozen=True)
class KFACOptions:
    """How the curvature is estimated and used.

    Attributes:
        momentum: of the preconditioned gradient.
        damping: λ, split between both factors by the ratio of their mean eigenvalues (1503.05671, section 6.3).
        norm_constraint: largest squared length of a step in the Fisher metric, without momentum; steps are scaled down to it.
        decay: of the factors' moving average.
        factor_every, inverse_every: steps between two estimates of the factors, and between two inversions of them.
        fisher: `sampled` draws the labels from the model; `empirical` takes the data's; `exact` is the expectation over all
            labels, and costs a backward pass for each.
        seed: of the sampled labels.
    """

    momentum: float = 0.9
    damping: float = 1e-2
    norm_constraint: float = 1e-4
    decay: float = 0.95
    factor_every: int = 10
    inverse_every: int = 20
    fisher: Literal["sampled", "empirical", "exact"] = "sampled"
    seed: int = 0


class KFAC(torch.optim.Optimizer):
    """A preconditioned step for every linear and convolution layer of a network; other parameters follow their gradient.

        optimizer = KFAC(network, lr=0.1)
        for inputs, labels in batches:
            with optimizer.recording():
                logits = network(inputs)
            optimizer.observe(logits, labels)
            optimizer.zero_grad()
            cross_entropy(logits, labels).backward()
            optimizer.step()

    `observe` does nothing at steps at which no factors are due. The factors of one small batch are too poor for a first step:
    let it observe a few batches before, under `recording(always=True)` and without a step.

    Args:
        network: its Linear and Conv2d layers are preconditioned, each with its bias as one matrix.
        lr: learning rate.

    Raises:
        ShapingError: a network without such a layer, or a grouped convolution.
    """

    def __init__(self, network: nn.Module, lr: float, options: KFACOptions | None = None) -> None:
        self.options = options or KFACOptions()
        self.layers = {name: module for name, module in network.named_modules() if isinstance(module, LAYERS)}
        if not self.layers:
            raise ShapingError(f"K-FAC of a {type(network).__name__}: it has no linear or convolution layer")
        for name, layer in self.layers.items():
            if isinstance(layer, nn.Conv2d) and (layer.groups != 1 or layer.padding_mode != "zeros"):
                raise ShapingError(f"K-FAC of {name}: expected a convolution of one group with zero padding")
        group = {
            "params": [p for p in network.parameters() if p.requires_grad],
            "lr": lr,
            "norm_constraint": self.options.norm_constraint,
            "steps": 0,
            "seen": 0,
        }
        super().__init__([group], {})
        self._recorded: dict[str, tuple[Tensor, Tensor]] = {}

    @property
    def due(self) -> bool:
        """Whether `observe` will estimate the factors at this step."""
        group = self.param_groups[0]
        return group["steps"] % self.options.factor_every == 0 or group["seen"] == 0

    @contextmanager
    def recording(self, always: bool = False) -> Iterator[None]:
        """Forward passes inside of it keep what the factors are made of, where they are due or it is `always` to be."""
        self._recorded = {}
        if not (always or self.due):
            yield
            return
        with observe_layers(self.layers, self._recorded):
            yield

    def observe(self, logits: Tensor, labels: Tensor | None = None) -> None:
        """Adds the recorded pass to the moving averages of the factors; the graph of the pass stays whole.

        Args:
            logits: [N, K] of the recorded pass, of a softmax; or [N, K, P] of P softmaxes whose mean loss is trained on.
            labels: [N] or [N, P] int64, read where the Fisher matrix is the empirical one.

        Raises:
            ShapingError: the empirical Fisher matrix without labels, or a layer that the pass met more than once or not at all.
        """
        if not self._recorded:
            return
        missing = [name for name in self.layers if name not in self._recorded]
        if missing:
            raise ShapingError(f"K-FAC: the recorded pass met no layer {missing[0]}; expected each of them once")
        outputs = [output for _, output in self._recorded.values()]
        fresh: dict[str, Tensor] = {}
        for vectors in self._vectors(logits, labels):
            gradients = torch.autograd.grad(logits, outputs, vectors, retain_graph=True)
            for name, gradient in zip(self._recorded, gradients, strict=True):
                rows = output_rows(self.layers[name], gradient)
                square = rows.T @ rows / len(rows)
                fresh[name] = fresh[name] + square if name in fresh else square
        group = self.param_groups[0]
        # An average that is free of its start: the first estimate counts whole.
        group["seen"] += 1
        keep = min(self.options.decay, 1 - 1 / group["seen"])
        for name, (entered, _) in self._recorded.items():
            layer = self.layers[name]
            rows = input_rows(layer, entered)
            state = self.state[layer.weight]
            for key, square in (("inputs", rows.T @ rows / len(entered)), ("outputs", fresh[name])):
                state[key] = state[key].mul_(keep).add_(square, alpha=1 - keep) if key in state else square
        self._recorded = {}

    def _vectors(self, logits: Tensor, labels: Tensor | None) -> Iterator[Tensor]:
        """Gradients of each row's −log p with respect to its logits, whose squares add up to the Fisher matrix."""
        p = logits.detach().softmax(1)
        classes = p.shape[1]
        # The mean over P softmaxes has a Pth of the curvature of their sum.
        share = p[0, 0].numel() ** -0.5
        if self.options.fisher == "exact":
            for k in range(classes):
                unit = torch.zeros_like(p)
                unit[:, k] = 1
                yield share * p[:, k : k + 1].sqrt() * (p - unit)
            return
        if self.options.fisher == "sampled":
            # A generator of the step's own, so that a resumed training draws the same labels.
            group = self.param_groups[0]
            generator = torch.Generator().manual_seed(self.options.seed * 1_000_003 + group["seen"])
            rows = p.movedim(1, -1).reshape(-1, classes).cpu()
            drawn = torch.multinomial(rows, 1, generator=generator)
            labels = drawn.view(p.shape[0], *p.shape[2:]).to(p.device)
        if labels is None:
            raise ShapingError("K-FAC with the empirical Fisher matrix: expected the labels of the batch")
        yield share * (p - nn.functional.one_hot(labels, classes).to(p).movedim(-1, 1))

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """One step along the preconditioned gradient.

        Raises:
            ShapingError: no factors have been observed yet.
        """
        assert closure is None
        group, options = self.param_groups[0], self.options
        if group["seen"] == 0:
            raise ShapingError("K-FAC: a step before any factors were observed; call observe() first")
        if group["steps"] % options.inverse_every == 0:
            for layer in self.layers.values():
                self._invert(self.state[layer.weight])
        directions = self._directions()
        # Its squared length in the Fisher metric is lr²·Σ gradient·direction.
        length = group["lr"] ** 2 * sum(float((p.grad * d).sum()) for p, d in directions if p.grad is not None)
        scale = min(1.0, (group["norm_constraint"] / length) ** 0.5) if length > 0 else 1.0
        for parameter, direction in directions:
            state = self.state[parameter]
            momentum = state.get("momentum")
            momentum = direction * scale if momentum is None else momentum.mul_(options.momentum).add_(direction, alpha=scale)
            state["momentum"] = momentum
            parameter.add_(momentum, alpha=-group["lr"])
        group["steps"] += 1

    def _directions(self) -> list[tuple[Tensor, Tensor]]:
        """Parameters and their preconditioned gradients."""
        directions, done = [], set()
        for layer in self.layers.values():
            weight, bias = layer.weight, layer.bias
            if weight.grad is None:
                continue
            gradient = weight.grad.flatten(1)
            if bias is not None and bias.grad is not None:
                gradient = torch.cat([gradient, bias.grad[:, None]], 1)
            state = self.state[weight]
            whole = state["outputs_inverse"] @ gradient @ state["inputs_inverse"]
            directions.append((weight, whole[:, : weight[0].numel()].reshape(weight.shape)))
            done.add(weight)
            if bias is not None and bias.grad is not None:
                directions.append((bias, whole[:, -1]))
                done.add(bias)
        others = [p for p in self.param_groups[0]["params"] if p.grad is not None and p not in done]
        return directions + [(p, p.grad) for p in others]

    def _invert(self, state: dict[str, Tensor]) -> None:
        inputs, outputs = state["inputs"], state["outputs"]
        means = inputs.trace() / len(inputs), outputs.trace() / len(outputs)
        # Where all gradients vanish the ratio is not a number, and the split even.
        ratio = float((means[0] / means[1]).sqrt()) if float(means[1]) > 0 and float(means[0]) > 0 else 1.0
        root = self.options.damping**0.5
        for key, factor, damping in (("inputs", inputs, root * ratio), ("outputs", outputs, root / ratio)):
            eye = torch.eye(len(factor), dtype=factor.dtype, device=factor.device)
            state[f"{key}_inverse"] = torch.cholesky_inverse(torch.linalg.cholesky(factor + damping * eye))
