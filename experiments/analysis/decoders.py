"""Decoders fitted after training on frozen features: the agent's cell, its heading, the goal's cell.

A decoder is a softmax classifier on standardised features, linear or with one hidden layer, fitted on some episodes and tested
on the others. Its references are *chance*, which always predicts the most common class of the fitting episodes, and a *shuffled
control*, the same decoder fitted on labels of other episodes: what the control has above chance comes from the time within the
episode, not from the agent's position. The control of the agent's own decoder is its output in another episode at the same time.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from experiments.analysis.intervals import Measured, mean, ratio

Kind = Literal["linear", "one hidden layer"]

HIDDEN = 128
PASSES = 12
LEAST_UPDATES = 300
"""Few steps get more passes, so that a short playback is fitted as well as a long one."""
BATCH = 512
LEARNING_RATES: dict[Kind, float] = {"linear": 2e-2, "one hidden layer": 5e-3}
WEIGHT_DECAY = 1e-4
FITTING_STEPS = 30_000
"""Largest number of steps to fit on, evenly spaced: neighbouring steps are nearly identical."""


def split_episodes(episodes: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(episodes to fit on, episodes to test on), 60 % and 40 %, at least one each where there are two or more.

    The first three of every five are for fitting.
    """
    numbers = np.arange(episodes)
    fitting = numbers % 5 < 3
    if 1 < episodes < 4:
        fitting[-1] = False
    return numbers[fitting], numbers[~fitting]


