"""Reward prediction as in UNREAL (arXiv 1611.05397, section 3.2): will the next step be rewarded, from three pictures?"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from auxiliary.loss import AuxiliaryLoss, Memory, Sums, share

FRAMES = 3
"""Pictures of a window; the reward is the one that follows the last."""
REPLAY_STEPS = 2000
"""Least steps that a worker keeps; whole chunks are kept."""
WINDOWS = 32
"""Windows a gradient, half of them followed by a reward where there are any."""
HIDDEN = 128
ZERO, POSITIVE, NEGATIVE = range(3)


class WindowMemory(Memory):
    """The last chunks of a worker, at least `REPLAY_STEPS` steps of all its worlds together."""

    def __init__(self) -> None:
        self.chunks: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, images: Tensor, reward: Tensor, starts: Tensor) -> None:
        steps = reward.numel()
        keep = -(-REPLAY_STEPS // steps)
        oldest = self.chunks.pop(0) if len(self.chunks) >= keep else None
        if oldest is None or oldest[0].shape != images.shape:
            oldest = (torch.empty_like(images), torch.empty_like(reward), torch.empty_like(starts))
        for place, values in zip(oldest, (images, reward, starts), strict=True):
            place.copy_(values)
        self.chunks.append(oldest)

    def draw(self, random: np.random.Generator) -> tuple[Tensor, Tensor] | None:
        """Pictures [K * 3, size, size, C] uint8, window by window, and classes [K] int64."""
        windows = [(index, *where) for index, chunk in enumerate(self.chunks) for where in _window_ends(chunk[2])]
        if not windows:
            return None
        rewards = np.array([float(self.chunks[i][1][t, n]) for i, t, n in windows])
        paid, unpaid = np.flatnonzero(rewards), np.flatnonzero(rewards == 0)
        half = WINDOWS // 2
        first = random.choice(paid if len(paid) else unpaid, half)
        second = random.choice(unpaid if len(unpaid) else paid, WINDOWS - half)
        chosen = np.concatenate((first, second))
        pictures = [self.chunks[i][0][t - FRAMES + 1 : t + 1, n] for i, t, n in (windows[k] for k in chosen)]
        classes = np.where(rewards[chosen] == 0, ZERO, np.where(rewards[chosen] > 0, POSITIVE, NEGATIVE))
        return torch.cat(pictures), torch.from_numpy(classes)


def _window_ends(starts: Tensor) -> list[tuple[int, int]]:
    """(t, n) at which a window of `FRAMES` pictures of one episode ends, within a chunk of starts [T, N]."""
    within = torch.ones_like(starts[FRAMES - 1 :])
    for back in range(FRAMES - 1):
        within &= ~starts[FRAMES - 1 - back : len(starts) - back]
    return [(t + FRAMES - 1, n) for t, n in within.nonzero().tolist()]


class RewardPredictionLoss(AuxiliaryLoss):
    """A hidden layer of 128 over the features of three pictures, then zero, positive or negative; cross-entropy."""

    reads = "memory"

    def __init__(self, features: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(FRAMES * features, HIDDEN)
        self.output = nn.Linear(HIDDEN, 3)

    def memory(self, num_envs: int) -> Memory:
        return WindowMemory()

    def forward(self, features: Tensor) -> Tensor:
        """[K * 3, F] → logits [K, 3]."""
        return self.output(functional.relu(self.hidden(features.reshape(-1, self.hidden.in_features))))

    def loss(self, features: Tensor, target: Tensor) -> tuple[Tensor, Sums]:
        logits = self(features)
        loss = functional.cross_entropy(logits, target)
        with torch.no_grad():
            right = (logits.argmax(1) == target).sum()
        return loss, {"right": right, "windows": torch.tensor(len(target))}

    @staticmethod
    def metrics(sums: Mapping[str, float]) -> dict[str, float]:
        return {"accuracy": share(sums["right"], sums["windows"])}
