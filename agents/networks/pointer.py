"""Pointer heads: a part of an action that is a place is chosen by comparing a query with a key of every place.

logits(cell) = linear(z) + query(z) · key(cell) / √d: what lies at a place decides there, instead of passing through the narrow
features that the core hands on. (The decoder of arXiv 1910.01007, appendix I, makes all logits of those features.)
"""

from torch import Tensor, nn

from agents.networks.autoregressive import AutoregressiveDistribution, AutoregressivePolicyHead
from agents.networks.distributions import ActionDistribution
from env.batch import ActionSpec
from maze_gen.errors import InputError

QUERY_GAIN = 0.1


class PointerPolicyHead(AutoregressivePolicyHead):
    """An autoregressive head whose parts with a grid point at its cells.

    Args:
        spec: of the action; its grids are all of one size.
        features: F, of the input.
        key_width: d, of a key.
    """

    def __init__(self, spec: ActionSpec, features: int, key_width: int) -> None:
        super().__init__(spec.sizes, features, conditions=tuple(part.only_if for part in spec.parts))
        self.places = tuple(k for k, part in enumerate(spec.parts) if part.grid is not None)
        self.key_width = key_width
        self.queries = nn.ModuleList(nn.Linear(self.input.out_features, key_width) for _ in self.places)

    def distribution(self, parameters: Tensor, keys: Tensor | None = None) -> ActionDistribution:
        if keys is None:
            raise InputError("a pointer head's distribution: expected the keys of the places")
        return AutoregressiveDistribution(_Pointing(self, keys), parameters)

    def pointed(self, k: int, carry: Tensor, keys: Tensor) -> Tensor:
        """Logits of part k; keys [..., cells, d]."""
        logits = self.part_logits(k, carry)
        if k not in self.places:
            return logits
        query = self.queries[self.places.index(k)](carry.relu()) * self.key_width**-0.5
        return logits + (keys @ query.unsqueeze(-1)).squeeze(-1)

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