class Decoder(nn.Module):
    """Standardised features [K, D] → logits [K, classes]."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, features: torch.Tensor, classes: int, kind: Kind) -> None:
        super().__init__()
        self.register_buffer("mean", features.mean(0))
        self.register_buffer("scale", 1 / features.std(0).clamp_min(1e-3))
        output = nn.Linear(features.shape[1] if kind == "linear" else HIDDEN, classes)
        nn.init.zeros_(output.weight)
        nn.init.zeros_(output.bias)
        self.head = output if kind == "linear" else nn.Sequential(nn.Linear(features.shape[1], HIDDEN), nn.ReLU(), output)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.head((features - self.mean) * self.scale)


def fit(features: npt.NDArray, labels: npt.NDArray, classes: int, kind: Kind = "linear", seed: int = 0) -> Decoder:
    """A decoder fitted by AdamW on cross-entropy, with a learning rate that falls linearly to zero.

    Args:
        features: [K, D], any float type.
        labels: [K] integers in [0, classes).
        seed: of the initial weights and of the order of the steps; the same data and seed give the same decoder.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        stride = -(-len(labels) // FITTING_STEPS)
        inputs = torch.from_numpy(np.ascontiguousarray(features[::stride], dtype=np.float32))
        targets = torch.from_numpy(labels[::stride].astype(np.int64))
        decoder = Decoder(inputs, classes, kind)
        optimizer = torch.optim.AdamW(decoder.parameters(), lr=LEARNING_RATES[kind], weight_decay=WEIGHT_DECAY)
        batches = -(-len(targets) // BATCH)
        passes = max(PASSES, LEAST_UPDATES // batches)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=passes * batches)
        for _ in range(passes):
            for chosen in torch.randperm(len(targets)).split(BATCH):
                optimizer.zero_grad()
                cross_entropy(decoder(inputs[chosen]), targets[chosen]).backward()
                optimizer.step()
                schedule.step()
    return decoder.eval()


def probabilities(decoder: Decoder, features: npt.NDArray) -> npt.NDArray[np.float32]:
    """Features [..., D] → probabilities [..., classes] float32."""
    flat = features.reshape(-1, features.shape[-1])
    parts = []
    with torch.inference_mode():
        for start in range(0, len(flat), 8192):
            inputs = torch.from_numpy(np.ascontiguousarray(flat[start : start + 8192], dtype=np.float32))
            parts.append(decoder(inputs).softmax(-1).numpy())
    return np.concatenate(parts).reshape(*features.shape[:-1], -1)


@dataclass(frozen=True)
class DecoderResult:
    """Predictions of a decoder on the episodes that it was not fitted on.

    Attributes:
        name: what was decoded from which features, e.g. `position from LSTM 2, linear`.
        episodes: [R] the test episodes.
        probabilities: [R, T, classes] float32.
        labels: [R, T] the true classes.
        most_common: the most common class of the fitting episodes, which chance always predicts.
        frequencies: [classes] relative frequency of each class in the fitting episodes: the prior, without looking at the agent.
        control: [R, T] the class that the shuffled control predicts; None where there is no control.
        known: [R, T] the steps that have a label, of which figures are; None where all have.
    """

    name: str
    episodes: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray
    most_common: int
    frequencies: npt.NDArray[np.float64]
    control: npt.NDArray[np.int64] | None
    known: npt.NDArray[np.bool_] | None = None

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """[R, T] the most likely class."""
        return self.probabilities.argmax(-1)

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """[R, T] whether the most likely class is the true one."""
        return self.predicted == self.labels

    @property
    def accuracy(self) -> float:
        """Fraction of steps at which the most likely class is the true one."""
        return float(self.correct.mean())

    @property
    def chance(self) -> float:
        """Accuracy of always predicting the most common class of the fitting episodes."""
        return float((self.labels == self.most_common).mean())

    @property
    def control_accuracy(self) -> float | None:
        """Accuracy of the shuffled control."""
        return None if self.control is None else float((self.control == self.labels).mean())

    def figures(self) -> dict[str, Measured]:
        """`accuracy`, `chance` and `shuffled control`, where there is one, each with its interval over the test episodes."""
        right = {"accuracy": self.correct, "chance": self.labels == self.most_common}
        if self.control is not None:
            right["shuffled control"] = self.control == self.labels
        known = self.known
        if known is None:
            return {name: mean(values) for name, values in right.items()}
        return {name: ratio((values & known).sum(1), known.sum(1)) for name, values in right.items()}


def decode(
    name: str,
    features: npt.NDArray,
    labels: npt.NDArray,
    classes: int,
    kind: Kind = "linear",
    control: bool = True,
    seed: int = 0,
    known: npt.NDArray[np.bool_] | None = None,
) -> DecoderResult:
    """Fits a decoder on some episodes and tests it on the others.

    Args:
        features: [E, T, D].
        labels: [E, T] integers in [0, classes).
        control: whether the shuffled control is fitted too.
        known: [E, T], the steps that have a label; all of them by default. Some of the fitting episodes must have one.
    """
    fitting, testing = split_episodes(len(labels))
    given, there = labels[fitting], np.ones(labels[fitting].shape, np.bool_) if known is None else known[fitting]
    found = probabilities(fit(features[fitting][there], given[there], classes, kind, seed), features[testing])
    predicted = None
    if control:
        swapped = swap_episodes(there)
        wrong = fit(features[fitting][swapped], swap_episodes(given)[swapped], classes, kind, seed)
        predicted = probabilities(wrong, features[testing]).argmax(-1)
    tested = None if known is None else known[testing]
    return DecoderResult(name, testing, found, labels[testing], *_prior(given[there], classes), predicted, tested)


def own_decoder_result(name: str, probabilities: npt.NDArray, labels: npt.NDArray) -> DecoderResult:
    """The result of the agent's own decoder, on the same episodes as fitted decoders are tested on.

    Args:
        probabilities: [E, T, classes].
        labels: [E, T].
    """
    fitting, testing = split_episodes(len(labels))
    found = np.asarray(probabilities[testing], dtype=np.float32)
    control = swap_episodes(found.argmax(-1))
    return DecoderResult(name, testing, found, labels[testing], *_prior(labels[fitting], found.shape[-1]), control)


def swap_episodes(values: npt.NDArray) -> npt.NDArray:
    """[E, T, ...] → the same with whole episodes exchanged; a single episode is reversed in time.

    The frequencies of values and, for several episodes, their dependence on the time within the episode stay the same.
    """
    return np.roll(values, max(1, len(values) // 2), axis=0) if len(values) > 1 else values[:, ::-1]


def _prior(known: npt.NDArray, classes: int) -> tuple[int, npt.NDArray[np.float64]]:
    """(the most common class, relative frequency [classes] of each class)."""
    count = np.bincount(known.ravel(), minlength=classes)
    return int(count.argmax()), count / count.sum()
