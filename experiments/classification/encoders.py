"""`python -m experiments.classification.encoders`: what an agent's encoders learn from a frame, and what they cost.

Each encoder with a linear head learns the 64 depth classes of a frame (the target of the auxiliary loss D1) in training mazes,
and is tested in held-out ones; Adam, every rate of one grid.
"""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from agents.config import MOST_COUNT, agent_config, check_range
from agents.networks.encoders import make_encoder
from agents.networks.inputs import Perception
from env.memory import check_memory
from env.registry import make_task
from experiments.classification.data import SIZE, Pictures, frame_bytes, maze_frames
from experiments.classification.optimizers import accuracy_of, loss_of
from experiments.options import ProgressLine, check_folder, command, write_file
from maze_gen.console import say
from maze_gen.errors import InputError

POINTS = (40, 100, 200, 400)
RATES = (0.001, 0.003, 0.01)
GLIMPSE = 500


@dataclass(frozen=True)
class EncoderOptions:
    """Compares encoders of agents on the depth of frames, at equal frames and at equal CPU seconds.

    Attributes:
        encoders: names of the table of encoders.
        seconds: CPU seconds of each training, on one thread.
        batch: frames a step.
        frames: to train on.
        test_frames: of held-out mazes, to test on.
        task: whose mazes.
        out: the folder of `encoders.md` and `encoders.json`.
    """

    encoders: tuple[str, ...] = ("convolutional", "deep")
    seconds: float = 10.0
    batch: int = 128
    frames: int = 60_000
    test_frames: int = 2_000
    task: str = "procedural-small"
    out: Path = Path("runs/encoders")


@dataclass
class Learned:
    """A training.

    Attributes:
        points: accuracy after each of `POINTS` steps that it came to.
        final: accuracy on all test frames at the end, after `steps` steps and `seconds` CPU seconds.
    """

    encoder: str
    rate: float
    points: dict[int, float]
    final: float
    steps: int
    seconds: float


class Model(nn.Module):
    """An encoder and a linear head, [M, H, W, C] uint8 → logits."""

    def __init__(self, encoder: str, outputs: int) -> None:
        super().__init__()
        task = make_task("static-small", observation_size=SIZE)
        self.encoder = make_encoder(encoder, Perception(agent_config("ff"), task.spec()))
        self.head = nn.Linear(self.encoder.features, outputs)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(images))


def learn(encoder: str, rate: float, pictures: Pictures, options: EncoderOptions) -> Learned:
    """Trains until the CPU seconds are spent; evaluations don't count."""
    torch.manual_seed(0)
    model = Model(encoder, pictures.outputs)
    optimizer = torch.optim.Adam(model.parameters(), rate)
    learned = Learned(encoder, rate, {}, 0.0, 0, 0.0)
    while learned.seconds < options.seconds:
        begin = time.process_time()
        images, labels = pictures.batch(0, learned.steps, options.batch)
        loss = loss_of(model(torch.from_numpy(images)), torch.from_numpy(labels), pictures.classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        learned.steps += 1
        learned.seconds += time.process_time() - begin
        if learned.steps in POINTS:
            learned.points[learned.steps] = accuracy(model, pictures, GLIMPSE)
    learned.final = accuracy(model, pictures)
    return learned


@torch.no_grad()
def accuracy(model: nn.Module, pictures: Pictures, count: int | None = None) -> float:
    """Share of the labels of test frames that are named rightly."""
    found = []
    for start in range(0, len(pictures.test[:count]), 500):
        labels = torch.from_numpy(pictures.test_labels[:count][start : start + 500])
        logits = model(torch.from_numpy(pictures.test[:count][start : start + 500]))
        found.append((accuracy_of(logits, labels, pictures.classes), len(labels)))
    return float(np.average([a for a, _ in found], weights=[n for _, n in found]))


def table(trainings: list[Learned], pictures: Pictures, options: EncoderOptions) -> str:
    """One line a training, the best one of each encoder in bold."""
    best = {name: max((t for t in trainings if t.encoder == name), key=lambda t: t.final) for name in options.encoders}
    lines = [
        f"Depth classes of frames of held-out mazes of {options.task}; naming each ray's commonest class: {pictures.chance:.3f}.",
        "",
        f"| encoder | rate | accuracy after {', '.join(map(str, POINTS))} steps | at the end | steps | CPU s | CPU ms a step |",
        "|---|---:|---|---:|---:|---:|---:|",
    ]
    for t in trainings:
        points = " / ".join(f"{t.points[p]:.3f}" if p in t.points else "–" for p in POINTS)
        final = f"**{t.final:.3f}**" if t is best[t.encoder] else f"{t.final:.3f}"
        cost = 1000 * t.seconds / t.steps
        lines.append(f"| {t.encoder} | {t.rate:g} | {points} | {final} | {t.steps} | {t.seconds:.1f} | {cost:.1f} |")
    return "\n".join(lines) + "\n"


def compare(options: EncoderOptions) -> int:
    """The command's body.

    Raises:
        InputError: an unknown encoder, no time, or data that can't be had.
    """
    check_range("--seconds", options.seconds, 0, 1e6, above=True)
    for name in ("batch", "frames", "test_frames"):
        check_range(f"--{name.replace('_', '-')}", getattr(options, name), 1, MOST_COUNT, whole=True)
    if not options.encoders:
        raise InputError("--encoders: expected at least one")
    if options.batch > options.frames:
        raise InputError(f"--batch {options.batch}: there are {options.frames} training frames")
    check_memory(f"--frames {options.frames}", (options.frames + options.test_frames) * frame_bytes())
    check_folder(options.out)
    torch.set_num_threads(1)
    pictures = maze_frames("depth", options.task, options.frames, options.test_frames)
    trainings = []
    with ProgressLine() as tell:
        for encoder in options.encoders:
            for rate in RATES:
                tell(f"{encoder} at {rate:g}")
                trainings.append(learn(encoder, rate, pictures, options))
    said = table(trainings, pictures, options)
    write_file(options.out / "encoders.md", said)
    write_file(options.out / "encoders.json", json.dumps([vars(t) for t in trainings], indent=1) + "\n")
    say(said)
    return 0


main = command(EncoderOptions, compare)

if __name__ == "__main__":
    sys.exit(main())
