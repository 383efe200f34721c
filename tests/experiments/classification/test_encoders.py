"""The comparison of encoders, small."""

import json

import numpy as np
import pytest
import torch

from experiments.classification import encoders
from experiments.classification.encoders import EncoderOptions, Learned, compare, table
from maze_gen.errors import InputError
from tests.experiments.classification.small import small_pictures


def test_every_encoder_at_every_rate(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    base = small_pictures(labels=(2,))
    frames = {name: rng.integers(0, 256, (len(getattr(base, name)), 42, 42, 3), dtype=np.uint8) for name in ("train", "test")}
    pictures = type(base)("p", frames["train"], base.train_labels, frames["test"], base.test_labels, 4)
    monkeypatch.setattr(encoders, "maze_frames", lambda *_: pictures)
    monkeypatch.setattr(encoders, "RATES", (0.001, 0.003))
    assert compare(EncoderOptions(seconds=0.001, batch=8, out=tmp_path)) == 0
    found = json.loads((tmp_path / "encoders.json").read_text())
    assert [(t["encoder"], t["rate"], t["steps"]) for t in found] == [
        (name, rate, 1) for name in ("convolutional", "deep") for rate in (0.001, 0.003)
    ]
    assert capsys.readouterr().out.count("|\n") == 6
    torch.manual_seed(0)
    model = encoders.Model("deep", 8)
    slow = [model(torch.from_numpy(image[None])).view(4, 2).argmax(0).numpy() for image in pictures.test]
    assert encoders.accuracy(model, pictures) == pytest.approx((np.array(slow) == pictures.test_labels).mean(), abs=0.02)


def test_the_best_of_each_encoder_is_marked():
    trainings = [Learned("deep", 0.001, {40: 0.5}, 0.6, 50, 2.0), Learned("deep", 0.003, {}, 0.7, 30, 1.5)]
    text = table(trainings, small_pictures(), EncoderOptions(encoders=("deep",)))
    assert "| deep | 0.001 | 0.500 / – / – / – | 0.600 | 50 | 2.0 | 40.0 |" in text
    assert "| deep | 0.003 | – / – / – / – | **0.700** | 30 | 1.5 | 50.0 |" in text


def test_refused():
    with pytest.raises(InputError, match="--seconds 0"):
        compare(EncoderOptions(seconds=0.0))
