"""One training of the comparison: resumable, its CPU seconds counted, its progress in TensorBoard and JSON."""

import contextlib
import json
import math
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from agents.shaping import DeepNetwork, ShapingError
from experiments.classification.data import Pictures, as_input
from experiments.classification.methods import Method
from experiments.classification.optimizers import BURN_IN, KFAC_STEP, accuracy_of, burn_in, make_optimizer, schedule, train_step
from experiments.event_file import EventFile
from experiments.summaries import scalar
from maze_gen.config_io import from_json, parse_json
from maze_gen.errors import InputError
from maze_gen.files import write_whole

CHECKPOINT = "checkpoint.pt"
RESULT = "result.json"
SAVE_SECONDS = 30.0
HOPELESS = 2.5
"""A training is given up, once a quarter of its steps is done, where its mean loss is so many nats above that of guessing."""


@dataclass(frozen=True)
class Settings:
    """What all trainings of a comparison share.

    Attributes:
        steps: of each training.
        batch: pictures a step.
        evaluations: points of a curve.
        glimpse: test pictures of a point of the curve; the last point is of all of them.
    """

    steps: int = 120
    batch: int = 64
    evaluations: int = 12
    glimpse: int = 500


@dataclass(frozen=True)
class Job:
    """A training: a method at a learning rate, from a seed."""

    method: Method
    rate: float
    seed: int

    def folder(self, out: Path) -> Path:
        return out / self.method.key / f"rate-{self.rate:g}" / f"seed-{self.seed}"


@dataclass
class Result:
    """What a training came to.

    Attributes:
        steps, accuracy, seconds: the curve: test accuracy after so many steps, and the CPU seconds of training until then.
        final: accuracy on all test pictures at the end.
        parameters: of the network.
        diverged: whether it was given up.

    Raises:
        InputError: a curve whose columns aren't as long as each other.
    """

    steps: list[int]
    accuracy: list[float]
    seconds: list[float]
    final: float
    parameters: int
    diverged: bool

    def __post_init__(self) -> None:
        if not len(self.steps) == len(self.accuracy) == len(self.seconds):
            raise InputError(f"{len(self.steps)} steps, {len(self.accuracy)} accuracies: expected as many of each")


