"""A domain with several choices at once, episodes that terminate, and no picture: nothing below it knows of mazes."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from agents.actor import Actor, ActorSettings
from agents.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from agents.config import AgentConfig, TrainConfig
from agents.cuda_graphs import as_it_is
from agents.inference import Policy
from agents.learning.learner import Learner
from agents.learning.parameter_store import ParameterStore
from agents.model import AgentModel, FlatParameters
from agents.networks.cores import CORES, Core, CoreInput, State
from agents.networks.inputs import Inputs
from agents.rng import NumpyStream
from agents.trainer import Budget, Trainer, Training
from env.backends import make_batch
from env.domain import domain_named, domain_of
from maze_gen.errors import InputError
from tests.agents.dials import DIALS, DOMAIN, DialsTask, variants

AGENT = AgentConfig("lights", losses=())
CONFIG = TrainConfig(num_envs=16, unroll_length=12, minibatches=2, learning_rate=1e-2, entropy_cost=1e-3, discount=0.9)
SHORT_SIGHTED = dataclasses.replace(CONFIG, discount=0.01)
"""Whoever looks ahead avoids the third win, which ends the episode."""
NAMES = ["independent", "autoregressive"]


class LightsCore(Core):
    """A body of this domain: one layer over the lights; its only state counts the steps, to show that states are carried."""

    width = 32

    def __init__(self, size: CoreInput) -> None:
        super().__init__()
        self.layer_widths = {"lights": 32}
        self.layer = torch.nn.Linear(len(size.perception.vector_scale), 32)

    def initial_state(self, batch: int) -> State:
        return (self.layer.weight.new_zeros(batch, 1),)

    def step(self, features: Tensor, inputs: Inputs, state: State) -> tuple[Tensor, State]:
        return self.layer(inputs.vector).relu(), (state[0] + 1,)

    def unroll(self, features: Tensor, inputs: Inputs, state: State, starts: Tensor) -> Tensor:
        return self.layer(inputs.vector).relu()

    def layers(self, output: Tensor, state: State) -> dict[str, Tensor]:
        return {"lights": output}


CORES["lights"] = LightsCore


def training(task: DialsTask, serial: bool = True, workers: int = 1) -> Training:
    return Training("dialler", AGENT, SHORT_SIGHTED, "fast", task, "numpy", 1, workers, serial=serial)


def stream(seed: int) -> NumpyStream:
    return NumpyStream(np.random.SeedSequence(seed))


def mean_return(checkpoint: Checkpoint, episodes: int = 64) -> float:
    """Of whole episodes; 8 steps with two dials in thirds pay 5.3 to a random policy, the best one 6 in three steps."""
    policy, random = Policy(checkpoint, episodes), np.random.default_rng(2)
    total, going = np.zeros(episodes), np.ones(episodes, bool)
    with make_batch(checkpoint.task, episodes) as env:
        env.reset(77)
        while going.any():
            env.step(policy.act(env, random.random((episodes, DIALS))))
            total += going * env.outcome.reward
            ended = env.outcome.terminated | env.outcome.truncated
            going &= ~ended
            env.reset_rows(ended)
            policy.reset_rows(ended)
    return float(total.mean())


def right_rate(checkpoint: Checkpoint) -> float:
    """How often a dial stands right, of one long run; by chance 1/3."""
    policy, random, right = Policy(checkpoint, 32), np.random.default_rng(3), []
    with make_batch(checkpoint.task, 32) as env:
        env.reset(78)
        for _ in range(40):
            env.step(policy.act(env, random.random((32, DIALS))))
            right.append(env.outcome.reward.mean() / DIALS)
            ended = env.outcome.terminated | env.outcome.truncated
            env.reset_rows(ended)
            policy.reset_rows(ended)
    return float(np.mean(right))


@pytest.mark.parametrize("task", variants(), ids=NAMES)
def test_it_is_trained_saved_loaded_and_played(task, tmp_path):
    trainer = Trainer(training(task), Budget(frames=20_000))
    assert right_rate(trainer.checkpoint()) == pytest.approx(1 / 3, abs=0.08)
    trainer.train()
    save_checkpoint(tmp_path / "a", trainer.checkpoint())
    loaded = load_checkpoint(tmp_path / "a")
    assert loaded.task == task
    assert right_rate(loaded) > 0.8
    assert 0 < mean_return(loaded) <= 16


def test_processes_train_it_too():
    """Workers are fresh interpreters, which know no body of a test's own: they get one of ours."""
    task = DialsTask()
    agent = AgentConfig("nav", losses=())
    trainer = Trainer(dataclasses.replace(training(task, serial=False, workers=2), agent=agent), Budget(frames=2_000))
    before = trainer.checkpoint().parameters["network.policy.weight"].clone()
    trainer.train()
    assert not torch.equal(before, trainer.checkpoint().parameters["network.policy.weight"])


