"""The bonus for new cells: against a plain loop over an engine's episodes, in rollouts, and what it leaves alone."""

import numpy as np
import pytest
import torch

from agents.actor import Actor, ActorSettings
from agents.config import AGENTS, AgentConfig, TrainConfig
from agents.learning import novelty
from agents.learning.novelty import NOVELTY, NewCellRecorder, NoveltyReward
from agents.model import AgentModel
from agents.rng import NumpyStream
from env.backends import make_batch
from env.registry import make_task
from env.tensors import TensorWorlds
from maze_gen.errors import InputError
from tests.agents.worlds import counting_task
from tests.mutants import Mutant, assert_caught, by_name

N, STEPS = 4, 1100


def check_cells(module):
    """The oracle of a maze walks for more than an episode; goals and new cells are followed by hand."""
    from experiments.policies import OraclePlayer

    task = make_task("random-goal-small")
    with make_batch(task, N, observe={"velocity"}) as env:
        env.reset(1)
        worlds, player = TensorWorlds(env), OraclePlayer(N)
        recorder = module.NewCellRecorder(N, 50)
        starts, out = torch.ones(N, dtype=torch.bool), torch.zeros(N)
        been, reached, paid = [set() for _ in range(N)], [False] * N, 0
        for _ in range(STEPS):
            recorder.record(worlds, starts, out)
            for row in range(N):
                cell = int(env.privileged["cell"][row])
                if starts[row]:
                    been[row], reached[row] = {cell}, False
                reached[row] |= bool(env.outcome.statistics["goals"][row]) and not starts[row]
                new = cell not in been[row] and not reached[row]
                assert out[row] == new
                been[row].add(cell)
                paid += new
            env.step(player.act(env, np.zeros(N)))
            starts = torch.from_numpy(env.outcome.truncated.copy())
            env.reset_rows(starts.numpy())
            player.reset_rows(starts.numpy())
        assert paid > 10


MUTANTS = by_name(
    [
        Mutant(name, novelty, old, new, check_cells)
        for name, old, new in (
            ("goals don't end the search", "| starts | reached", "| starts"),
            ("a new episode's cells count as visited", "self.visited &= ~starts.unsqueeze(1)", "pass"),
            ("every cell is new for ever", "scatter_(1, cell, True)", "scatter_(1, cell, False)"),
        )
    ]
)


def test_new_cells_are_those_of_a_plain_loop():
    check_cells(novelty)


@pytest.mark.parametrize("name", MUTANTS)
def test_an_error_is_noticed(name, tmp_path):
    assert_caught(MUTANTS[name], tmp_path)


def test_a_rollout_pays_for_what_its_steps_came_to():
    task = make_task("random-goal-small", observation_size=42)
    config = TrainConfig(novelty_bonus=0.25)
    model = AgentModel(AGENTS["lstm"], task.spec(), config)
    with make_batch(task, N, observe=model.observe) as env:
        actor = Actor(env, model, ActorSettings(60), NumpyStream(np.random.SeedSequence(0)))
        actor.reset(0, 0)
        rollout, _ = actor.run()
    assert isinstance(model.rewarder, NoveltyReward)
    extra = model.rewarder.rewards(rollout) - rollout.reward
    torch.testing.assert_close(extra[:-1], 0.25 * rollout.targets[NOVELTY][1:])
    assert extra.sum() > 0
    assert not extra[-1].any()
    loss, metrics = model.rewarder.loss(rollout, torch.arange(N))
    assert float(loss) == 0
    assert float(metrics["new_cells"]) == pytest.approx(float(rollout.targets[NOVELTY].mean()))


def test_a_training_may_take_it_up_later():
    recorder = NewCellRecorder(2, 5)
    recorder.visited[0, 3] = True
    state = recorder.state_dict()
    other = NewCellRecorder(2, 5)
    other.load_state_dict(state)
    assert other.visited[0, 3]
    other.load_state_dict({})


def test_a_discriminator_pays_alone():
    with pytest.raises(InputError, match="paid by a discriminator"):
        AgentModel(AgentConfig("lstm", (), reward="canvas"), counting_task().spec(), TrainConfig(novelty_bonus=1.0))
