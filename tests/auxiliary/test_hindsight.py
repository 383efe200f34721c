"""Hindsight: labels against shortest paths in the maze, features against a slot that was written then, and errors noticed."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from agents.actor import Actor, ActorSettings
from agents.config import AGENTS, TrainConfig
from agents.learning.learner import Learner
from agents.learning.parameter_store import ParameterStore
from agents.model import AgentModel, FlatParameters
from agents.networks.inputs import Inputs
from agents.networks.reward_memory import RewardMemoryCore
from agents.rng import NumpyStream
from auxiliary import hindsight
from env.backends import make_batch
from env.registry import make_task
from maze_gen.errors import InputError
from maze_gen.paths import shortest_path
from tests.agents.worlds import counting_task
from tests.auxiliary.test_goal import seen_from_maze
from tests.mutants import Mutant, assert_caught, by_name

STEPS, N = 120, 3


def played(module, recorder=None, steps=STEPS, straight=False):
    """Labels of random walks [steps, N, 3], with the cells, positions and headings they were made of, and episodes' starts."""
    task, random = make_task("random-goal-small", observation_size=42), np.random.default_rng(3)
    made, facts, starts = [], [], np.ones(N, bool)
    with make_batch(task, N, observe=("velocity",)) as env:
        env.reset(5)
        recorder = recorder or module.HindsightRecorder(N, *task.mazes[0].open.shape, straight=straight)
        worlds = SimpleNamespace(env=env, privileged={name: torch.from_numpy(array) for name, array in env.privileged.items()})
        for t in range(steps):
            out = torch.zeros(N, 3, dtype=torch.int64)
            recorder.record(worlds, torch.from_numpy(starts), out)
            made.append(out.numpy())
            facts.append({name: env.privileged[name].copy() for name in ("cell", "position", "heading")} | {"starts": starts})
            env.step(random.choice([2, 2, 2, 0, 6, 7], size=N))
            starts = np.zeros(N, bool)
            if t == 60:
                starts = np.arange(N) == 1
                env.reset_rows(starts)
    return task.mazes[0], np.array(made), facts


def check_labels(module, straight=False):
    maze, made, facts = played(module, straight=straight)
    elapsed = np.full(N, -1)
    ages = []
    for t in range(STEPS):
        elapsed = np.where(facts[t]["starts"], 0, elapsed + 1)
        for row in range(N):
            ago, direction, length = made[t, row]
            assert (ago == 0) if elapsed[row] == 0 else (1 <= abs(ago) <= elapsed[row])
            if ago:
                ages.append(ago / elapsed[row])
                at, noted = (t, t - ago) if ago > 0 else (t + ago, t)
                here, there = (divmod(int(facts[step]["cell"][row]), maze.cols) for step in (at, noted))
                path = [here, there] if straight else shortest_path(maze, here, there)
                following = path[1] if len(path) > 1 else there
                position, heading = facts[at]["position"][row], float(facts[at]["heading"][row])
                # Whoever stands where it is asked to go may look anywhere.
                if np.abs(maze.center(following) - position).max() > 1:
                    assert direction == seen_from_maze(maze, position, heading, following)
                line = np.hypot(*(np.array(maze.center(there)) - position)) / 100
                measure, edges = (line, (1, 2, 3.5, 5.5)) if straight else (len(path) - 1, (1, 2, 4, 7, 11))
                assert length == sum(measure >= edge for edge in edges)
    # Every earlier step is as likely as the others, and either step of a pair.
    assert 0.45 < np.mean(np.abs(ages)) < 0.6
    assert 0.4 < np.mean(np.array(ages) > 0) < 0.6
    assert len(np.unique(made[..., 1])) >= 9


MUTANTS = by_name(
    [
        Mutant(name, hindsight, old, new, check_labels)
        for name, old, new in (
            ("the step after the named one", "(self.now - ago)", "(self.now - ago + 1)"),
            ("from there to here", "following[goal, cell]", "following[cell, goal]"),
            ("an episode's start is forgotten", ".masked_fill_(starts, 0)", ""),
            ("absolute directions", "sector_of(right, up, pose[:, 2])", "sector_of(right, up, 0 * pose[:, 2])"),
            ("always the step before", "(uniform * possible).long() + 1", "torch.ones_like(possible)"),
            ("always back", "back = uniform < 1", "back = uniform < 2"),
            ("seen from the wrong step", "torch.where(back.unsqueeze(1), pose, named_pose)", "pose"),
        )
    ]
)


@pytest.mark.parametrize("straight", [False, True])
def test_labels_are_those_of_the_path_to_the_named_step(straight):
    check_labels(hindsight, straight)


@pytest.mark.parametrize("name", MUTANTS)
def test_an_error_is_noticed(name, tmp_path):
    assert_caught(MUTANTS[name], tmp_path)