@pytest.mark.parametrize("masked", [False, True], ids=["looking", "masked"])
def test_what_terminates_is_worth_nothing_afterwards(masked):
    """Returns by a slow walk over the rollout: the discount is 0 where an episode terminated; episodes count their steps."""
    task, capture = DialsTask(wins=1, steps=5), as_it_is if masked else None
    torch.manual_seed(0)
    model = AgentModel(AGENT, task.spec(), CONFIG)
    flat = FlatParameters(model)
    actor = Actor(make_batch(task, 16), model, ActorSettings(12, stagger=False), NumpyStream(np.random.SeedSequence(1)), capture)
    learner = Learner(
        model,
        flat,
        ParameterStore(CONFIG, flat),
        dataclasses.replace(CONFIG, gae_lambda=1.0),
        NumpyStream(np.random.SeedSequence(2)),
    )
    actor.reset(3, 0)
    terminated = truncated = episodes = 0
    for _ in range(4):
        rollout, ended = actor.run()
        episodes += len(ended)
        assert all(1 <= episode.steps <= 5 and episode.statistics["right"] == episode.episode_return for episode in ended)
        terminated += int(rollout.terminated.sum())
        truncated += int((rollout.ended & ~rollout.terminated).sum())
        expected = torch.zeros_like(rollout.reward)
        for row in range(16):
            following = float(rollout.next_value[-1, row])
            for t in reversed(range(12)):
                if rollout.ended[t, row]:
                    following = 0.0 if rollout.terminated[t, row] else float(rollout.next_value[t, row])
                following = float(rollout.reward[t, row]) + 0.9 * (following if t < 11 or not rollout.terminated[t, row] else 0.0)
                expected[t, row] = following
        torch.testing.assert_close(learner._make_targets(rollout).value, expected, rtol=1e-4, atol=1e-4)
    assert terminated > 20
    assert truncated > 5
    assert episodes == terminated + truncated


def test_a_truncation_is_bootstrapped_from_its_final_observation_with_masks_too():
    task = DialsTask(wins=99, steps=5)
    found = []
    for capture in (None, as_it_is):
        torch.manual_seed(0)
        model = AgentModel(AGENT, task.spec(), CONFIG)
        actor = Actor(
            make_batch(task, 8), model, ActorSettings(12, stagger=False), NumpyStream(np.random.SeedSequence(1)), capture
        )
        actor.reset(3, 0)
        found.append([actor.run()[0].next_value.clone() for _ in range(3)])
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_a_task_belongs_to_its_domain():
    assert domain_of(DialsTask()) is DOMAIN is domain_named("dials")
    with pytest.raises(InputError, match="domain 'chess'"):
        domain_named("chess")
    with pytest.raises(InputError, match=r"observation 'rgb': expected among lights"):
        make_batch(DialsTask(), 2, observe={"rgb"})
    with pytest.raises(InputError, match=r"backend 'embedded': expected one of numpy"):
        make_batch(DialsTask(), 2, backend="embedded")


def test_an_agent_of_mazes_does_not_act_here(tmp_path):
    policy = Policy(AgentModel(AGENT, DialsTask().spec(), CONFIG), 2)
    from env.registry import make_task

    with make_batch(make_task("static-small", observation_size=42), 2) as mazes:
        mazes.reset(0)
        with pytest.raises(InputError, match=r"actions of sizes \(3, 3\), these worlds take \(8,\)"):
            policy.act(mazes, np.zeros((2, 2)))
