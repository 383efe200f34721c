"""Dead reckoning, and places in polar bins: against a plain loop, the engine's own positions, and errors that must be noticed."""

import math

import numpy as np
import pytest
import torch

from agents.networks import dead_reckoning
from env.backends import make_batch
from env.registry import make_task
from tests.agents.networks.drives import SECONDS, drive
from tests.mutants import Mutant, assert_caught, by_name

STEPS, BEGUN = 240, 796
"""The loop's steps, and how many the odometer has had before: places are replaced from its 900th step on."""


def by_hand(velocity, reward):
    """[STEPS, bins]: one row's maps of its trip, place after place."""
    x = y = heading = 0.0
    trip, places, maps, rewarded = 0, [], [], False
    for step, (v, r) in enumerate(zip(velocity, reward, strict=True), BEGUN):
        trip += rewarded
        rewarded = r >= 10
        heading += math.radians(v[4]) * SECONDS
        x += (v[0] * math.cos(heading) - v[1] * math.sin(heading)) * SECONDS / 100
        y += (v[0] * math.sin(heading) + v[1] * math.cos(heading)) * SECONDS / 100
        sums = np.zeros((8, 12))
        for px, py, _ in (place for place in places[-225:] if place[2] == trip):
            distance, angle = math.hypot(px - x, py - y), math.atan2(py - y, px - x) - heading
            sector = math.degrees(angle) / 30 % 12
            ring = min(max(math.log(max(distance, 0.5) / 0.5, 1.5), 0), 7)
            low, near = math.floor(sector), math.floor(ring)
            for s, a in ((low, 1 - sector + low), (low + 1, sector - low)):
                for k, b in ((near, 1 - ring + near), (near + 1, ring - near)):
                    sums[min(k, 7), s % 12] += a * b
        maps.append(1 - np.exp(-sums.ravel()))
        if step % 4 == 0:
            places.append((x, y, trip))
    return np.array(maps)


def check_maps(module):
    velocity, reward = (torch.tensor(part, dtype=torch.float32) for part in drive(0, STEPS))
    odometer, places = torch.zeros(1, module.ODOMETER), torch.zeros(1, module.PLACES, 3)
    odometer[:, 4] = BEGUN
    maps = []
    for v, r in zip(velocity, reward, strict=True):
        pose, odometer = module.advance(v[None], r[None], odometer, module.VelocityPlace(0, SECONDS))
        ahead, left = pose.seen(places[..., 0], places[..., 1])
        maps.append(module.polar_map(ahead, left, places[..., 2] == pose.trip.unsqueeze(1))[0])
        places = pose.keep(places, torch.stack((pose.x, pose.y, pose.trip), 1))
    wrong = np.abs(torch.stack(maps).numpy() - by_hand(velocity.numpy(), reward.numpy())).max(1)
    # A direction next to the agent is undetermined by rounding.
    assert np.quantile(wrong, 0.99) < 0.02, np.flatnonzero(wrong > 0.02)


MUTANTS = by_name(
    [
        Mutant(name, dead_reckoning, old, new, check_maps)
        for name, old, new in (
            ("turned the other way", "heading + moved[:, 4]", "heading - moved[:, 4]"),
            ("left taken for right", "return x * cos - y * sin", "return x * cos + y * sin"),
            ("strawberries end trips", "GOAL_REWARD = 5.0", "GOAL_REWARD = 1.0"),
            ("the map doesn't turn", "-self.heading.unsqueeze(1)", "0 * self.heading.unsqueeze(1)"),
            ("places are never replaced", ".remainder(PLACES)", ".clamp(max=PLACES - 1)"),
            ("a place lies in one sector", "(first + 1, round_about)", "(first + 1, 0 * round_about)"),
        )
    ]
)


def test_maps_are_those_of_a_plain_loop():
    check_maps(dead_reckoning)


@pytest.mark.parametrize("name", MUTANTS)
def test_an_error_is_noticed(name, tmp_path):
    assert_caught(MUTANTS[name], tmp_path)


def test_a_half_weight_is_half_a_place():
    half = dead_reckoning.polar_map(torch.tensor([[3.0]]), torch.tensor([[1.0]]), torch.tensor([[0.5]]))
    double = dead_reckoning.polar_map(torch.tensor([[3.0]]), torch.tensor([[1.0]]), torch.tensor([[1.0]]), scale=2.0)
    torch.testing.assert_close(half, double, rtol=0, atol=2e-3)


def test_dead_reckoning_is_the_engines_way():
    rows, actions = 8, np.random.default_rng(1)
    odometer = torch.zeros(rows, dead_reckoning.ODOMETER)
    with make_batch(make_task("random-goal-small"), rows, observe={"velocity"}) as env:
        env.reset(3)
        facts = env.privileged
        first, began = facts["position"].copy(), np.radians(facts["heading"])
        alone = np.ones(rows, bool)
        for step in range(60):
            if step % 5 == 0:
                action = np.where(actions.random(rows) < 0.6, 0, actions.integers(1, 8, rows))
            env.step(action)
            alone &= env.outcome.statistics["respawns"] == 0
            velocity = torch.tensor(env.observation["velocity"])
            place = dead_reckoning.VelocityPlace(0, SECONDS)
            odometer = dead_reckoning.advance(velocity, torch.zeros(rows), odometer, place)[1]
        way = (facts["position"] - first) / 100
        turned = np.stack(
            (way[:, 0] * np.cos(began) + way[:, 1] * np.sin(began), way[:, 1] * np.cos(began) - way[:, 0] * np.sin(began)), 1
        )
    assert alone.sum() >= 4
    assert np.abs(turned).max() > 1
    assert np.abs(odometer[:, :2].numpy() - turned)[alone].max() < 0.6
