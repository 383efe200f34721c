"""Bodies with maps that are seen from the agent: unrolled and stepped they are the same, and the maps hold what they should."""

import numpy as np
import pytest
import torch

from agents.config import AGENTS, TrainConfig
from agents.model import AgentModel
from agents.networks import view_map
from agents.networks.cores import keep_state
from agents.networks.dead_reckoning import BINS, SECTORS, VelocityPlace
from agents.networks.inputs import Inputs
from agents.networks.view_map import Perceived
from agents.networks.visit_map import first_visits, visit
from auxiliary.same_place import KEY
from env.backends import make_batch
from env.registry import make_task
from experiments.policies import OraclePlayer
from maze_gen.errors import InputError
from tests.agents.networks.drives import SECONDS, drive
from tests.agents.worlds import counting_task
from tests.mutants import Mutant, assert_caught, by_name

VELOCITY = VelocityPlace(0, SECONDS)


def model_of(agent):
    torch.manual_seed(1)
    spec = make_task("procedural-small", mazes=1, observation_size=42).spec()
    return AgentModel(AGENTS[agent], spec, TrainConfig(slow_units=0.5))


@pytest.mark.parametrize("agent", ["nav-mhdv", "nav-v"])
def test_a_core_unrolled_is_the_core_stepped(agent):
    T, B = 60, 3
    core, perception = (model := model_of(agent)).network.core, model.network.perception
    inputs = perception.allocate((T, B), "cpu")
    starts = torch.rand(T, B) < 0.02
    starts[:40, 0] = False
    for row in range(B):
        velocity, reward = drive(row, T)
        inputs.vector[:, row] = torch.tensor(velocity)
        inputs.reward[:, row] = torch.tensor(reward)
    inputs.reward[12, 0] = 10
    inputs.reward.masked_fill_(starts, 0)
    features = torch.rand(T, B, 256)
    state = first = keep_state(core.initial_state(B), starts[0])
    stepped = []
    with torch.no_grad():
        for t in range(T):
            output, state = core.step(features[t], Inputs(*(part[t] for part in inputs.parts())), keep_state(state, starts[t]))
            stepped.append(output)
        assert (inputs.tracked.amax((0, 1)).view(-1, BINS).amax(1) > 0.3).all()
        torch.testing.assert_close(core.unroll(features, inputs, first, starts), torch.stack(stepped), rtol=1e-4, atol=1e-5)
    assert list(core.layers(stepped[-1], state)) == list(core.layer_widths)


def test_a_goal_ends_the_map_of_visits():
    velocity, _ = drive(3, 61)
    state = first_visits(1, torch.zeros(()))
    filled = []
    for step, v in enumerate(torch.tensor(velocity, dtype=torch.float32)):
        seen, state = visit(v[None], torch.tensor([10.0 if step == 40 else 2.0]), state, VELOCITY)
        filled.append(float(seen.sum()))
    # The agent may be put elsewhere in the step after the reward, to which the last place of the trip still belongs.
    assert filled[40] > 3
    assert filled[41] == 0
    assert 0 < filled[45] < filled[40]


def views_of_places(seed, places):
    """Keys [places, KEY] of length 1 that are unlike each other."""
    keys = np.random.default_rng(seed).normal(size=(places, KEY))
    return torch.tensor(keys / np.linalg.norm(keys, axis=1, keepdims=True), dtype=torch.float32)


def check_votes(module):
    """The oracle walks; keys name half cells and twelve headings, so that views of one place look the same.

    A map's fullest bin, if it is more than a cell away, must lie where the goal is; where another row's goal is, it seldom lies.
    """
    rows, near, control, counted = 8, 0, 0, 0
    with make_batch(make_task("random-goal-small"), rows, observe={"velocity"}) as env:
        env.reset(11)
        oracle, facts = OraclePlayer(rows), env.privileged
        cols, down = env.task.mazes[0].cols, env.task.mazes[0].rows
        keys = views_of_places(0, 4 * down * cols * 12)
        state = module.first_views(rows, torch.zeros(()))
        for _ in range(600):
            env.step(oracle.act(env, np.zeros(rows)))
            half = np.floor(facts["position"] / 50).astype(int)
            place = (half[:, 1] * 2 * cols + half[:, 0]) * 12 + np.floor(facts["heading"] / 30).astype(int)
            now = Perceived(torch.tensor(env.observation["velocity"]), torch.tensor(env.outcome.reward), keys[place])
            seen, state = module.view(now, state, VELOCITY)
            goals = seen[:, BINS:].view(rows, -1, SECTORS).numpy()
            for row in np.flatnonzero(goals.max((1, 2)) > 0.5):
                ring, sector = np.unravel_index(goals[row].argmax(), goals[row].shape)
                if ring < 2:
                    continue
                for other in (row, (row + 1) % rows):
                    goal_row, goal_col = divmod(int(facts["goal_cell"][other]), cols)
                    away = np.array((goal_col + 0.5, down - goal_row - 0.5)) - facts["position"][row] / 100
                    turn = (np.degrees(np.arctan2(away[1], away[0])) - facts["heading"][row] - 30 * sector + 180) % 360 - 180
                    rings = np.log(max(np.hypot(*away), 0.5) / 0.5) / np.log(1.5)
                    hit = abs(rings - ring) < 1.5 and abs(turn) < 45
                    near, control = near + (hit and other == row), control + (hit and other != row)
                counted += 1
    assert counted > 100
    assert near / counted > 0.8
    assert control / counted < 0.5


MUTANTS = by_name(
    [
        Mutant(name, view_map, old, new, check_votes)
        for name, old, new in (
            ("goals lie where they lay seen from the start", "pose.heading - heading", "0 * heading"),
            ("any view votes", "key.unsqueeze(1), views[..., 7:]", "0 * key.unsqueeze(1), views[..., 7:]"),
            (
                "votes of former trips count",
                "votes[..., 2], votes[..., 3], VOTES",
                "pose.trip.unsqueeze(1), votes[..., 3], VOTES",
            ),
        )
    ]
)


def test_views_vote_for_the_goals_place():
    check_votes(view_map)


@pytest.mark.parametrize("name", MUTANTS)
def test_an_error_is_noticed(name, tmp_path):
    assert_caught(MUTANTS[name], tmp_path)


def test_an_erased_state_has_no_votes():
    model = model_of("nav-v")
    state = keep_state(tuple(torch.ones_like(part) for part in model.network.initial_state(2)), torch.ones(2, dtype=torch.bool))
    inputs = model.network.perception.allocate((2,), "cpu")
    model.network.step(inputs, state)
    assert not inputs.tracked.any()


def test_an_array_that_is_not_perceived_is_refused():
    perception = AgentModel(AGENTS["nav"], counting_task().spec(), TrainConfig()).network.perception
    with pytest.raises(InputError, match="needs 'depth' among what it perceives"):
        perception.first_of("depth")


def test_a_core_without_keys_refuses_the_loss_that_reads_them():
    with pytest.raises(InputError, match="NavCore has no keys of views: leave out the loss 'same-place'"):
        model_of("nav").network.core.view_keys(torch.zeros(1, 256))
