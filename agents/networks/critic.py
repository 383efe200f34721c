"""A critic that reads privileged facts while training: an asymmetric actor and critic (arXiv 1710.06542, section 3.2).

The value is V = w · core + b + u · φ(facts). What the policy reads is the core alone, so that an agent acts on what it perceives;
where the facts aren't known, as in evaluation, φ is 0 and the value is that of the core.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from agents.networks.way_to_goal import GAIN, NEEDS, SCALE, WAY_TO_GOAL, way_to_goal
from env.batch import WorldSpec
from maze_gen.errors import InputError


@dataclass(frozen=True)
class Fact:
    """Something that a critic may see.

    Attributes:
        needs: privileged arrays that it is made from.
        values: these arrays by name, [N, ...] each → [N, entries].
        scale: typical size of each entry.
        gain: what its weights are multiplied by.
    """

    needs: tuple[str, ...]
    values: Callable[[Mapping[str, Tensor]], Tensor]
    scale: tuple[float, ...]
    gain: float = 1.0


def facts_of(spec: WorldSpec) -> dict[str, Fact]:
    """By name, what a critic may see of worlds: their privileged arrays, and in mazes the way to the goal."""
    found = {}
    for name, array in spec.privileged.items():
        scale = array.scale or (1.0,) * torch.Size(array.shape).numel()
        found[name] = Fact((name,), lambda arrays, name=name: arrays[name].reshape(len(arrays[name]), -1), scale)
    if set(NEEDS) <= set(spec.privileged):
        found[WAY_TO_GOAL] = Fact(NEEDS, lambda arrays: way_to_goal(arrays, spec), SCALE, GAIN)
    return found


class PrivilegedCritic(nn.Module):
    """The part of the value that privileged facts explain.

    Each entry x of the facts, with the typical size s, is read as x / s and as exp(−x / s): a goal that is x cells away is worth
    what discounting leaves of it. The weights, of some facts times a gain, begin at 0, so that values begin as they would without
    the facts.

    Attributes:
        facts: that it reads, by name (`facts_of`).
        inputs: C, entries of them.
    """

    scale: Tensor
    gain: Tensor

    def __init__(self, spec: WorldSpec, names: Sequence[str]) -> None:
        """Asks the specification.

        Raises:
            InputError: a fact that these worlds haven't.
        """
        super().__init__()
        possible = facts_of(spec)
        unknown = [name for name in names if name not in possible]
        if unknown:
            raise InputError(f"critic sees {unknown[0]!r}: expected among {', '.join(possible)}")
        self.facts = {name: possible[name] for name in names}
        scale = [size for fact in self.facts.values() for size in fact.scale]
        gain = [fact.gain for fact in self.facts.values() for _ in fact.scale]
        self.inputs = len(scale)
        self.register_buffer("scale", torch.tensor(scale), persistent=False)
        self.register_buffer("gain", torch.tensor(gain * 2), persistent=False)
        self.weight = nn.Parameter(torch.zeros(2 * self.inputs))

    def check(self, privileged: Mapping[str, Tensor]) -> None:
        """Raises InputError where worlds lack a fact that their specification names."""
        missing = [name for fact in self.facts.values() for name in fact.needs if name not in privileged]
        if missing:
            raise InputError(f"critic sees {missing[0]!r}, which these worlds don't compute: leave it out, or use other worlds")

    def observe(self, privileged: Mapping[str, Tensor], out: Tensor) -> None:
        """Writes the present facts into `out` [N, C] float32, in units of their typical size, plus 1.

        Facts are not negative, so that 0 in `out` stands for a fact that isn't known, and an unknown path, −1, is read as the
        shortest one.
        """
        values = torch.cat([fact.values(privileged).float() for fact in self.facts.values()], 1)
        out.copy_(values.clamp(min=0) / self.scale + 1)

    def forward(self, facts: Tensor) -> Tensor:
        """[..., C], as `observe` wrote them or 0 → [...], what they add to the value."""
        known = (facts > 0).to(self.weight.dtype)
        size = (facts - 1).to(self.weight.dtype)
        features = torch.cat((size * known, torch.exp(-size) * known), -1)
        return features @ (self.gain * self.weight)
