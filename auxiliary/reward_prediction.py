"""Reward prediction as in UNREAL (arXiv 1611.05397, section 3.2): the sign of the next reward from three pictures."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from auxiliary.loss import AuxiliaryLoss, HeadContext, Memory, Sums, count, ratio
from maze_gen.errors import InputError

FRAMES = 3
"""Consecutive pictures of a window; the label is the sign of the reward of the step after the last."""
REPLAY_STEPS = 2000
"""Minimum number of steps in a worker's replay buffer, which holds whole rollouts."""
WINDOWS = 32
"""Windows per gradient; half of them are followed by a non-zero reward where the buffer has such windows."""
HIDDEN = 128
ZERO, POSITIVE, NEGATIVE = range(3)


class WindowMemory(Memory):
    """A ring buffer of a worker's last rollouts, at least `REPLAY_STEPS` steps of all its worlds together.

    Attributes:
        images, reward, starts: [C, T, N, ...], the last C rollouts as a ring. Entries not written yet have `starts` set, so that
            no window ends in them.
    """

    draws = WINDOWS

    def __init__(self, masked: bool = False) -> None:
        self.masked = masked
        self.images = self.reward = self.starts = torch.empty(0)
        self.rollouts = 0

    def add(self, images: Tensor, reward: Tensor, starts: Tensor) -> None:
        if self.images.shape[1:] != images.shape:
            kept = -(-REPLAY_STEPS // reward.numel())
            self.images, self.reward = images.new_empty(kept, *images.shape), reward.new_zeros(kept, *reward.shape)
            self.starts = starts.new_ones(kept, *starts.shape)
            self.rollouts = 0
        place = self.rollouts % len(self.images)
        self.images[place], self.reward[place], self.starts[place] = images, reward, starts
        self.rollouts += 1

    def draw(self, uniforms: Tensor) -> tuple[Tensor, Tensor] | None:
        """Pictures [K * 3, size, size, C] uint8, window by window, and classes [K] int64.

        Half of the windows are sampled from those followed by a non-zero reward, half from the others; where a kind is missing,
        its half comes from the other one. A masked memory assumes that there is a window at all: a rollout of three steps has
        one unless episodes start in all of its rows; if it has none, windows cross the start of an episode.
        """
        if self.rollouts == 0 or self.reward.shape[1] < FRAMES:
            return None
        ends, paid = window_ends(self.starts), self.reward != 0
        if not self.masked and not bool(ends.any()):
            return None
        half = WINDOWS // 2
        before, others = (ends & paid).flatten().cumsum(0), (ends & ~paid).flatten().cumsum(0)
        chosen = torch.cat((_draw(before, others, uniforms[:half]), _draw(others, before, uniforms[half:])))
        _, T, N = self.reward.shape
        rollout, t, n = chosen // (T * N), chosen // N % T, chosen % N
        times = t.unsqueeze(1) + torch.arange(1 - FRAMES, 1, device=t.device)
        pictures = self.images[rollout.unsqueeze(1), times, n.unsqueeze(1)].flatten(0, 1)
        reward = self.reward.flatten()[chosen]
        return pictures, (reward > 0) * POSITIVE + (reward < 0) * NEGATIVE

    def state_dict(self) -> dict[str, Tensor]:
        rollouts = torch.tensor(self.rollouts)
        return {"images": self.images.clone(), "reward": self.reward.clone(), "starts": self.starts.clone(), "rollouts": rollouts}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        images, reward, starts = (state[name].clone() for name in ("images", "reward", "starts"))
        rollouts = int(state["rollouts"])
        fits = images.dtype == torch.uint8 and reward.dtype == torch.float32 and starts.dtype == torch.bool
        fits = fits and images.dim() == 6 and len(images) > 0 and images.shape[:3] == reward.shape == starts.shape
        if rollouts < 0 or (rollouts > 0 and not fits):
            raise InputError(f"{rollouts} rollouts with images {list(images.shape)} and rewards {list(reward.shape)}")
        if rollouts == 0:
            # Nothing was added yet.
            images = reward = starts = torch.empty(0)
        self.images, self.reward, self.starts, self.rollouts = images, reward, starts, rollouts


def window_ends(starts: Tensor) -> Tensor:
    """[C, T, N] bool, where a window of `FRAMES` pictures of one episode ends, within rollouts of starts [C, T, N]."""
    ends = ~starts
    ends[:, : FRAMES - 1] = False
    for back in range(1, FRAMES - 1):
        ends[:, back:] &= ~starts[:, : starts.shape[1] - back]
    return ends


def _draw(counts: Tensor, otherwise: Tensor, uniforms: Tensor) -> Tensor:
    """Uniformly sampled indices [K] of a subset of M elements.

    Args:
        counts: [M] int64, the number of elements of the subset up to and including each index.
        otherwise: [M] int64, the same of another subset, which is sampled where the first one is empty.
        uniforms: [K] float32 in [0, 1).
    """
    counts = torch.where(counts[-1] > 0, counts, otherwise)
    rank = (uniforms.double() * counts[-1]).long()
    return torch.searchsorted(counts, rank + 1).clamp_(max=len(counts) - 1)


class RewardPredictionLoss(AuxiliaryLoss):
    """A hidden layer of 128 over the features of three pictures, then zero, positive or negative; cross-entropy."""

    reads = "memory"

    def __init__(self, context: HeadContext) -> None:
        super().__init__()
        self.hidden = nn.Linear(FRAMES * context.encoder_features, HIDDEN)
        self.output = nn.Linear(HIDDEN, 3)

    def memory(self, num_envs: int, device: torch.device | str = "cpu", masked: bool = False) -> Memory:
        return WindowMemory(masked)

    def forward(self, features: Tensor) -> Tensor:
        """[K * 3, F] → logits [K, 3]."""
        return self.output(functional.relu(self.hidden(features.reshape(-1, self.hidden.in_features))))

    def loss(self, features: Tensor, target: Tensor) -> tuple[Tensor, Sums]:
        logits = self(features)
        loss = functional.cross_entropy(logits, target)
        with torch.no_grad():
            correct = (logits.argmax(1) == target).sum()
        return loss, {"correct": correct, "windows": count(len(target), target.device)}

    @staticmethod
    def metrics(sums: Mapping[str, float]) -> dict[str, float]:
        return {"accuracy": ratio(sums["correct"], sums["windows"])}
