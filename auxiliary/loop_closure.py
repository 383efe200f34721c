"""Loop closure: whether the agent has been at its position before, with an excursion in between (paper, section 3.2).

The paper integrates velocities to a position; here it is the true position in the maze. A respawn therefore is a jump of the
position: a return to a place that was visited before a respawn closes a loop, and the jump itself can be the excursion. So loops
become ever more frequent in the course of an episode, and the time alone predicts much of them. Labels of a `trip` forget the
positions before a respawn: a loop is closed by walking only.
"""

from collections.abc import Mapping

import numba
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from auxiliary.loss import AuxiliaryLoss, HeadContext, Recorder, Sums, count, ratio
from env.tensors import TensorWorlds
from maze_gen.errors import InputError
from maze_gen.maze import CELL_UNITS

NEAR_CELLS = 1.0
"""η1 in cells: an earlier position within this distance closes a loop."""
FAR_CELLS = 2.0
"""η2 in cells: provided that some position in between was farther away than this."""
HIDDEN = 128


@numba.njit(cache=True)
def _label_rows(history, length, position, near, far, out):  # pragma: no cover - compiled
    """Labels `position` [N, 2] against `history` [N, L, 2] of which `length` [N] are filled, then appends it."""
    for row in range(position.shape[0]):
        x, y = position[row, 0], position[row, 1]
        label = 0
        excursion = False
        for t in range(length[row] - 1, -1, -1):
            dx, dy = history[row, t, 0] - x, history[row, t, 1] - y
            squared = dx * dx + dy * dy
            if not excursion:
                excursion = squared > far * far
            elif squared <= near * near:
                label = 1
                break
        out[row] = label
        history[row, length[row], 0] = x
        history[row, length[row], 1] = y
        length[row] += 1