def read_result(folder: Path, settings: Settings) -> Result | None:
    """The result in a training's folder, or None where it isn't finished.

    Raises:
        InputError: it was trained with other settings.
    """
    path = folder / RESULT
    if not path.exists():
        return None
    try:
        found = parse_json(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not a text'}") from error
    if not isinstance(found, dict) or found.get("settings") != asdict(settings):
        known = found.get("settings") if isinstance(found, dict) else None
        raise InputError(f"{folder}: trained with {known}, asked for {asdict(settings)}; choose another --out")
    return from_json(Result, found.get("result"), f"{path}: its result")


def train(
    job: Job, pictures: Pictures, settings: Settings, folder: Path, stop: Callable[[], bool] = lambda: False
) -> Result | None:
    """Trains a job, or goes on with it, and writes its result; None where it was stopped, with its state saved.

    Raises:
        InputError: a network that can't be shaped.
    """
    done = read_result(folder, settings)
    if done is not None:
        return done
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(job, pictures, settings, folder)
    with run.board():
        if not run.go(stop):
            return None
    result = run.result()
    content = {"settings": asdict(settings), "job": asdict(job), "result": asdict(result)}
    write_whole(folder / RESULT, (json.dumps(content, indent=1) + "\n").encode())
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return result


class _Run:
    def __init__(self, job: Job, pictures: Pictures, settings: Settings, folder: Path) -> None:
        self.job, self.pictures, self.settings, self.folder = job, pictures, settings, folder
        self.scale = pictures.scale()
        self.network = make_network(job.method, pictures, job.seed)
        self.optimizer = make_optimizer(job.method.optimizer, self.network, job.rate)
        self.step, self.seconds = 0, 0.0
        self.curve: list[tuple[int, float, float]] = []
        self.losses: list[float] = []
        self.diverged = False
        self.curves: EventFile | None = None
        self._read()

    def _read(self) -> None:
        path = self.folder / CHECKPOINT
        if path.exists():
            try:
                with warnings.catch_warnings():
                    # Of what isn't a checkpoint, torch says so in several ways.
                    warnings.simplefilter("ignore")
                    state = torch.load(path, weights_only=True)
                begun = state["settings"]
            except Exception as error:
                raise InputError(f"{path}: damaged; remove it, and the same command begins this training anew") from error
            if begun != asdict(self.settings):
                raise InputError(f"{self.folder}: begun with {begun}; choose another --out")
            try:
                self.network.load_state_dict(state["network"])
                self.optimizer.load_state_dict(state["optimizer"])
                self.step, self.seconds, self.losses = state["step"], state["seconds"], state["losses"]
                self.curve = [tuple(point) for point in state["curve"]]
            except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
                raise InputError(f"{path}: of another network; remove it, and the same command begins anew") from error

    def save(self) -> None:
        state = {
            "network": self.network.state_dict(), "optimizer": self.optimizer.state_dict(), "step": self.step,
            "seconds": self.seconds, "losses": self.losses, "curve": self.curve, "settings": asdict(self.settings),
        }  # fmt: skip
        temporary = self.folder / f".{CHECKPOINT}"
        torch.save(state, temporary)
        temporary.replace(self.folder / CHECKPOINT)

    @contextlib.contextmanager
    def board(self) -> Iterator[None]:
        self.curves = EventFile(self.folder, purge_step=self.step)
        try:
            yield
        finally:
            self.curves.close()

    def _point(self, tag: str, value: float) -> None:
        if self.curves is not None and math.isfinite(value):
            self.curves.add(scalar(tag, value, tag.partition("/")[2], ""), self.step)

    def go(self, stop: Callable[[], bool]) -> bool:
        settings = self.settings
        if self.step == 0:
            self._begin()
        saved = time.monotonic()
        marks = {round(settings.steps * (i + 1) / settings.evaluations) for i in range(settings.evaluations)}
        while self.step < settings.steps:
            if stop():
                self.save()
                return False
            self._step()
            if self.step in marks:
                self._evaluate()
            if self._hopeless():
                self.diverged = True
                break
            if time.monotonic() - saved > SAVE_SECONDS:
                self.save()
                saved = time.monotonic()
        return True

    def _begin(self) -> None:
        begin = time.process_time()
        if self.job.method.optimizer == "kfac":
            for i in range(BURN_IN):
                images, _ = self.pictures.batch(self.job.seed + 1000, i, self.settings.batch)
                burn_in(self.network, self.optimizer, as_input(images, self.scale), self.pictures.classes)
        self.seconds += time.process_time() - begin

    def _step(self) -> None:
        begin = time.process_time()
        share = schedule(self.step, self.settings.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = self.job.rate * share
            if "norm_constraint" in group:
                group["norm_constraint"] = (KFAC_STEP * self.job.rate * share) ** 2
        images, labels = self.pictures.batch(self.job.seed, self.step, self.settings.batch)
        inputs, targets = as_input(images, self.scale), torch.from_numpy(labels)
        try:
            loss, accuracy = train_step(self.network, self.optimizer, inputs, targets, self.pictures.classes)
        except RuntimeError as error:
            # What K-FAC's factors make of parameters that aren't finite.
            if "linalg" not in str(error):
                raise
            loss, accuracy = math.inf, 0.0
        self.step += 1
        self.seconds += time.process_time() - begin
        self.losses.append(loss)
        for name, value in (("training/loss", loss), ("training/accuracy", accuracy)):
            self._point(name, value)

    def _hopeless(self) -> bool:
        if not math.isfinite(self.losses[-1]):
            return True
        if self.step < self.settings.steps // 4:
            return False
        return float(np.mean(self.losses[-10:])) > math.log(self.pictures.classes) + HOPELESS

    def _evaluate(self) -> None:
        found = evaluate(self.network, self.pictures, self.scale, self.settings.glimpse)
        self.curve.append((self.step, found, self.seconds))
        self._point("test/accuracy", found)
        self._point("test/cpu_seconds", self.seconds)

    def result(self) -> Result:
        final = 0.0 if self.diverged else evaluate(self.network, self.pictures, self.scale)
        steps, accuracy, seconds = (list(column) for column in zip(*self.curve, strict=True)) if self.curve else ([], [], [])
        parameters = sum(p.numel() for p in self.network.parameters())
        return Result(steps, accuracy, seconds, final, parameters, self.diverged)


def make_network(method: Method, pictures: Pictures, seed: int) -> DeepNetwork:
    """The network of a method for the pictures, channels last in memory.

    Raises:
        InputError: it can't be shaped.
    """
    config = method.network(pictures.train.shape[-1], pictures.outputs)
    try:
        network = DeepNetwork(config, torch.Generator().manual_seed(seed))
    except ShapingError as error:
        raise InputError(f"{method.title}: {error}") from error
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@torch.no_grad()
def evaluate(network: nn.Module, pictures: Pictures, scale: tuple[float, float], count: int | None = None) -> float:
    """Accuracy on the first `count` test pictures, or on all, with the running statistics of normalisation layers."""
    network.eval()
    images, labels = pictures.test[:count], torch.from_numpy(pictures.test_labels[:count])
    right = 0.0
    for start in range(0, len(images), 200):
        part = labels[start : start + 200]
        logits = network(as_input(images[start : start + 200], scale))
        right += accuracy_of(logits, part, pictures.classes) * len(part) if bool(logits.isfinite().all()) else 0.0
    network.train()
    return right / len(images)