def test_a_recorder_goes_on_from_its_state():
    task = make_task("random-goal-small", observation_size=42)
    first, second = (hindsight.HindsightRecorder(N, *task.mazes[0].open.shape) for _ in range(2))
    played(hindsight, first, 40)
    second.load_state_dict(first.state_dict())
    _, one, _ = played(hindsight, first, 30)
    _, other, _ = played(hindsight, second, 30)
    np.testing.assert_array_equal(one, other)


def stepped(network, inputs, last, slot=None):
    """Outputs and state after step `last` of a sequence; `slot` is put into the state before that step."""
    state = network.initial_state(inputs.reward.shape[1])
    for step in range(last):
        _, state = network.step(Inputs(*(part[step] for part in inputs.parts())), state)
    if slot is not None:
        state = (*state[:4], slot)
    return network.step(Inputs(*(part[last] for part in inputs.parts())), state)


def test_features_are_those_of_a_slot_that_was_written_then():
    torch.manual_seed(2)
    model = AgentModel(AGENTS["nav-mh"], counting_task().spec(), TrainConfig())
    network, T, B = model.network, 12, 2
    core = network.core
    assert isinstance(core, RewardMemoryCore)
    with torch.no_grad():
        core.gate[1] = -30.0
    inputs = network.perception.allocate((T, B), "cpu")
    inputs.vector.normal_()
    inputs.image.random_(0, 255)
    starts = torch.zeros(T, B, dtype=torch.bool)
    starts[0] = True
    ago = torch.randint(-8, 9, (T, B))
    features, there = network.recall(network.unroll(inputs, network.initial_state(B), starts), ago)
    for row in range(B):
        for t in range(T):
            k = int(ago[t, row])
            assert bool(there[t, row]) == (0 <= t - abs(k) < t)
            if there[t, row]:
                at, noted = (t, t - k) if k > 0 else (t + k, t)
                _, written = stepped(network, inputs, noted)
                # No reward opens the gate: what the slot holds before a step it holds after it.
                outputs, _ = stepped(network, inputs, at, core.write(written[2]))
                torch.testing.assert_close(features[t, row], outputs.core[row], rtol=1e-3, atol=1e-5)


def test_a_learner_trains_it_and_steps_before_the_rollout_have_no_loss():
    task = make_task("random-goal-small", observation_size=42)
    config = TrainConfig(num_envs=2, unroll_length=6, minibatches=1, epochs=1, precision="float32")
    model = AgentModel(AGENTS["nav-mh"], task.spec(), config)
    with make_batch(task, 2, observe=model.observe) as env:
        actor = Actor(env, model, ActorSettings(6, stagger=False), NumpyStream(np.random.SeedSequence(1)))
        flat = FlatParameters(model)
        learner = Learner(model, flat, ParameterStore(config, flat), config, NumpyStream(np.random.SeedSequence(2)))
        actor.reset(1, 0)
        known = []
        for _ in range(4):
            rollout, _ = actor.run()
            known.append(learner.learn(rollout).metrics().sums["hindsight"]["known"])
    # The first rollout begins with the episode, so that all steps but the first have one; later ones name steps before them, too.
    assert known[0] == 2 * 5
    assert all(value < 2 * 6 for value in known[1:])
    assert flat.gradients.isfinite().all()


def test_saved_states_that_can_not_be_are_named():
    recorder = hindsight.HindsightRecorder(2, 3, 4)
    good = recorder.state_dict()
    recorder.load_state_dict(good)
    wrong = {
        "now holds 201, expected 0 to 200": good | {"now": torch.tensor([0, 201])},
        "cells holds 12, expected 0 to 11": good | {"cells": torch.full_like(good["cells"], 12)},
        "cells holds -1": good | {"cells": torch.full_like(good["cells"], -1)},
        r"'elapsed' is \[1\] torch.int64, expected \[2\]": good | {"elapsed": torch.zeros(1, dtype=torch.int64)},
        r"'poses' is \[2, 201, 3\] torch.float64": good | {"poses": good["poses"].double()},
        "'random' is missing": {name: value for name, value in good.items() if name != "random"},
    }
    for message, state in wrong.items():
        with pytest.raises(InputError, match=message):
            recorder.load_state_dict(state)
    assert all(torch.equal(value, good[name]) for name, value in recorder.state_dict().items())


def test_bodies_without_a_slot_and_tasks_of_many_mazes_are_refused():
    model = AgentModel(AGENTS["nav"], counting_task().spec(), TrainConfig())
    with pytest.raises(InputError, match="NavCore has no slot"):
        model.network.core.recall(torch.zeros(1, 256), torch.zeros(1, 256))
    task = SimpleNamespace(mazes=(1, 2))
    with pytest.raises(InputError, match="a task of one maze, not of 2"):
        hindsight.HindsightRecorder(2, 3, 4).record(
            SimpleNamespace(env=SimpleNamespace(task=task)),  # type: ignore[arg-type]
            torch.ones(2).bool(),
            torch.zeros(2, 3),
        )