class LoopClosureLabels:
    """Labels positions as they come, for N rows.

    The label of p(t) is 1 when there are s < u < t of the same episode with |p(s) − p(t)| ≤ η1 and |p(u) − p(t)| > η2. The search
    goes backwards from t: first for a position farther than η2, from there on for one within η1.
    """

    def __init__(self, num_envs: int, episode_steps: int) -> None:
        # One more than an episode's steps: its last observation is labelled too.
        self.history = np.zeros((num_envs, episode_steps + 1, 2), np.float32)
        self.length = np.zeros(num_envs, np.int64)

    def label(self, position: npt.NDArray[np.float32], starts: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
        """Positions [N, 2] in units, and where an episode starts [N] bool → labels [N] uint8."""
        out = np.empty(len(position), np.uint8)
        self.write(position, starts, out)
        return out

    def write(self, position: npt.NDArray, starts: npt.NDArray[np.bool_], out: npt.NDArray) -> None:
        """As `label`, into `out` [N]."""
        self.length[starts] = 0
        if self.length.max() == self.history.shape[1]:
            self.history = np.concatenate((self.history, np.zeros_like(self.history)), axis=1)
        _label_rows(self.history, self.length, position, NEAR_CELLS * CELL_UNITS, FAR_CELLS * CELL_UNITS, out)


class MaskedLabels:
    """The same labels from tensors on any device: all rows at once are compared with all steps that an episode can have.

    There is no data-dependent control flow and no synchronisation, so that it can be recorded as a CUDA graph.
    """

    def __init__(self, num_envs: int, episode_steps: int, device: torch.device | str = "cpu") -> None:
        L = episode_steps + 1
        self.x = torch.zeros(num_envs, L, device=device)
        self.y = torch.zeros(num_envs, L, device=device)
        self.length = torch.zeros(num_envs, 1, dtype=torch.int64, device=device)
        self.times = torch.arange(L, dtype=torch.int32, device=device)
        self.never = torch.full((), -1, dtype=torch.int32, device=device)

    def write(self, position: Tensor, starts: Tensor, out: Tensor) -> None:
        """Labels `position` [N, 2] float32, where `starts` [N] bool begin an episode, into `out` [N]; then appends it."""
        self.length.masked_fill_(starts.unsqueeze(1), 0)
        x, y = position.split(1, 1)
        squared = (self.x - x).square_() + (self.y - y).square_()
        units = CELL_UNITS * CELL_UNITS
        away = (squared > FAR_CELLS * FAR_CELLS * units) & (self.times < self.length)
        last_away = torch.where(away, self.times, self.never).amax(1, keepdim=True)
        closes = (squared <= NEAR_CELLS * NEAR_CELLS * units) & (self.times < last_away)
        out.copy_(closes.any(1))
        # In worlds that play longer than their specification says, the last entry is overwritten.
        place = self.length.clamp(max=len(self.times) - 1)
        self.x.scatter_(1, place, x)
        self.y.scatter_(1, place, y)
        self.length.add_(1)


def trip_starts(worlds: TensorWorlds, starts: Tensor) -> Tensor:
    """[N] bool, the rows whose episode begins with this observation, or that were put elsewhere in the step before it."""
    return starts | (worlds.statistics["respawns"] > 0)


class LoopClosureRecorder(Recorder):
    """Labels the true positions on the CPU, by compiled code that searches only as far back as needed."""

    shape = ()
    dtype = torch.uint8

    def __init__(self, num_envs: int, episode_steps: int, forgets: bool = False) -> None:
        self.labels = LoopClosureLabels(num_envs, episode_steps)
        self.forgets = forgets

    def record(self, worlds: TensorWorlds, starts: Tensor, out: Tensor) -> None:
        forgotten = trip_starts(worlds, starts) if self.forgets else starts
        self.labels.write(worlds.privileged["position"].numpy(), forgotten.numpy(), out.numpy())

    def state_dict(self) -> dict[str, Tensor]:
        labels = self.labels
        return {"history": torch.from_numpy(labels.history.copy()), "length": torch.from_numpy(labels.length.copy())}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        history, length = (state[name].numpy().copy() for name in ("history", "length"))
        rows = len(self.labels.length)
        # Compiled code indexes with the lengths, and checks nothing.
        fits = history.dtype == np.float32 and length.dtype == np.int64 and length.shape == (rows,)
        fits = fits and history.ndim == 3 and history.shape[::2] == (rows, 2) and history.shape[1] >= 1
        if not fits or (length < 0).any() or (length > history.shape[1]).any():
            raise InputError(f"history {list(history.shape)} and length {list(length.shape)} are not of {rows} rows")
        self.labels.history, self.labels.length = history, length


class MaskedLoopClosureRecorder(Recorder):
    """Labels the true positions on their device, without data-dependent control flow."""

    shape = ()
    dtype = torch.uint8

    def __init__(self, num_envs: int, episode_steps: int, device: torch.device | str, forgets: bool = False) -> None:
        self.labels = MaskedLabels(num_envs, episode_steps, device)
        self.forgets = forgets

    def record(self, worlds: TensorWorlds, starts: Tensor, out: Tensor) -> None:
        forgotten = trip_starts(worlds, starts) if self.forgets else starts
        self.labels.write(worlds.privileged["position"], forgotten, out)


class LoopClosureLoss(AuxiliaryLoss):
    """A hidden layer of 128, then two classes (section 3.2); cross-entropy."""

    reads = "core"

    def __init__(self, context: HeadContext) -> None:
        super().__init__()
        self.episode_steps = context.spec.episode_steps
        self.forgets = context.loop_closure_labels == "trip"
        self.hidden = nn.Linear(context.core_features, HIDDEN)
        self.output = nn.Linear(HIDDEN, 2)

    def recorder(self, num_envs: int, device: torch.device | str = "cpu", masked: bool = False) -> Recorder:
        if masked:
            return MaskedLoopClosureRecorder(num_envs, self.episode_steps, device, self.forgets)
        return LoopClosureRecorder(num_envs, self.episode_steps, self.forgets)

    def forward(self, features: Tensor) -> Tensor:
        """[M, F] → [M], the log-odds that a loop closes here."""
        logits = self.output(functional.relu(self.hidden(features)))
        return logits[:, 1] - logits[:, 0]

    def loss(self, features: Tensor, target: Tensor) -> tuple[Tensor, Sums]:
        odds = self(features).to(features.dtype)
        actual = target.to(odds.dtype)
        loss = functional.binary_cross_entropy_with_logits(odds, actual)
        with torch.no_grad():
            predicted = (odds > 0).to(odds.dtype)
            true_positives = (predicted * actual).sum()
        sums = {
            "true_positives": true_positives,
            "predicted": predicted.sum(),
            "actual": actual.sum(),
            "steps": count(len(target), target.device),
        }
        return loss, sums

    @staticmethod
    def metrics(sums: Mapping[str, float]) -> dict[str, float]:
        return {
            "precision": ratio(sums["true_positives"], sums["predicted"]),
            "recall": ratio(sums["true_positives"], sums["actual"]),
            "F1": ratio(2 * sums["true_positives"], sums["predicted"] + sums["actual"]),
            "loop rate": ratio(sums["actual"], sums["steps"]),
        }
