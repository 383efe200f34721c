"""Where the goal would lie if what is seen now was seen before: views of former trips vote for the goal's place.

In a maze that nobody has seen, a place has no name, and after a goal the agent is put somewhere, looking anywhere. But on its way
to a goal it kept what it saw and, by dead reckoning, how far away and in which direction the goal was from there. If a view looks
the same now, the goal lies there from here. Single views mislead; the votes of a whole trip pile up where the goal is.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from agents.networks.dead_reckoning import BINS, ODOMETER, PLACES, Pose, VelocityPlace, advance, trip_map, turned
from auxiliary.same_place import KEY, match_logits

VIEW = 7 + KEY
"""Entries of a view: x, y, heading and trip, then whether that trip's goal is known, and its x and y, then the key."""
VOTE = 4
"""Entries of a vote: x, y and trip of its frame, and its weight, the probability that both views are of the same place."""
VOTES_SCALE = 3.0
SEEN = 2 * BINS


def first_views(batch: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The state at an episode's start: [batch, ODOMETER], [batch, PLACES · VIEW] and [batch, PLACES · VOTE] float32 zeros."""
    return like.new_zeros(batch, ODOMETER), like.new_zeros(batch, PLACES * VIEW), like.new_zeros(batch, PLACES * VOTE)


@dataclass(frozen=True)
class Perceived:
    """What a step perceives.

    Attributes:
        vector: [N, V] float32, the observations that hold the velocity.
        reward: [N] float32, the last reward.
        key: [N, KEY] float32, of the view.
    """

    vector: Tensor
    reward: Tensor
    key: Tensor


def view(now: Perceived, state: tuple[Tensor, Tensor, Tensor], velocity: VelocityPlace) -> tuple[Tensor, tuple[Tensor, ...]]:
    """One step: moves on, recognises, looks around, and keeps the view.

    Args:
        state: [N, ODOMETER], [N, PLACES · VIEW] and [N, PLACES · VOTE] float32, before the step.

    Returns:
        [N, SEEN] float32: `trip_map` of the places of this trip, then of its votes for the goal's place; and the state after the
        step.
    """
    pose, odometer = advance(now.vector, now.reward, state[0], velocity)
    views = _label(state[1].view(-1, PLACES, VIEW), pose)
    votes = pose.keep(state[2].view(-1, PLACES, VOTE), _vote(now.key, views, pose))
    visits = trip_map(pose, views, views[..., 3])
    goals = trip_map(pose, votes, votes[..., 2], votes[..., 3], VOTES_SCALE)
    here = torch.stack((pose.x, pose.y, pose.heading, pose.trip), 1)
    views = pose.keep(views, torch.cat((here, torch.zeros_like(here[:, :3]), now.key), 1))
    return torch.cat((visits, goals), 1), (odometer, views.flatten(1), votes.flatten(1))


def _label(views: Tensor, pose: Pose) -> Tensor:
    """Views [N, PLACES, VIEW] with the goal's place in those of the trip that has just ended there."""
    ended = pose.arrived.unsqueeze(1) & (views[..., 3] == pose.trip.unsqueeze(1))
    goal = torch.stack((torch.ones_like(pose.x), pose.x, pose.y), 1).unsqueeze(1)
    known = torch.where(ended.unsqueeze(2), goal, views[..., 4:7])
    return torch.cat((views[..., :4], known, views[..., 7:]), 2)


def _vote(key: Tensor, views: Tensor, pose: Pose) -> Tensor:
    """[N, VOTE]: of the view most like the present one, among those from where a goal is known."""
    logits = match_logits(key.unsqueeze(1), views[..., 7:]).squeeze(1).masked_fill(views[..., 4] == 0, -torch.inf)
    best, index = logits.max(1)
    x, y, heading, _, _, goal_x, goal_y = views.gather(1, index.view(-1, 1, 1).expand(-1, 1, VIEW)).squeeze(1)[:, :7].unbind(1)
    right, up = turned(goal_x - x, goal_y - y, pose.heading - heading)
    return torch.stack((pose.x + right, pose.y + up, pose.trip, best.sigmoid()), 1)
