"""Labelled pictures: frames of mazes that a random policy sees, or a folder of IDX files."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from auxiliary.depth import classes_of_distance
from env.backends import make_batch
from env.batch import Arrays, BatchEnv
from env.registry import make_task
from env.task import Task
from experiments.classification.idx import read_idx_folder
from maze_gen.errors import InputError

Question: TypeAlias = Literal["place", "heading", "depth"]

SIZE = 42
HEADINGS = 4
SPAN = 120
"""Agent steps of an episode that frames are taken from: at an episode's start poses are others than later."""
TRAIN_SAMPLES, TEST_SAMPLES = 40, 10
"""Frames of an episode, evenly spread. Of few episodes, or of steps that follow each other, they are nearly the same: a network
then knows the training frames of a single pass better than any others."""
DEPTH_CLASSES = 8
SEEDS = {"train": 1, "test": 2}


@dataclass(frozen=True)
class Pictures:
    """Pictures with their labels.

    Attributes:
        name: what they are of, for a table's title.
        train, test: [M, H, W, C] uint8.
        train_labels, test_labels: [M] int64, or [M, P] where every picture has P labels.
        classes: how many labels there are.
    """

    name: str
    train: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.int64]
    test: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.int64]
    classes: int

    @property
    def outputs(self) -> int:
        """Logits of a picture: classes times the labels that it has."""
        return self.classes * math.prod(self.train_labels.shape[1:])

    @property
    def chance(self) -> float:
        """Accuracy of always naming the commonest training label of each position."""
        labels = self.train_labels.reshape(len(self.train_labels), -1)
        common = [np.bincount(column, minlength=self.classes).argmax() for column in labels.T]
        return float((self.test_labels.reshape(len(self.test_labels), -1) == common).mean())

    @property
    def digest(self) -> str:
        """Of all pictures and labels, hexadecimal."""
        found = hashlib.blake2b(digest_size=16)
        for part in (self.train, self.train_labels, self.test, self.test_labels):
            found.update(f"{part.dtype} {part.shape}".encode())
            found.update(np.ascontiguousarray(part).data)
        return found.hexdigest()

    def scale(self) -> tuple[float, float]:
        """What is taken off pixels, and what they are multiplied with: mean 0 and spread 1 over all training pixels."""
        sample = self.train[:: max(1, len(self.train) // 2000)].astype(np.float64)
        return float(sample.mean()), float(1 / max(sample.std(), 1e-6))

    def batch(self, seed: int, step: int, size: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """Training pictures of a step, a function of its arguments alone; every pass over the pictures has its own order."""
        steps = len(self.train) // size
        order = np.random.default_rng([seed, step // steps]).permutation(len(self.train))
        chosen = order[step % steps * size :][:size]
        return self.train[chosen], self.train_labels[chosen]


def as_input(images: npt.NDArray[np.uint8], scale: tuple[float, float]) -> Tensor:
    """[N, H, W, C] uint8 → [N, C, H, W] float32, channels last in memory."""
    return (torch.from_numpy(images).float() - scale[0]).mul_(scale[1]).permute(0, 3, 1, 2)


def frame_bytes() -> int:
    """Of a frame of `maze_frames`."""
    return 3 * SIZE * SIZE


def maze_frames(question: Question, task: str, train: int, test: int) -> Pictures:
    """Frames of a random policy, 42 x 42.

    `place` asks for cell and heading (four quadrants) in the task's own maze, `heading` for the quadrant alone; their test frames
    are of other episodes. `depth` asks for the classes of 4 x 16 distances, and its test frames are of held-out mazes.

    Args:
        task: of the registry; `depth` plays its training mazes.
        train, test: how many frames.

    Raises:
        InputError: an unknown task, `place` in a task of many mazes, or too few frames.
    """
    if train < 1 or test < 1:
        raise InputError(f"{train} training and {test} test frames: expected at least 1 of each")
    heldout = question == "depth"
    training = make_task(task, split="train" if heldout else None, observation_size=SIZE)
    first, *others = training.mazes
    if question == "place" and others:
        raise InputError(f"--task {task} has {len(training.mazes)} mazes: the cell of a frame can be named in a single one")
    testing = make_task(task, split="heldout", observation_size=SIZE) if heldout else training
    shown, asked = _frames(training, question, train, SEEDS["train"], TRAIN_SAMPLES)
    test_shown, test_asked = _frames(testing, question, test, SEEDS["test"], TEST_SAMPLES)
    # The first ones are looked at more often.
    order = np.random.default_rng(SEEDS["test"]).permutation(test)
    test_shown, test_asked = test_shown[order], test_asked[order]
    cells = first.rows * first.cols
    classes = {"place": cells * HEADINGS, "heading": HEADINGS, "depth": DEPTH_CLASSES}[question]
    where = f"training mazes of {task}, tested in held-out ones" if heldout else f"{task}, tested in other episodes"
    return Pictures(f"{question} from a frame of {where}", shown, asked, test_shown, test_asked, classes)


def _frames(
    task: Task, question: Question, count: int, seed: int, samples: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """That many frames and labels, `samples` of each episode of random actions, in the order in which they are seen."""
    rng = np.random.default_rng(seed)
    images: list[npt.NDArray[np.uint8]] = []
    labels: list[npt.NDArray[np.int64]] = []
    rows = math.ceil(count / samples)
    spacing = SPAN // samples
    observe = {"rgb", "depth_target"} if question == "depth" else {"rgb"}
    with make_batch(task, rows, observe=observe) as worlds:
        seen = worlds.reset(seed)
        for step in range(SPAN):
            if step % spacing != spacing // 4:
                seen = _random_step(worlds, rng)
                continue
            images.append(seen["rgb"].copy())
            heading = (np.asarray(worlds.privileged["heading"]) + 45).astype(np.int64) // 90 % HEADINGS
            if question == "depth":
                label = classes_of_distance(seen["depth_target"]).reshape(rows, -1).astype(np.int64)
            else:
                label = heading if question == "heading" else np.asarray(worlds.privileged["cell"], np.int64) * HEADINGS + heading
            labels.append(label.astype(np.int64))
            seen = _random_step(worlds, rng)
    return np.concatenate(images)[:count], np.concatenate(labels)[:count].astype(np.int64)


def _random_step(worlds: BatchEnv, rng: np.random.Generator) -> Arrays:
    """A step of random actions; episodes start anew where they end."""
    seen = worlds.step(rng.integers(8, size=worlds.num_envs))
    ended = worlds.outcome.truncated
    return worlds.reset_rows(ended) if ended.any() else seen


def idx_pictures(folder: Path) -> Pictures:
    """A folder of IDX files, as MNIST and Fashion-MNIST come.

    Raises:
        InputError: a file that is missing or isn't what its name says.
    """
    train, train_labels, test, test_labels = read_idx_folder(folder)
    classes = int(max(train_labels.max(), test_labels.max())) + 1
    return Pictures(f"the images of {folder.name}", train, train_labels, test, test_labels, classes)
