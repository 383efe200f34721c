"""Settings drawn from the paper's ranges: where they lie, how they are spread, and a grid that uses them."""

import json

import numpy as np
import pytest

from agents.checkpoint import load_checkpoint
from agents.config import PRESETS
from experiments.reproduction.sampling import sampled
from tests.experiments.test_reproduce import SMALL, STEP, run, toys

__all__ = ["toys"]


def test_samples_lie_in_the_papers_ranges_and_are_spread_over_their_logarithms():
    drawn = [sampled(PRESETS["paper"], number) for number in range(1, 401)]
    for name, low, high in (("learning_rate", 1e-4, 5e-4), ("entropy_cost", 1e-4, 1e-3)):
        values = np.array([getattr(settings, name) for settings in drawn])
        assert values.min() >= low
        assert values.max() <= high
        # The quartiles of the logarithm, within four standard errors of uniform ones.
        share = np.log(values / low) / np.log(high / low)
        np.testing.assert_allclose(np.quantile(share, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.1)
    assert {settings.unroll_length for settings in drawn} == {50, 75}
    assert {settings.loss_weight["depth-encoder"] for settings in drawn} == {3.33, 10.0, 33.0}
    assert {settings.loss_weight["loop-closure"] for settings in drawn} == {1.0, 3.33, 10.0}
    assert drawn[0] == sampled(PRESETS["paper"], 1)
    assert len({settings.learning_rate for settings in drawn}) == 400


def test_starred_agents_keep_their_rollouts():
    assert {sampled(PRESETS["paper-starred"], number).unroll_length for number in range(20)} == {100}


def test_a_grid_of_samples(monkeypatch, tmp_path):
    wanted = ["--tasks", "corridor", "--agents", "ff", "--budget", 10 * STEP, "--episodes", 2, "--observation-size", 42, *SMALL]
    sampling = ["--preset", "paper", "--sample-settings", 2, "--best", 1, "--out", tmp_path / "grid"]
    assert run(monkeypatch, *wanted, *sampling) == 0
    folders = [tmp_path / "grid" / "corridor" / "ff" / f"seed{seed}" for seed in (1, 2)]
    trained = [load_checkpoint(folder).config for folder in folders]
    assert trained[0].learning_rate != trained[1].learning_rate
    for folder, settings in zip(folders, trained, strict=True):
        assert json.loads((folder / "evaluation.json").read_text())["settings"]["learning_rate"] == settings.learning_rate
    table = json.loads((tmp_path / "grid" / "table.json").read_text())
    score = table["tasks"][0]["agents"][0]["scores"][0]
    returns = [np.mean(json.loads((folder / "evaluation.json").read_text())["results"][0]["returns"]) for folder in folders]
    assert score["best"] == pytest.approx(max(returns))
    assert score["mean"] == pytest.approx(np.mean(returns))
    assert "of the best 1" in (tmp_path / "grid" / "table.md").read_text()
    assert run(monkeypatch, *wanted, *sampling) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sample-settings", 4], "--sample-settings 4 with --preset fast"),
        (["--best", 9], "best 9: expected a whole number in [0, 3]"),
        (["--preset", "paper", "--sample-settings", 0], "sample-settings 0: expected a whole number in [1, 1e+06]"),
    ],
)
def test_refused(monkeypatch, capsys, tmp_path, options, said):
    assert run(monkeypatch, "--tasks", "corridor", "--out", tmp_path, *options) == 2
    assert said in capsys.readouterr().err
