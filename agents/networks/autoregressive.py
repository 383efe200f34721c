"""Autoregressive actions: the distribution of part k depends on the features and on the parts chosen before it.

π(a | x) = Π_k π_k(a_k | x, a_1 … a_(k−1)), as the policies of painting agents have it (arXiv 1804.01118, section 3.2).
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.networks.distributions import INITIAL_GAIN, ActionDistribution, Categorical, PolicyHead, add
from agents.precision import whole_precision
from maze_gen.errors import InputError

WIDTH = 128
"""Width of the carry of `AutoregressivePolicyHead`."""


Condition = tuple[int, int] | None
"""(an earlier part's index, its choice) without which a part has no effect."""


class Decisions(Protocol):
    """Decides part after part; for the methods see `SequentialPolicyHead`."""

    sizes: tuple[int, ...]
    conditions: tuple[Condition, ...]

    def part_logits(self, k: int, carry: Tensor) -> Tensor: ...

    def advance(self, k: int, carry: Tensor, choice: Tensor) -> Tensor: ...


class SequentialPolicyHead(PolicyHead):
    """A policy head that decides part after part.

    A carry [..., P] goes from part to part; the parameters that `forward` returns are the carry before the first part. A
    subclass brings its own networks for `part_logits` and `advance`.

    Attributes:
        conditions: of each part; none of them has any where this is empty.
    """

    conditions: tuple[Condition, ...] = ()

    @abstractmethod
    def part_logits(self, k: int, carry: Tensor) -> Tensor:
        """Logits [..., sizes[k]] of part k, given the features and the parts before it."""

    @abstractmethod
    def advance(self, k: int, carry: Tensor, choice: Tensor) -> Tensor:
        """The carry after part k was chosen; `choice` is [...] int64."""

    def distribution(self, parameters: Tensor, keys: Tensor | None = None) -> ActionDistribution:
        return AutoregressiveDistribution(self, parameters)


class AutoregressiveDistribution(ActionDistribution):
    """The distribution of a `SequentialPolicyHead`, for every element of a batch.

    `entropy` and `kl` need a path, an action [..., K] for each element, and are sums over parts along it:
    Σ_k H(π_k(· | a_<k)) and Σ_k KL(π_k(· | a_<k) ‖ π'_k(· | a_<k)). Over paths sampled from this distribution, their mean is the
    entropy and the divergence (chain rule), with less variance than −log π(a) and log π(a) − log π'(a). Their gradients take the
    path as given; how the probability of the path itself depends on the parameters is left out.

    What counts of an action is what has an effect: parts whose condition the action doesn't meet are left out of log-probability,
    entropy and divergence. So these are those of the actions' effects.

    Actions must not be changed in place between two calls: the conditional distributions along the last path are kept.
    """

    def __init__(self, head: Decisions, parameters: Tensor) -> None:
        self.head = head
        self.parameters = parameters
        self._path: Tensor | None = None
        self._conditionals: list[Categorical] = []

    def sample(self, uniforms: Tensor) -> Tensor:
        chosen: list[Tensor] = []

        def choose(k: int, conditional: Categorical) -> Tensor:
            chosen.append(conditional.sample(uniforms[..., k : k + 1]))
            return chosen[k]

        conditionals = list(self._walk(choose))
        action = torch.stack(chosen, -1)
        self._path, self._conditionals = action, conditionals
        return action

    def log_prob(self, action: Tensor) -> Tensor:
        return self._sum([part.log_prob(action[..., k]) for k, part in enumerate(self.conditionals(action))], action)

    def entropy(self, path: Tensor | None = None) -> Tensor:
        path = _given(path)
        return self._sum([part.entropy() for part in self.conditionals(path)], path)

    def kl(self, other: ActionDistribution, path: Tensor | None = None) -> Tensor:
        assert isinstance(other, AutoregressiveDistribution)
        mine, theirs = self.conditionals(_given(path)), other.conditionals(_given(path))
        return self._sum([one.kl(another) for one, another in zip(mine, theirs, strict=True)], _given(path))

    def conditionals(self, path: Tensor) -> list[Categorical]:
        """The K conditional distributions along `path` [..., K] int64."""
        if self._path is not path:
            self._conditionals = list(self._walk(lambda k, _: path[..., k]))
            self._path = path
        return self._conditionals

    def _sum(self, parts: list[Tensor], path: Tensor) -> Tensor:
        """The sum of parts [...] of those whose condition the path [..., K] meets."""
        for k, condition in enumerate(self.head.conditions):
            if condition is not None:
                parts[k] = parts[k] * (path[..., condition[0]] == condition[1])
        return add(parts)

    def _walk(self, choose: Callable[[int, Categorical], Tensor]) -> Iterator[Categorical]:
        """The conditional distributions along a path whose part k is what `choose` returns."""
        head, carry = self.head, self.parameters
        for k in range(len(head.sizes)):
            with whole_precision(carry.device):
                conditional = Categorical(head.part_logits(k, carry))
                choice = choose(k, conditional)
                if k + 1 < len(head.sizes):
                    carry = head.advance(k, carry, choice)
            yield conditional


class AutoregressivePolicyHead(SequentialPolicyHead):
    """A carry z of width `WIDTH`: z_1 is linear in the features, logits of part k are linear in relu(z_k), and
    z_(k+1) = z_k + U_k relu(z_k) + E_k(a_k), with an embedding E_k of the choices of part k.

    Args:
        sizes: number of choices of each of the K parts.
        features: F, the width of the input.
        width: of the carry.
        conditions: of the parts.
    """

    def __init__(self, sizes: tuple[int, ...], features: int, width: int = WIDTH, conditions: tuple[Condition, ...] = ()) -> None:
        super().__init__()
        self.sizes = sizes
        self.conditions = conditions
        self.input = nn.Linear(features, width)
        self.outputs = nn.ModuleList(nn.Linear(width, size) for size in sizes)
        self.updates = nn.ModuleList(nn.Linear(width, width) for _ in sizes[1:])
        self.embeddings = nn.ModuleList(nn.Linear(size, width, bias=False) for size in sizes[:-1])

    def forward(self, features: Tensor) -> Tensor:
        return self.input(features)

    def part_logits(self, k: int, carry: Tensor) -> Tensor:
        return self.outputs[k](functional.relu(carry))

    def advance(self, k: int, carry: Tensor, choice: Tensor) -> Tensor:
        return carry + self.updates[k](functional.relu(carry)) + self._embedded(k, choice)

    def _embedded(self, k: int, choice: Tensor) -> Tensor:
        """E_k(choice), [..., width]."""
        weight = self.embeddings[k].weight
        assert isinstance(weight, Tensor)
        if choice.device.type == "cpu":
            return functional.embedding(choice, weight.t().contiguous())
        # A product with a one-hot vector: its gradient is a product too, which adds in the same order every time.
        chosen = choice.unsqueeze(-1) == torch.arange(self.sizes[k], device=choice.device)
        return functional.linear(chosen.to(weight.dtype), weight)

    def initialise(self) -> None:
        for output in self.outputs:
            assert isinstance(output, nn.Linear)
            nn.init.orthogonal_(output.weight, INITIAL_GAIN)
            nn.init.zeros_(output.bias)
        for embedding in self.embeddings:
            assert isinstance(embedding, nn.Linear)
            nn.init.normal_(embedding.weight)


def _given(path: Tensor | None) -> Tensor:
    if path is None:
        raise InputError("entropy or divergence of an autoregressive distribution: expected the path along which it is estimated")
    return path
