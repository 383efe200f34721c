"""Pointer heads: a part of an action that is a place is chosen by comparing a query with a key of every place.

logits(cell) = linear(z) + query(z) · key(cell) / √d: what lies at a place decides there, instead of passing through the narrow
features that the core hands on. (The decoder of arXiv 1910.01007, appendix I, makes all logits of those features.)
"""

import torch
from torch import Tensor, nn

from agents.networks.autoregressive import AutoregressiveDistribution, AutoregressivePolicyHead
from agents.networks.distributions import ActionDistribution
from env.batch import ActionSpec

QUERY_GAIN = 0.1


class PointerPolicyHead(AutoregressivePolicyHead):
    """An autoregressive head whose parts with a grid point at its cells.

    Args:
        spec: of the action; its grids are all of one size.
        features: F, of the input, whose last `key_width` entries are the keys, [d, cells].
        key_width: d x cells.
    """

    def __init__(self, spec: ActionSpec, features: int, key_width: int) -> None:
        super().__init__(spec.sizes, features - key_width, conditions=tuple(part.only_if for part in spec.parts))
        self.key_width = key_width
        self.places = tuple(k for k, part in enumerate(spec.parts) if part.grid is not None)
        self.cells = spec.sizes[self.places[0]]
        self.channels = key_width // self.cells
        self.queries = nn.ModuleList(nn.Linear(self.input.out_features, self.channels) for _ in self.places)

    def forward(self, features: Tensor) -> Tensor:
        """[..., F] → the carry before the first part, and the keys as they are."""
        narrow, keys = features.split((features.shape[-1] - self.key_width, self.key_width), -1)
        return torch.cat((self.input(narrow), keys), -1)

    def distribution(self, parameters: Tensor) -> ActionDistribution:
        carry, keys = parameters.split((parameters.shape[-1] - self.key_width, self.key_width), -1)
        return AutoregressiveDistribution(_Pointing(self, keys.unflatten(-1, (self.channels, self.cells))), carry)

    def pointed(self, k: int, carry: Tensor, keys: Tensor) -> Tensor:
        """Logits of part k; keys [..., d, cells]."""
        logits = self.part_logits(k, carry)
        if k not in self.places:
            return logits
        query = self.queries[self.places.index(k)](carry.relu()) * self.channels**-0.5
        return logits + (query.unsqueeze(-2) @ keys).squeeze(-2)

    def initialise(self) -> None:
        super().initialise()
        for query in self.queries:
            assert isinstance(query, nn.Linear)
            nn.init.orthogonal_(query.weight, QUERY_GAIN)
            nn.init.zeros_(query.bias)


class _Pointing:
    """A head, and what it points at."""

    def __init__(self, head: PointerPolicyHead, keys: Tensor) -> None:
        self.sizes, self.conditions = head.sizes, head.conditions
        self._head, self._keys = head, keys

    def part_logits(self, k: int, carry: Tensor) -> Tensor:
        return self._head.pointed(k, carry, self._keys)

    def advance(self, k: int, carry: Tensor, choice: Tensor) -> Tensor:
        return self._head.advance(k, carry, choice)
