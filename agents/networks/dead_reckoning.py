"""The way walked, by adding up velocities, and places seen from where one is, in polar bins. Nothing here is learned.

The paper's agents perceive their velocity, and an observation's angular velocity is that of the whole agent step
(`env.navigation`), so that headings are exact, and positions nearly so.
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
BINS = SECTORS * RINGS
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


@dataclass(frozen=True)
class Pose:
    """Where N rows are, in a frame that begins anywhere with each episode, and jumps when the agent is put elsewhere.

    Attributes:
        x, y: [N] float32, in cells.
        heading: [N] float32, degrees, counter-clockwise.
        trip: [N] float32, 1 until the first goal, 2 until the second, …: within a trip the frame doesn't jump.
        due: [N] bool, whether the place is to be kept.
        slot: [N] int64, which of PLACES is then replaced.
        arrived: [N] bool, whether the present reward is a goal's.
    """

    x: Tensor
    y: Tensor
    heading: Tensor
    trip: Tensor
    due: Tensor
    slot: Tensor
    arrived: Tensor

    def seen(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """(ahead, left) [N, P] in cells, of places [N, P] of the frame."""
        return turned(x - self.x.unsqueeze(1), y - self.y.unsqueeze(1), -self.heading.unsqueeze(1))

    def keep(self, places: Tensor, entries: Tensor) -> Tensor:
        """`places` [N, PLACES, W] with `entries` [N, W] kept where they are due."""
        at = self.slot.view(-1, 1, 1).expand(-1, 1, places.shape[2])
        return places.scatter(1, at, torch.where(self.due.view(-1, 1, 1), entries.unsqueeze(1), places.gather(1, at)))


def trip_map(pose: Pose, places: Tensor, trip: Tensor, weight: Tensor | float = 1.0, scale: float = 1.0) -> Tensor:
    """`polar_map`, seen from the pose, of the places [N, P, 2 or more] (x, y first) whose `trip` [N, P] is the present one."""
    ahead, left = pose.seen(places[..., 0], places[..., 1])
    return polar_map(ahead, left, weight * (trip == pose.trip.unsqueeze(1)), scale)


def turned(x: Tensor, y: Tensor, degrees: Tensor) -> tuple[Tensor, Tensor]:
    """Vectors turned counter-clockwise."""
    angle = torch.deg2rad(degrees)
    cos, sin = angle.cos(), angle.sin()
    return x * cos - y * sin, x * sin + y * cos


def advance(vector: Tensor, reward: Tensor, odometer: Tensor, velocity: VelocityPlace) -> tuple[Pose, Tensor]:
    """One step.

    Args:
        vector: [N, V] float32, the observations that hold the velocity.
        reward: [N] float32, the last reward.
        odometer: [N, ODOMETER] float32 before the step; zeros at an episode's start.

    Returns:
        The pose, and the odometer after the step.
    """
    moved = vector[:, velocity.first : velocity.first + 6] * velocity.seconds
    x, y, heading, trips, steps, rewarded = odometer.unbind(1)
    heading = (heading + moved[:, 4]).remainder(360)
    right, up = turned(moved[:, 0], moved[:, 1], heading)
    x, y, trips = x + right / CELL_UNITS, y + up / CELL_UNITS, trips + rewarded
    slot = torch.div(steps, EVERY, rounding_mode="floor").remainder(PLACES).long()
    arrived = reward > GOAL_REWARD
    pose = Pose(x, y, heading, trips + 1, steps.remainder(EVERY) == 0, slot, arrived)
    return pose, torch.stack((x, y, heading, trips, steps + 1, arrived.to(x.dtype)), 1)


def polar_map(ahead: Tensor, left: Tensor, weight: Tensor, scale: float = 1.0) -> Tensor:
    """How much lies in which direction, how far away.

    A place is shared among the two nearest sectors and the two nearest rings, linearly in the angle and in the logarithm of the
    distance; a bin whose shares add up to w holds 1 − exp(−w / `scale`).

    Args:
        ahead, left: [N, P] float32, places in cells.
        weight: [N, P], of each, to a thousandth.

    Returns:
        [N, BINS] float32 in [0, 1): ring after ring, nearest first; the first sector of each has its middle ahead, the others
        follow counter-clockwise.
    """
    sector = torch.atan2(left, ahead) * (SECTORS / (2 * math.pi))
    distance = torch.hypot(ahead, left).clamp(min=NEAREST)
    ring = ((distance / NEAREST).log() / math.log(RATIO)).clamp(max=RINGS - 1)
    first, inner = sector.floor(), ring.floor()
    round_about, outwards = sector - first, ring - inner
    first, inner = first.long(), inner.long()
    sums = torch.zeros(len(ahead), BINS, dtype=torch.int64, device=ahead.device)
    for s, of_sector in ((first, 1 - round_about), (first + 1, round_about)):
        for r, of_ring in ((inner, 1 - outwards), ((inner + 1).clamp(max=RINGS - 1), outwards)):
            share = (WHOLE * of_sector * of_ring * weight).round().long()
            sums.scatter_add_(1, r * SECTORS + s.remainder(SECTORS), share)
    return 1 - (sums.to(ahead.dtype) / (-WHOLE * scale)).exp()
