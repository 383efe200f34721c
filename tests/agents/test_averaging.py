"""Averaged weights against the formula, written out over the parameters as they were."""

import dataclasses

import pytest
import torch

from agents.averaging import AVERAGED, AveragedWeights
from agents.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from agents.config import AGENTS, PRESETS
from agents.trainer import Budget, Callback, Trainer, Training
from env.painting.registry import make_painting

CONFIG = dataclasses.replace(PRESETS["painter"], num_envs=4, epochs=1, minibatches=2)


class Record(Callback):
    """The parameters at every tick."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, dict[str, torch.Tensor]]] = []

    def start(self, trainer: Trainer) -> None:
        self.tick(trainer)

    def tick(self, trainer: Trainer) -> None:
        checkpoint = trainer.checkpoint()
        self.seen.append((int(checkpoint.statistics["updates"]), checkpoint.parameters))


@pytest.fixture
def training() -> Training:
    task = make_painting("redraw-digits")
    return Training("painter", AGENTS["painter"], CONFIG, "painter", task, "embedded", 1, 1, serial=True)


def test_the_mean_is_that_of_the_formula(training, tmp_path):
    record, averaged = Record(), AveragedWeights(tmp_path / "averaged.safetensors", updates=5)
    Trainer(training, Budget(frames=200), [record, averaged]).train()
    assert len(record.seen) > 5
    (updates, mean), *later = record.seen
    for now, parameters in later:
        kept = 0.8 ** (now - updates)
        mean = {name: kept * part + (1 - kept) * parameters[name] for name, part in mean.items()}
        updates = now
    found = load_checkpoint(tmp_path / "averaged.safetensors")
    for name, part in found.parameters.items():
        torch.testing.assert_close(part, mean[name], rtol=1e-4, atol=1e-6)
        assert not torch.equal(part, record.seen[-1][1][name]) or part.numel() == 0 or name.endswith("bias")
    assert found.statistics == {}
    found.model()


def test_a_resumed_training_goes_on_with_its_mean(training, tmp_path):
    # The same rate throughout: it depends on the budget.
    training = dataclasses.replace(training, config=dataclasses.replace(CONFIG, final_learning_rate_fraction=1.0))
    for name, frames in (("whole", [320]), ("halves", [160, 320]), ("other", [160, 320])):
        folder = tmp_path / name
        folder.mkdir()
        for number, budget in enumerate(frames):
            earlier = load_checkpoint(folder) if number else None
            if earlier and name == "other":
                # Of another moment than the checkpoint's.
                saved = load_checkpoint(folder / AVERAGED)
                save_checkpoint(folder / AVERAGED, dataclasses.replace(saved, frames=32))
            trainer = Trainer(
                dataclasses.replace(training, earlier=earlier), Budget(frames=budget), [AveragedWeights(folder / AVERAGED)]
            )
            trainer.train()
            save_checkpoint(folder / CHECKPOINT, trainer.checkpoint(with_workers=True))
    whole, halves, other = (load_checkpoint(tmp_path / name / AVERAGED).parameters for name in ("whole", "halves", "other"))
    assert all(torch.equal(part, halves[name]) for name, part in whole.items())
    assert not all(torch.equal(part, other[name]) for name, part in whole.items())
