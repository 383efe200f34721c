"""The agents that come with the project: small, of the tasks they are named after, and better than chance by far."""

from pathlib import Path

import pytest

import experiments
from agents.checkpoint import load_checkpoint
from env.registry import make_task
from experiments.evaluate import evaluate

AGENTS = sorted((Path(experiments.__file__).parent / "pretrained").glob("*.safetensors"))


def test_there_are_some():
    assert "static-small" in [path.stem for path in AGENTS]


@pytest.mark.parametrize("path", AGENTS, ids=lambda path: path.stem)
def test_it_knows_its_task(path: Path):
    assert path.stat().st_size < 8e6
    checkpoint = load_checkpoint(path)
    task = make_task(path.stem, observation_size=checkpoint.task.observation_size)
    assert [maze.digest for maze in checkpoint.task.mazes] == [maze.digest for maze in task.mazes]
    found = evaluate(checkpoint, [task], episodes=20, seed=0)
    agent, random = found.results[0], found.baselines["random"][0]
    assert agent.returns.mean() > 10 * random.returns.mean()
