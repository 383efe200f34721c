"""What a training reports while it runs: the line on the screen, TensorBoard, and `progress.jsonl` for learning curves."""

import dataclasses
import json
import math
import sys
import time
import warnings
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from agents.learning.learner import Metrics
from agents.runtime.worker import Report
from agents.trainer import Callback, Progress, Trainer
from experiments.board import TrainingBoard
from experiments.event_file import append_whole
from experiments.tags import EPISODES
from maze_gen.config_io import History, from_json
from maze_gen.console import say
from maze_gen.errors import InputError, Note
from maze_gen.files import write_whole

WRITE_SECONDS = 5.0
"""Between two entries in TensorBoard and `progress.jsonl`."""


@dataclass(frozen=True)
class _Kept:
    """What a resumed training's log goes on with."""

    returns: list[float]
    statistics: list[dict[str, int]]
    episodes: int
    latest: dict[str, float | None]

    def __post_init__(self) -> None:
        if len(self.returns) != len(self.statistics):
            raise InputError(f"{len(self.returns)} returns and {len(self.statistics)} rows of statistics, expected as many")


_HISTORY = History(added={"returns": [], "statistics": [], "episodes": 0, "latest": {}})


class RunLog(Callback):
    """Adds up the workers' reports and writes them out."""

    def __init__(self, folder: Path, frames: int) -> None:
        """Opens the log of a run.

        Args:
            folder: of the run; entries past `frames` that an earlier session left there are dropped.
            frames: that the training has seen already.
        """
        self.board = TrainingBoard(folder, frames)
        self.progress_file = folder / "progress.jsonl"
        _drop_later(self.progress_file, frames)
        self.returns: deque[float] = deque(maxlen=EPISODES)
        self.statistics: deque[dict[str, int]] = deque(maxlen=EPISODES)
        self.episodes = 0
        self.latest: dict[str, float | None] = {}
        self.most_memory = 0
        self._memory: dict[int, int] = {}
        self._metrics = Metrics()
        self._acting = self._learning = 0.0
        self._written = time.monotonic()
        self._failed = -math.inf
        self._written_frames = frames
        self._shown = 0.0
        self._rate = 0.0

    def state(self) -> dict[str, Any]:
        return {
            "returns": list(self.returns),
            "statistics": list(self.statistics),
            "episodes": self.episodes,
            "latest": self.latest,
        }

    def restore(self, state: dict[str, Any]) -> None:
        own = {item.name for item in dataclasses.fields(_Kept)}
        kept = from_json(_Kept, {name: value for name, value in state.items() if name in own}, "the checkpoint's log", _HISTORY)
        self.returns.extend(kept.returns)
        self.statistics.extend(kept.statistics)
        self.episodes, self.latest = kept.episodes, kept.latest

    @property
    def mean_return(self) -> float | None:
        return sum(self.returns) / len(self.returns) if self.returns else None

    def start(self, trainer: Trainer) -> None:
        self.board.describe(trainer.training, time.time(), trainer.progress.frames)

    def report(self, trainer: Trainer, report: Report) -> None:
        for episode in report.episodes:
            self.returns.append(episode.episode_return)
            self.statistics.append(episode.statistics)
        self.episodes += len(report.episodes)
        self._metrics.add(report.metrics)
        self._acting += report.acting_seconds
        self._learning += report.learning_seconds
        self._memory[report.worker] = report.memory_bytes

    def tick(self, trainer: Trainer) -> None:
        if time.monotonic() - max(self._written, self._failed) >= WRITE_SECONDS:
            self._write_if_possible(trainer)
        self.show(trainer.progress)

    def finish(self, trainer: Trainer) -> None:
        self._write_if_possible(trainer)
        self.show(trainer.progress, last=True)

    def _write_if_possible(self, trainer: Trainer) -> None:
        """As `write`; what can't be written is reported once, and is part of the next entry."""
        try:
            self.write(trainer)
            self._failed = -math.inf
        except OSError as error:
            if self._failed < 0:
                where = f"cannot write {error.filename or self.progress_file}: {error.strerror or error}"
                warnings.warn(f"{where}; the next entry of the curves will try again", Note, stacklevel=2)
            self._failed = time.monotonic()

    def write(self, trainer: Trainer) -> None:
        """Writes what came since the last time.

        Raises:
            OSError: the disk is full, or the folder can't be written.
        """
        progress, now = trainer.progress, time.monotonic()
        if progress.frames == self._written_frames:
            return
        memory = psutil.Process().memory_info().rss + sum(self._memory.values())
        self.most_memory = max(self.most_memory, memory)
        entry = self._episode_entry()
        if now - self._written >= WRITE_SECONDS:
            # A shorter while, at a run's end, holds too few rollouts to tell the rate.
            self._rate = (progress.frames - self._written_frames) / (now - self._written)
            entry["speed/frames_per_second"] = self._rate
        busy = self._acting + self._learning
        if busy:
            entry["speed/acting_fraction"] = self._acting / busy
        entry["speed/memory_mb"] = memory / 1e6
        entry |= trainer.figures()
        for name, value in self._metrics.means.items():
            entry[f"loss/{name}"] = value / max(self._metrics.gradients, 1)
        for loss, sums in self._metrics.sums.items():
            for name, value in trainer.model.auxiliary[loss].metrics(sums).items():
                entry[f"auxiliary/{loss} {name}"] = value
        self.board.write(entry, progress.frames)
        numbers = {name: value if math.isfinite(value) else None for name, value in entry.items()}
        line = {"frames": progress.frames, "seconds": round(progress.seconds, 2), "episodes": self.episodes, **numbers}
        self.progress_file.parent.mkdir(parents=True, exist_ok=True)
        with self.progress_file.open("ab", buffering=0) as file:
            append_whole(file, (json.dumps(line, allow_nan=False) + "\n").encode())
        self.latest |= numbers
        self._metrics = Metrics()
        self._acting = self._learning = 0.0
        self._written, self._written_frames = now, progress.frames

    def _episode_entry(self) -> dict[str, float]:
        if not self.returns:
            return {}
        names = self.statistics[-1]
        means = {f"episode/{name}": sum(row.get(name, 0) for row in self.statistics) / len(self.statistics) for name in names}
        return {"episode/return": sum(self.returns) / len(self.returns), **means}

    def show(self, progress: Progress, last: bool = False) -> None:
        """The progress line: in place on a terminal, else a line every ten seconds."""
        now = time.monotonic()
        terminal = not sys.stdout.closed and sys.stdout.isatty()
        if not last and now - self._shown < (0.5 if terminal else 10.0):
            return
        self._shown = now
        rate = self._rate or (progress.frames - progress.first_frames) / max(progress.session_seconds, 1e-9)
        mean, seconds_left = self.mean_return, progress.seconds_left
        left = "" if seconds_left is None or last else f" | {clock(seconds_left)} left"
        score = "no episode yet" if mean is None else f"return {mean:.1f}"
        line = f"{progress.frames / 1e6:7.3f} M frames | {rate:8,.0f} frames/s | {score}{left}"
        say(f"\r\x1b[K{line}" if terminal else line, end="\n" if last or not terminal else "")

    def close(self) -> None:
        self.board.close()

    def summary(self, progress: Progress) -> dict[str, Any]:
        """What `summary.json` says about the training."""
        rate = (progress.frames - progress.first_frames) / max(progress.session_seconds, 1e-9)
        goals = [row["goals"] for row in self.statistics if "goals" in row]
        return {
            "frames": progress.frames,
            "seconds": round(progress.seconds, 2),
            "frames_per_second": round(rate, 1),
            "episodes": self.episodes,
            "mean_return": self.mean_return,
            "goals_per_episode": sum(goals) / len(goals) if goals else None,
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
    # Of a machine that lost its power, the last block of a file may hold anything.
    lines = progress.read_text(encoding="utf-8", errors="replace").splitlines()
    kept = [line for line in lines if _frames_of(line) <= frames]
    if kept != lines:
        write_whole(progress, "".join(line + "\n" for line in kept).encode())


def _frames_of(line: str) -> float:
    try:
        frames = json.loads(line)["frames"]
        return frames if isinstance(frames, int | float) else float("inf")
    except (ValueError, KeyError, TypeError, RecursionError):
        # Half a line, of a session that was killed while it wrote.
        return float("inf")
