"""Averaged weights against the formula, written out over the parameters as they were."""

import dataclasses

import torch

from agents.averaging import AveragedWeights
from agents.checkpoint import load_checkpoint
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


def test_the_mean_is_that_of_the_formula(tmp_path):
    record, averaged = Record(), AveragedWeights(tmp_path / "averaged.safetensors", updates=5)
    training = Training(
        "painter", AGENTS["painter"], CONFIG, "painter", make_painting("redraw-digits"), "embedded", 1, 1, serial=True
    )
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
