"""The way to the goal that a critic sees: against paths in the maze, along a walk, and where there is none."""

import math

import numpy as np
import pytest
import torch

from agents.networks.critic import PrivilegedCritic
from agents.networks.way_to_goal import way_to_goal
from env.backends import make_batch
from env.registry import make_task
from env.tensors import TensorWorlds
from maze_gen.errors import InputError
from maze_gen.paths import shortest_path
from tests.agents.dials import DialsTask


def expected(maze, facts, row):
    """(cells of way, half turns), by the maze's own paths and complex numbers."""
    here, goal = (divmod(int(facts[name][row]), maze.cols) for name in ("cell", "goal_cell"))
    path = shortest_path(maze, here, goal)
    following = path[1] if len(path) > 1 else path[0]
    to = complex(*maze.center(following)) - complex(*facts["position"][row])
    looks = complex(math.cos(math.radians(facts["heading"][row])), math.sin(math.radians(facts["heading"][row])))
    turned = abs(np.angle(to / looks)) / math.pi
    return max(len(path) - 2, 0) + abs(to) / 100, turned


def test_it_is_the_way_through_the_next_cell_and_the_turn_towards_it():
    task, random = make_task("random-goal-small", observation_size=42), np.random.default_rng(1)
    with make_batch(task, 4, observe=("velocity",)) as env:
        env.reset(7)
        worlds = TensorWorlds(env)
        for _ in range(60):
            made = way_to_goal(worlds.privileged, task.spec()).numpy()
            for row in range(4):
                # Of several shortest paths the engine and the maze take the same one.
                assert made[row] == pytest.approx(expected(task.mazes[0], env.privileged, row), abs=1e-3)
            env.step(random.choice([2, 2, 2, 0, 6, 7], size=4))


def test_every_step_towards_the_goal_makes_it_shorter():
    """A corridor of cells: a tenth of a cell nearer, and a tenth of a half turn."""
    spec = make_task("static-small").spec()
    facts = {
        "goal_distance": torch.tensor([4, 4, 4, 4]),
        "next_cell": torch.tensor([41, 41, 41, -1]),
        "position": torch.tensor([[50.0, 50.0], [60.0, 50.0], [50.0, 50.0], [50.0, 50.0]]),
        "heading": torch.tensor([0.0, 0.0, 342.0, 0.0]),
    }
    made = way_to_goal(facts, spec)
    torch.testing.assert_close(made, torch.tensor([[4.0, 0.0], [3.9, 0.0], [4.0, 0.1], [0.0, 0.0]]), atol=1e-5, rtol=0)


def test_a_critic_reads_it_and_other_worlds_have_none():
    task = make_task("static-small", observation_size=42)
    critic = PrivilegedCritic(task.spec(), ("way_to_goal",))
    critic.weight.data = torch.tensor([1.0, 10.0, 0.0, 0.0])
    with make_batch(task, 3, observe=("velocity",)) as env:
        env.reset(2)
        worlds, out = TensorWorlds(env), torch.zeros(3, critic.inputs)
        critic.check(worlds.privileged)
        critic.observe(worlds.privileged, out)
        way, turn = way_to_goal(worlds.privileged, task.spec()).unbind(1)
        torch.testing.assert_close(critic(out), way + 100 * turn)
        with pytest.raises(InputError, match="critic sees 'next_cell', which these worlds"):
            critic.check({name: value for name, value in worlds.privileged.items() if name != "next_cell"})
    with pytest.raises(InputError, match="critic sees 'way_to_goal': expected among"):
        PrivilegedCritic(DialsTask().spec(), ("way_to_goal",))
