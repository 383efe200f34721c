"""Decoders fitted after the fact on frozen features: which cell is the agent in, which way does it look, where is the goal?

A decoder is a softmax on standardised features, linear or with one hidden layer, fitted on some episodes and read on others.
Beside it stand *chance*, which always names the commonest class of the fitting episodes, and a *shuffled control*, the same
decoder fitted on labels of other episodes: what it gets above chance is not knowledge but the clock. The control of a decoder
that the agent brought along is its answers in another episode at the same time.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.functional import cross_entropy

Kind = Literal["linear", "one hidden layer"]

HIDDEN = 128
PASSES = 12
BATCH = 512
LEARNING_RATES: dict[Kind, float] = {"linear": 2e-2, "one hidden layer": 5e-3}
WEIGHT_DECAY = 1e-4
FITTING_STEPS = 30_000
"""At most this many steps are fitted on, evenly spread: neighbouring steps say nearly the same."""


def split_episodes(episodes: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Episodes to fit on (60 %) and episodes to read, each at least one where there are two.

    Of every five the first three are fitted on.
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
    """A decoder that was fitted by Adam on cross-entropy, its learning rate falling to zero.

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
        # Few steps get more passes, so that a small recording is fitted as well as a large one.
        passes = max(PASSES, 300 // batches)
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
class Reading:
    """What a decoder made of the episodes it was not fitted on.

    Attributes:
        name: what was decoded from which features, e.g. `position from LSTM 2, linear`.
        episodes: [R] the episodes that were read.
        probabilities: [R, T, classes] float32.
        labels: [R, T] the truth.
        commonest: the commonest class of the fitting episodes, which chance always names.
        shares: [classes] share of each class in the fitting episodes: what is known without looking at the agent.
        control: [R, T] the class that the shuffled control names; None where that wasn't done.
    """

    name: str
    episodes: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray
    commonest: int
    shares: npt.NDArray[np.float64]
    control: npt.NDArray[np.int64] | None

    @property
    def likeliest(self) -> npt.NDArray[np.int64]:
        """[R, T] the class that is named."""
        return self.probabilities.argmax(-1)

    @property
    def accuracy(self) -> float:
        """Share of steps whose likeliest class is the true one."""
        return float((self.likeliest == self.labels).mean())

    @property
    def chance(self) -> float:
        """Accuracy of always naming the commonest class of the fitting episodes."""
        return float((self.labels == self.commonest).mean())

    @property
    def shuffled(self) -> float | None:
        """Accuracy of the shuffled control."""
        return None if self.control is None else float((self.control == self.labels).mean())


def decode(
    name: str,
    features: npt.NDArray,
    labels: npt.NDArray,
    classes: int,
    kind: Kind = "linear",
    shuffled: bool = True,
    seed: int = 0,
) -> Reading:
    """Fits on some episodes, reads the others.

    Args:
        features: [E, T, D].
        labels: [E, T] integers in [0, classes).
        shuffled: whether the control is fitted too.
    """
    fitting, reading = split_episodes(len(labels))
    flat = features[fitting].reshape(-1, features.shape[-1])
    known = labels[fitting]
    found = probabilities(fit(flat, known.ravel(), classes, kind, seed), features[reading])
    control = None
    if shuffled:
        wrong = other_episodes(known).ravel()
        control = probabilities(fit(flat, wrong, classes, kind, seed), features[reading]).argmax(-1)
    return Reading(name, reading, found, labels[reading], *_usual(known, classes), control)


def reading_of(name: str, probabilities: npt.NDArray, labels: npt.NDArray) -> Reading:
    """A reading of a decoder that the agent brought along; the same episodes are read as for fitted ones.

    Args:
        probabilities: [E, T, classes].
        labels: [E, T].
    """
    fitting, reading = split_episodes(len(labels))
    found = np.asarray(probabilities[reading], dtype=np.float32)
    control = other_episodes(found.argmax(-1))
    return Reading(name, reading, found, labels[reading], *_usual(labels[fitting], found.shape[-1]), control)


def other_episodes(values: npt.NDArray) -> npt.NDArray:
    """[E, T, ...] → the same, whole episodes in each other's places; a single one is turned round in time.

    Values keep their shares and their course over time.
    """
    return np.roll(values, max(1, len(values) // 2), axis=0) if len(values) > 1 else values[:, ::-1]


def _usual(known: npt.NDArray, classes: int) -> tuple[int, npt.NDArray[np.float64]]:
    """The commonest class, and the share of each."""
    count = np.bincount(known.ravel(), minlength=classes)
    return int(count.argmax()), count / count.sum()


def heading_class(heading: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Headings in degrees → eight classes of 45 degrees, centred on east (0), north-east (1), north (2), …"""
    return (np.floor(np.asarray(heading, dtype=np.float64) / 45 + 0.5) % 8).astype(np.int64)


def entropy(probabilities: npt.NDArray) -> npt.NDArray[np.float32]:
    """[..., classes] → [...] entropy in bits: log2 of the number of cells that the agent can't tell apart."""
    p = np.asarray(probabilities, dtype=np.float32)
    return -np.sum(p * np.log2(np.maximum(p, 1e-12)), axis=-1)


def visits(cell: npt.NDArray) -> npt.NDArray[np.int32]:
    """[E, T] cells → [E, T] which visit to the present cell this is, counted from 1; a visit ends when the cell is left."""
    count = np.zeros(cell.shape, dtype=np.int32)
    for episode, cells in enumerate(cell):
        seen: dict[int, int] = {}
        previous = -1
        for step, here in enumerate(cells.tolist()):
            if here != previous:
                seen[here] = seen.get(here, 0) + 1
            previous = here
            count[episode, step] = seen[here]
    return count


def path_error(likeliest: npt.NDArray, labels: npt.NDArray, distance: npt.NDArray) -> npt.NDArray[np.int32]:
    """Cells of path between the named cell and the true one.

    Args:
        likeliest, labels: [...] cells.
        distance: [cells, cells] cells of path as `maze_gen.paths.all_distances`; solid cells count as the farthest there is.
    """
    error = distance[labels, likeliest]
    return np.where(error < 0, distance.max(), error).astype(np.int32)


@dataclass(frozen=True)
class Curve:
    """Means over bins.

    Attributes:
        edges: [B + 1], bin b holds edges[b] <= x < edges[b + 1].
        mean: [B], NaN where a bin holds too few numbers.
        count: [B].
    """

    edges: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]
    count: npt.NDArray[np.int64]


def binned(x: npt.NDArray, y: npt.NDArray, edges: npt.ArrayLike, fewest: int = 1) -> Curve:
    """Mean of `y` in bins of `x`, both of any equal shape; of bins of `fewest` numbers or more."""
    bounds = np.asarray(edges, dtype=np.float64)
    place = np.searchsorted(bounds, x.ravel(), side="right") - 1
    inside = (place >= 0) & (place < len(bounds) - 1)
    count = np.bincount(place[inside], minlength=len(bounds) - 1)
    total = np.bincount(place[inside], weights=y.ravel()[inside], minlength=len(bounds) - 1)
    return Curve(bounds, np.divide(total, count, out=np.full(len(count), np.nan), where=count >= fewest), count)


def confusion(likeliest: npt.NDArray, labels: npt.NDArray, classes: int) -> npt.NDArray[np.float64]:
    """[classes, classes] share of each true class (row) that was named as each class (column); rows of absent classes are 0."""
    counts = np.bincount((labels.astype(np.int64) * classes + likeliest).ravel(), minlength=classes * classes)
    counts = counts.reshape(classes, classes).astype(np.float64)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
