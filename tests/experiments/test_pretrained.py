"""The agents that come with the project: small, of the tasks they are named after, and better than chance by far."""

from pathlib import Path

import pytest

import experiments
from agents.checkpoint import load_checkpoint
from env.registry import make_task
from experiments.analysis.playback import Playback
from experiments.analysis.recorder import record
from experiments.policies import BASELINES, player_of

AGENTS = sorted((Path(experiments.__file__).parent / "pretrained").glob("*.safetensors"))
EPISODES = 20
LEAST = {"static-small": 60, "random-goal-small": 60, "procedural-small": 35}
"""Mean returns; over 100 episodes they had 95.2, 89.0 and 49.9, and where the goal moves episodes differ much."""


def test_all_are_here():
    assert {path.stem for path in AGENTS} == set(LEAST)


@pytest.mark.parametrize("path", AGENTS, ids=lambda path: path.stem)
def test_it_knows_its_task(path: Path):
    assert path.stat().st_size < 8e6
    checkpoint = load_checkpoint(path)
    task = make_task(path.stem, observation_size=checkpoint.task.observation_size)
    assert [maze.digest for maze in checkpoint.task.mazes] == [maze.digest for maze in task.mazes]
    agent, random = (record(Playback(task, EPISODES), make) for make in (player_of(checkpoint), BASELINES["random"]))
    assert agent.returns.mean() > LEAST[path.stem] > 20 > random.returns.mean()
