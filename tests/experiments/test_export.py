"""An exported agent: the same one, smaller, and not to be trained further."""

import pytest
import torch

from agents.checkpoint import load_checkpoint
from experiments.export import ExportOptions, run
from experiments.train import TrainOptions, train
from maze_gen.errors import InputError


def test_the_agent_stays_and_the_optimiser_goes(tmp_path):
    made = train(TrainOptions(agent="ff", frames=0, run_dir=tmp_path / "run"))
    out = tmp_path / "agents" / "small.safetensors"
    run(ExportOptions(made.folder, out))
    whole, small = load_checkpoint(made.checkpoint), load_checkpoint(out)
    assert (small.agent_name, small.config, small.frames) == (whole.agent_name, whole.config, whole.frames)
    assert [maze.digest for maze in small.task.mazes] == [maze.digest for maze in whole.task.mazes]
    state = whole.model().state_dict()
    assert all(torch.equal(values, state[name]) for name, values in small.model().state_dict().items())
    assert out.stat().st_size < made.checkpoint.stat().st_size / 2
    with pytest.raises(InputError, match="lacks the optimiser"):
        train(TrainOptions(resume=out, minutes=0.1, run_dir=tmp_path / "again"))


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected a name that ends in \.safetensors"):
        run(ExportOptions(tmp_path, tmp_path / "agent.pt"))
