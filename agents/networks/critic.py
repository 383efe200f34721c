"""A critic that reads privileged facts while training: an asymmetric actor and critic (arXiv 1710.06542, section 3.2).

The value is V = w · core + b + u · φ(facts). What the policy reads is the core alone, so that an agent acts on what it perceives;
where the facts aren't known, as in evaluation, φ is 0 and the value is that of the core.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from agents.networks.way_to_goal import GAIN, NEEDS, SCALE, WAY_TO_GOAL, way_to_goal
from env.batch import WorldSpec
from maze_gen.errors import InputError


class PrivilegedCritic(nn.Module):
    """The part of the value that privileged facts explain.

    Each entry x of the facts, with the typical size s, is read as x / s and as exp(−x / s): a goal that is x cells away is worth
    what discounting leaves of it. The weights, of some facts times a gain, begin at 0, so that values begin as they would without
    the facts.

    Attributes:
        names: of the privileged arrays, or `way_to_goal`.
        inputs: C, entries of them.
    """

    scale: Tensor
    gain: Tensor

    def __init__(self, spec: WorldSpec, names: Sequence[str]) -> None:
        """Asks the specification.

        Raises:
            InputError: a privileged array that these worlds haven't.
        """
        super().__init__()
        made = (WAY_TO_GOAL,) if set(NEEDS) <= set(spec.privileged) else ()
        unknown = [name for name in names if name not in (*spec.privileged, *made)]
        if unknown:
            raise InputError(f"critic sees {unknown[0]!r}: expected among {', '.join((*spec.privileged, *made))}")
        self.spec = spec
        self.names = tuple(names)
        scale: list[float] = []
        gain: list[float] = []
        for name in names:
            if name == WAY_TO_GOAL:
                scale += SCALE
                gain += [GAIN] * len(SCALE)
            else:
                array = spec.privileged[name]
                scale += array.scale or (1.0,) * torch.Size(array.shape).numel()
            gain += [1.0] * (len(scale) - len(gain))
        self.inputs = len(scale)
        self.register_buffer("scale", torch.tensor(scale), persistent=False)
        self.register_buffer("gain", torch.tensor(gain * 2), persistent=False)
        self.weight = nn.Parameter(torch.zeros(2 * self.inputs))

    def check(self, privileged: Mapping[str, Tensor]) -> None:
        """Raises InputError where worlds lack a fact that their specification names."""
        needed = [needs for name in self.names for needs in (NEEDS if name == WAY_TO_GOAL else (name,))]
        missing = [name for name in needed if name not in privileged]
        if missing:
            raise InputError(f"critic sees {missing[0]!r}, which these worlds don't compute: leave it out, or use other worlds")

    def observe(self, privileged: Mapping[str, Tensor], out: Tensor) -> None:
        """Writes the present facts into `out` [N, C] float32, in units of their typical size, plus 1.

        Facts are not negative, so that 0 in `out` stands for a fact that isn't known, and an unknown path, −1, is read as the
        shortest one.
        """
        first = 0
        for name in self.names:
            made = name == WAY_TO_GOAL
            values = way_to_goal(privileged, self.spec) if made else privileged[name].reshape(len(out), -1)
            width = values.shape[1]
            out[:, first : first + width] = values.clamp(min=0) / self.scale[first : first + width] + 1
            first += width

    def forward(self, facts: Tensor) -> Tensor:
        """[..., C], as `observe` wrote them or 0 → [...], what they add to the value."""
        known = (facts > 0).to(self.weight.dtype)
        size = (facts - 1).to(self.weight.dtype)
        features = torch.cat((size * known, torch.exp(-size) * known), -1)
        return features @ (self.gain * self.weight)
