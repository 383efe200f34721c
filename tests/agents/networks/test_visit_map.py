"""Dead reckoning and the map of visits: against a plain loop, the engine's own positions, and errors that must be noticed."""

import math

import numpy as np
import pytest
import torch

from agents.config import AGENTS, TrainConfig
from agents.model import AgentModel
from agents.networks import visit_map
from agents.networks.cores import keep_state
from agents.networks.inputs import Inputs
from env.backends import make_batch
from env.registry import make_task
from maze_gen.errors import InputError
from tests.agents.worlds import counting_task
from tests.mutants import Mutant, assert_caught, by_name

SECONDS = 4 / 60
N, STEPS = 1, 950
VELOCITY = visit_map.VelocityPlace(0, SECONDS)


def drive(seed):
    """(velocity [STEPS, N, 6], reward [STEPS, N]) of rows that turn, slide, and are rewarded now and then."""
    random = np.random.default_rng(seed)
    velocity = np.zeros((STEPS, N, 6))
    velocity[..., 0] = random.uniform(-100, 320, (STEPS, N))
    velocity[..., 1] = random.uniform(-200, 200, (STEPS, N))
    velocity[..., 4] = random.choice([-150.0, 0.0, 150.0], (STEPS, N))
    reward = np.where(random.random((STEPS, N)) < 0.01, 10.0, np.where(random.random((STEPS, N)) < 0.02, 2.0, 0.0))
    return velocity, reward


def by_hand(velocity, reward):
    """[STEPS, bins]: one row's maps, place after place."""
    x = y = heading = 0.0
    trip, places, maps, rewarded = 0, [], [], False
    for step, (v, r) in enumerate(zip(velocity, reward, strict=True)):
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
    velocity, reward = drive(0)
    state = module.first_visits(N, torch.zeros(()))
    maps = []
    for v, r in zip(velocity, reward, strict=True):
        seen, state = module.visit(torch.tensor(v, dtype=torch.float32), torch.tensor(r, dtype=torch.float32), state, VELOCITY)
        maps.append(seen.numpy())
    for row in range(N):
        wrong = np.abs(np.array(maps)[:, row] - by_hand(velocity[:, row], reward[:, row])).max(1)
        # A direction next to the agent is undetermined by rounding.
        assert np.quantile(wrong, 0.99) < 0.02, np.flatnonzero(wrong > 0.02)


MUTANTS = by_name(
    [
        Mutant(name, visit_map, old, new, check_maps)
        for name, old, new in (
            ("turned the other way", "heading + moved[:, 4]", "heading - moved[:, 4]"),
            ("left taken for right", "- moved[:, 1] * sin) / CELL", "+ moved[:, 1] * sin) / CELL"),
            ("former trips are seen", "== (trip + 1).unsqueeze(1)", "> 0"),
            ("strawberries end trips", "GOAL_REWARD = 5.0", "GOAL_REWARD = 1.0"),
            ("the map doesn't turn", "right * cos + up * sin, up * cos - right * sin", "right, up"),
            ("places are never replaced", ".remainder(PLACES)", ".clamp(max=PLACES - 1)"),
        )
    ]
)


def test_maps_are_those_of_a_plain_loop():
    check_maps(visit_map)


@pytest.mark.parametrize("name", MUTANTS)
def test_an_error_is_noticed(name, tmp_path):
    assert_caught(MUTANTS[name], tmp_path)


def test_dead_reckoning_is_the_engines_way():
    rows, actions = 8, np.random.default_rng(1)
    state = visit_map.first_visits(rows, torch.zeros(()))
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
            state = visit_map.visit(velocity, torch.zeros(rows), state, visit_map.VelocityPlace(0, SECONDS))[1]
        way = (facts["position"] - first) / 100
        turned = np.stack(
            (way[:, 0] * np.cos(began) + way[:, 1] * np.sin(began), way[:, 1] * np.cos(began) - way[:, 0] * np.sin(began)), 1
        )
    assert alone.sum() >= 4
    assert np.abs(turned).max() > 1
    assert np.abs(state[0][:, :2].numpy() - turned)[alone].max() < 0.6


def test_a_core_unrolled_is_the_core_stepped():
    torch.manual_seed(1)
    T, B = 50, 3
    model = AgentModel(
        AGENTS["nav-mhdv"], make_task("procedural-small", mazes=1, observation_size=42).spec(), TrainConfig(slow_units=0.5)
    )
    core, perception = model.network.core, model.network.perception
    inputs = perception.allocate((T, B), "cpu")
    velocity, reward = drive(2)
    starts = torch.rand(T, B) < 0.05
    inputs.vector.copy_(torch.tensor(velocity[:T]).expand(T, B, 6))
    inputs.reward.copy_(torch.tensor(reward[:T]).expand(T, B)).masked_fill_(starts, 0)
    features = torch.randn(T, B, 256)
    state = first = keep_state(core.initial_state(B), starts[0])
    stepped = []
    with torch.no_grad():
        for t in range(T):
            output, state = core.step(features[t], Inputs(*(part[t] for part in inputs.parts())), keep_state(state, starts[t]))
            stepped.append(output)
        assert inputs.tracked.amax() > 0.5
        torch.testing.assert_close(core.unroll(features, inputs, first, starts), torch.stack(stepped), rtol=1e-4, atol=1e-5)
    assert list(core.layers(stepped[-1], state)) == list(core.layer_widths)


def test_an_array_that_is_not_perceived_is_refused():
    perception = AgentModel(AGENTS["nav"], counting_task().spec(), TrainConfig()).network.perception
    with pytest.raises(InputError, match="needs 'depth' among what it perceives"):
        perception.first_of("depth")
