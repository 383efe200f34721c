"""How far it is to the goal from where the agent stands and looks: a privileged fact in steps finer than cells, for a critic.

With `goal_distance` alone, a critic learns of a step only when it has led into another cell, five or more steps later. Here every
step, and every turn, makes the way longer or shorter.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from auxiliary.goal import offset_to
from env.batch import WorldSpec
from env.navigation import PATH_CELLS

WAY_TO_GOAL = "way_to_goal"
NEEDS = ("goal_distance", "next_cell", "position", "heading")
"""The privileged arrays that it is computed from."""
SCALE = (PATH_CELLS, 1.0)
"""Typical sizes of its entries."""
GAIN = 10.0
"""What they are multiplied by in the value, which they change by several points: an optimiser whose steps are a few
ten-thousandths wide would need tens of thousands of them."""


def way_to_goal(privileged: Mapping[str, Tensor], spec: WorldSpec) -> Tensor:
    """[N, 2] float32: cells of way through the middle of the next cell on a shortest path, and half turns to look there.

    Both are 0 where there is no path.
    """
    right, up = offset_to(privileged["next_cell"], privileged["position"], spec.extent("rows"), spec.extent("cols"))
    cells = (privileged["goal_distance"] - 1).clamp(min=0).float()
    angle = torch.rad2deg(torch.atan2(up, right)) - privileged["heading"]
    turn = ((angle + 180).remainder(360) - 180).abs() / 180
    known = (privileged["next_cell"] >= 0).unsqueeze(1)
    return torch.stack((cells + torch.hypot(right, up), turn), 1) * known
