"""Distributions over actions, and the interface of the policy heads that parametrise them.

Rollout, losses and inference sample, score and regularise actions through `ActionDistribution` and never ask which distribution
it is. Everything here is free of data-dependent control flow and of transfers to or from the host, so that it can be recorded as
a CUDA graph.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

INITIAL_GAIN = 0.01
"""Gain of the orthogonal initialisation of a head's output weights: at first all choices are about equally likely."""


class ActionDistribution(ABC):
    """A distribution over actions for every element of a batch.

    Leading axes are [N] for a step and [T, B] for a sequence. An action of one part is an int64 tensor of the leading axes, an
    action of K parts one of [..., K].

    Entropy and divergence of an autoregressive distribution are estimates along a path, an action per element; distributions in
    which they are exact ignore `path`.
    """

    @abstractmethod
    def sample(self, uniforms: Tensor) -> Tensor:
        """Actions by inversion of the cumulative distribution.

        Args:
            uniforms: [..., K] float32 in [0, 1), one for each part of an action.
        """

    @abstractmethod
    def log_prob(self, action: Tensor) -> Tensor:
        """Log-probabilities [...] of given actions."""

    @abstractmethod
    def entropy(self, path: Tensor | None = None) -> Tensor:
        """Entropies [...] in nats."""

    @abstractmethod
    def kl(self, other: "ActionDistribution", path: Tensor | None = None) -> Tensor:
        """Kullback-Leibler divergences [...] from this distribution to `other`, in nats: Σ p log(p / q).

        Args:
            other: of the same class and sizes.
        """


class Categorical(ActionDistribution):
    """One choice of n.

    Args:
        logits: [..., n] float.

    Attributes:
        log_policy: [..., n], the normalised log-probabilities.
    """

    def __init__(self, logits: Tensor) -> None:
        self.log_policy = functional.log_softmax(logits, -1)

    def sample(self, uniforms: Tensor) -> Tensor:
        below = self.log_policy.exp().cumsum(-1) <= uniforms
        # Rounding may leave the last cumulative probability below a uniform near 1.
        return below.sum(-1).clamp_(max=self.log_policy.shape[-1] - 1)

    def log_prob(self, action: Tensor) -> Tensor:
        return self.log_policy.gather(-1, action.unsqueeze(-1)).squeeze(-1)

    def entropy(self, path: Tensor | None = None) -> Tensor:
        return -(self.log_policy.exp() * self.log_policy).sum(-1)

    def kl(self, other: ActionDistribution, path: Tensor | None = None) -> Tensor:
        assert isinstance(other, Categorical)
        return (self.log_policy.exp() * (self.log_policy - other.log_policy)).sum(-1)


class IndependentCategoricals(ActionDistribution):
    """K choices at once, each of its own categorical distribution, independent of each other given the features.

    Args:
        logits: [..., Σ sizes] float, part after part.
        sizes: number of choices of each part.
    """

    def __init__(self, logits: Tensor, sizes: tuple[int, ...]) -> None:
        self.parts = [Categorical(part) for part in logits.split(sizes, -1)]

    def sample(self, uniforms: Tensor) -> Tensor:
        return torch.stack([part.sample(uniforms[..., k : k + 1]) for k, part in enumerate(self.parts)], -1)

    def log_prob(self, action: Tensor) -> Tensor:
        return add([part.log_prob(action[..., k]) for k, part in enumerate(self.parts)])

    def entropy(self, path: Tensor | None = None) -> Tensor:
        return add([part.entropy() for part in self.parts])

    def kl(self, other: ActionDistribution, path: Tensor | None = None) -> Tensor:
        assert isinstance(other, IndependentCategoricals)
        return add([mine.kl(theirs) for mine, theirs in zip(self.parts, other.parts, strict=True)])


class PolicyHead(nn.Module, ABC):
    """Maps features to the parameters of an action distribution.

    Attributes:
        sizes: number of choices of each part of an action.
    """

    sizes: tuple[int, ...]

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Features [..., F] float → parameters [..., P] of the distributions (for independent choices: their logits)."""

    @abstractmethod
    def distribution(self, parameters: Tensor, keys: Tensor | None = None) -> ActionDistribution:
        """The distributions that `forward` parametrised; keys [..., cells, d], for heads that point at places."""

    @abstractmethod
    def initialise(self) -> None:
        """Draws the initial output weights.

        Separate from the constructor, so that a network can draw the weights of all its layers first: a seed then gives the same
        initial parameters whatever the order in which heads are initialised.
        """


def write_one_hot(action: Tensor, sizes: tuple[int, ...], out: Tensor) -> None:
    """Writes actions as one-hot vectors, part after part, as networks read them.

    Args:
        action: [...] int64 for one part, [..., K] for K parts.
        out: [..., Σ sizes], overwritten.
    """
    out.zero_()
    if len(sizes) == 1:
        out.scatter_(-1, action.unsqueeze(-1), 1)
        return
    for place, part in zip(out.split(sizes, -1), action.unbind(-1), strict=True):
        place.scatter_(-1, part.unsqueeze(-1), 1)


def add(parts: list[Tensor]) -> Tensor:
    """The sum of tensors of one shape."""
    return torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]
