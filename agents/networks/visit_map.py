"""Where the agent has been since it was last put somewhere, seen from where it is.

That it has been searching the same corridors again and again is what an agent without such a map fails to know.
"""

import torch
from torch import Tensor

from agents.networks.dead_reckoning import BINS, ODOMETER, PLACES, VelocityPlace, advance, trip_map

VISITS = BINS


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
        [N, VISITS] float32, `trip_map` of the places of this trip; and the state after the step.
    """
    pose, odometer = advance(vector, reward, state[0], velocity)
    places = state[1].view(-1, PLACES, 3)
    seen = trip_map(pose, places, places[..., 2])
    kept = pose.keep(places, torch.stack((pose.x, pose.y, pose.trip), 1))
    return seen, (odometer, kept.flatten(1))
