"""Where the agent has been since it was last put somewhere, seen from where it is: dead reckoning, and a map in polar bins.

The paper's agents perceive their velocity, and an observation's angular velocity is that of the whole agent step
(`env.navigation`); added up, they give the way walked. An LSTM could learn that sum, and what to keep of it; that it has been
searching the same corridors again and again is what an agent without such a map fails to know. Nothing here is learned.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from maze_gen.maze import CELL_UNITS

EVERY = 4
"""Agent steps from one place that is kept to the next: at top speed 0.85 cells."""
PLACES = 225
"""Places that are kept, the latest: a minute of fifteen steps a second."""
SECTORS = 12
RINGS = 8
NEAREST = 0.5
"""In cells: the middle of the first ring."""
RATIO = 1.5
"""The middle of each other ring over that of the ring before; the last has its middle at 8.5 cells, and what lies beyond."""
VISITS = SECTORS * RINGS
WHOLE = 1024
"""Parts of a place, which is shared among four bins: whole numbers, so that sums don't depend on their order."""
GOAL_REWARD = 5.0
"""After a reward above this, a goal's, the agent is put elsewhere: in the same step, or in the next one."""

ODOMETER = 6
"""Entries of what is carried: x and y in cells, heading in degrees, trips and steps so far, whether a goal was just rewarded."""


@dataclass(frozen=True)
class VelocityPlace:
    """Where a vector of observations holds the velocity, and how long it lasts.

    Attributes:
        first: index of the first of its six entries (forward, left, up in units/s; pitch, yaw, roll in degrees/s).
        seconds: of an agent step.
    """

    first: int
    seconds: float


def first_visits(batch: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """The state at an episode's start: [batch, ODOMETER] and [batch, PLACES · 3] float32 zeros (x, y, trip from 1 on)."""
    return like.new_zeros(batch, ODOMETER), like.new_zeros(batch, PLACES * 3)


def visit(
    vector: Tensor, reward: Tensor, state: tuple[Tensor, Tensor], velocity: VelocityPlace
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """One step: moves on, looks around, and keeps the place.

    Args:
        vector: [N, V] float32, the observations that hold the velocity.
        reward: [N] float32, the last reward.
        state: [N, ODOMETER] and [N, PLACES · 3] float32, before the step.

    Returns:
        [N, VISITS] float32 in [0, 1): for each ring, nearest first, and each sector, the first with its middle ahead and others
        counter-clockwise, how much of it was visited in this trip. And the state after the step.
    """
    odometer, kept = state
    moved = vector[:, velocity.first : velocity.first + 6] * velocity.seconds
    x, y, heading, trip, steps, rewarded = odometer.unbind(1)
    heading = (heading + moved[:, 4]).remainder(360)
    angle = torch.deg2rad(heading)
    cos, sin = angle.cos(), angle.sin()
    x = x + (moved[:, 0] * cos - moved[:, 1] * sin) / CELL_UNITS
    y = y + (moved[:, 0] * sin + moved[:, 1] * cos) / CELL_UNITS
    trip = trip + rewarded
    places = kept.view(-1, PLACES, 3)
    after = torch.stack((x, y, heading, trip, steps + 1, (reward > GOAL_REWARD).to(x.dtype)), 1)
    right, up = places[..., 0] - x.unsqueeze(1), places[..., 1] - y.unsqueeze(1)
    cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
    current = places[..., 2] == (trip + 1).unsqueeze(1)
    seen = visited(right * cos + up * sin, up * cos - right * sin, current)
    at = torch.div(steps, EVERY, rounding_mode="floor").remainder(PLACES).long().view(-1, 1, 1).expand(-1, 1, 3)
    here = torch.stack((x, y, trip + 1), 1).unsqueeze(1)
    due = (steps.remainder(EVERY) == 0).view(-1, 1, 1)
    places = places.scatter(1, at, torch.where(due, here, places.gather(1, at)))
    return seen, (after, places.flatten(1))


def visited(ahead: Tensor, left: Tensor, counted: Tensor) -> Tensor:
    """[N, VISITS] as `visit` returns, of places [N, P] `ahead` and to the `left` in cells, those that are `counted` [N, P] bool.

    A place is shared among the two nearest sectors and the two nearest rings, linearly in the angle and in the logarithm of the
    distance; a bin with n places holds 1 − exp(−n).
    """
    sector = torch.atan2(left, ahead) * (SECTORS / (2 * math.pi))
    distance = torch.hypot(ahead, left).clamp(min=NEAREST)
    ring = ((distance / NEAREST).log() / math.log(RATIO)).clamp(max=RINGS - 1)
    first, inner = sector.floor(), ring.floor()
    turned, outwards = sector - first, ring - inner
    first, inner = first.long(), inner.long()
    sums = torch.zeros(len(ahead), VISITS, dtype=torch.int64, device=ahead.device)
    for s, of_sector in ((first, 1 - turned), (first + 1, turned)):
        for r, of_ring in ((inner, 1 - outwards), ((inner + 1).clamp(max=RINGS - 1), outwards)):
            share = (WHOLE * of_sector * of_ring).round().long() * counted
            sums.scatter_add_(1, r * SECTORS + s.remainder(SECTORS), share)
    return 1 - (sums.to(ahead.dtype) / -WHOLE).exp()
