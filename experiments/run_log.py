"""What a training says while it runs: the line on the screen, TensorBoard, and `progress.jsonl` for learning curves."""

import json
import sys
import time
import warnings
from collections import deque
from pathlib import Path
from typing import Any

import psutil

from agents.learning.learner import Figures
from agents.model import AgentModel
from agents.runtime.worker import Report

EPISODES = 100
"""Episodes that a mean return is of."""
WRITE_SECONDS = 5.0
"""Between two entries in TensorBoard and `progress.jsonl`."""


class RunLog:
    """Adds up the workers' reports and writes them out.

    Args:
        folder: of the run; entries past `frames` that an earlier session left there are dropped.
        frames: that the training has seen already.
        seconds: that it has trained already.
    """

    def __init__(self, folder: Path, model: AgentModel, frames: int, seconds: float) -> None:
        with warnings.catch_warnings():
            # TensorBoard's own imports warn; nothing here can mend that.
            warnings.simplefilter("ignore")
            from torch.utils.tensorboard import SummaryWriter

        self.board = SummaryWriter(str(folder), purge_step=frames if frames else None)
        self.progress = folder / "progress.jsonl"
        _drop_later(self.progress, frames)
        self.metrics_of = {name: loss.metrics for name, loss in model.auxiliary.items()}
        self.frames = frames
        self.earlier_seconds = seconds
        self.begin = time.monotonic()
        self.first_frames = frames
        self.returns: deque[float] = deque(maxlen=EPISODES)
        self.goals: deque[int] = deque(maxlen=EPISODES)
        self.episodes = 0
        self.latest: dict[str, float] = {}
        self.most_memory = 0
        self._memory: dict[int, int] = {}
        self._figures = Figures()
        self._acting = self._learning = 0.0
        self._written = self.begin
        self._written_frames = frames
        self._shown = 0.0
        self._rate = 0.0

    @property
    def session_seconds(self) -> float:
        return time.monotonic() - self.begin

    @property
    def seconds(self) -> float:
        """That the training has taken, over all sessions."""
        return self.earlier_seconds + self.session_seconds

    @property
    def mean_return(self) -> float | None:
        return sum(self.returns) / len(self.returns) if self.returns else None

    def add(self, report: Report, action_repeat: int) -> None:
        """Takes a worker's report in."""
        self.frames += report.steps * action_repeat
        for episode in report.finished:
            self.returns.append(episode.episode_return)
            self.goals.append(episode.goals)
        self.episodes += len(report.finished)
        self._figures.add(report.figures)
        self._acting += report.acting_seconds
        self._learning += report.learning_seconds
        self._memory[report.worker] = report.memory_bytes

    def write_if_due(self) -> None:
        if time.monotonic() - self._written >= WRITE_SECONDS:
            self.write()

    def write(self) -> None:
        """Writes what came since the last time."""
        now = time.monotonic()
        if self.frames == self._written_frames:
            return
        own = psutil.Process().memory_info().rss
        memory = own + sum(size for size in self._memory.values())
        self.most_memory = max(self.most_memory, memory)
        entry: dict[str, float] = {"speed/memory in MB": memory / 1e6}
        if now - self._written >= WRITE_SECONDS:
            # A shorter while, at a run's end, holds too few chunks to tell the rate.
            self._rate = (self.frames - self._written_frames) / (now - self._written)
            entry["speed/frames per second"] = self._rate
        busy = self._acting + self._learning
        if busy:
            entry["speed/share of time acting"] = self._acting / busy
        if self.returns:
            entry["episode/return"] = sum(self.returns) / len(self.returns)
            entry["episode/goals"] = sum(self.goals) / len(self.goals)
        for name, value in self._figures.means.items():
            entry[f"loss/{name}"] = value / max(self._figures.gradients, 1)
        for loss, sums in self._figures.sums.items():
            for name, value in self.metrics_of[loss](sums).items():
                entry[f"auxiliary/{loss} {name}"] = value
        for name, value in entry.items():
            self.board.add_scalar(name, value, self.frames)
        self.board.flush()
        line = {"frames": self.frames, "seconds": round(self.seconds, 2), "episodes": self.episodes, **entry}
        with self.progress.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self.latest |= entry
        self._figures = Figures()
        self._acting = self._learning = 0.0
        self._written, self._written_frames = now, self.frames

    def show(self, seconds_left: float | None, last: bool = False) -> None:
        """The progress line: in place on a terminal, else a line every ten seconds."""
        now = time.monotonic()
        terminal = sys.stdout.isatty()
        if not last and now - self._shown < (0.5 if terminal else 10.0):
            return
        self._shown = now
        rate = self._rate or (self.frames - self.first_frames) / max(self.session_seconds, 1e-9)
        mean = self.mean_return
        left = "" if seconds_left is None else f" | {clock(seconds_left)} left"
        said = "no episode yet" if mean is None else f"return {mean:.1f}"
        line = f"{self.frames / 1e6:7.3f} M frames | {rate:8,.0f} frames/s | {said}{left}"
        print(f"\r\x1b[K{line}" if terminal else line, end="\n" if last or not terminal else "", flush=True)

    def close(self) -> None:
        self.board.close()

    def summary(self) -> dict[str, Any]:
        """What `summary.json` says about the training."""
        return {
            "frames": self.frames,
            "seconds": round(self.seconds, 2),
            "frames_per_second": round((self.frames - self.first_frames) / max(self.session_seconds, 1e-9), 1),
            "episodes": self.episodes,
            "mean_return": self.mean_return,
            "goals_per_episode": sum(self.goals) / len(self.goals) if self.goals else None,
            "most_memory_mb": round(self.most_memory / 1e6, 1),
            "latest": self.latest,
        }


def clock(seconds: float) -> str:
    """Minutes and seconds, as 3:07."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def _drop_later(progress: Path, frames: int) -> None:
    """Keeps the lines of `progress` up to `frames`, so that a resumed training's curve goes on without a fold."""
    if not progress.exists():
        return
    kept = [line for line in progress.read_text(encoding="utf-8").splitlines() if _frames_of(line) <= frames]
    progress.write_text("".join(line + "\n" for line in kept), encoding="utf-8")


def _frames_of(line: str) -> float:
    try:
        return json.loads(line)["frames"]
    except (json.JSONDecodeError, KeyError, TypeError):
        # Half a line, of a session that was killed while it wrote.
        return float("inf")
