"""Trains the classifier of digits that judges paintings, from a fixed seed, in under a minute of one core.

    python -m experiments.painting.classifier_training --out classifier.npz

It learns from the training split of `digits`, each picture turned, sheared, shifted, scaled, and drawn with a thinner or a
thicker pen at random: a painter's strokes are of other widths than a scan's, and that alone is not to count as another class.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from env.painting.pictures import load_pictures
from experiments.options import check_writable, command
from experiments.painting.classifier import FEATURES, SIDE, DigitNetwork, ink_of
from maze_gen.console import say
from maze_gen.errors import InputError

PASSES, BATCH, LEARNING_RATE, WEIGHT_DECAY = 150, 64, 3e-3, 1e-2
SEED = 1
TURN, SHEAR, SHIFT, SCALE = 0.25, 0.2, 0.1, 0.15
"""Largest changes of a picture: radians, fractions, halves of its side, and a fraction."""


@dataclass(frozen=True)
class ClassifierOptions:
    """Trains the classifier of digits.

    Attributes:
        out: where to write its weights, an .npz file.
    """

    out: Path | None = None


def run(options: ClassifierOptions) -> None:
    """Trains, prints how many held-out pictures are read right, and writes the weights."""
    if options.out is None or options.out.suffix != ".npz":
        raise InputError(f"--out {options.out}: expected a name that ends in .npz")
    check_writable(options.out)
    network = trained()
    right = {split: f"{100 * accuracy(network, split):.1f} %" for split in ("train", "heldout")}
    say(f"read right: {right['train']} of the training pictures, {right['heldout']} of the held-out ones")
    weights = {name: value.numpy().astype(np.float16) for name, value in network.state_dict().items()}
    np.savez_compressed(options.out, allow_pickle=False, scale=np.float32(feature_scale(network)), **weights)
    say(f"weights: {options.out}")


def trained(passes: int = PASSES) -> DigitNetwork:
    """A network that has seen the training split `passes` times."""
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        network, pictures = DigitNetwork(), load_pictures("digits", "train", SIDE, False)
        ink, labels = ink_of(pictures.images), torch.tensor(pictures.labels, dtype=torch.int64)
        optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        batches = -(-len(ink) // BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, passes * batches)
        for _ in range(passes):
            for rows in torch.randperm(len(ink)).split(BATCH):
                logits = network(changed(ink[rows]))[1]
                optimiser.zero_grad()
                functional.cross_entropy(logits, labels[rows]).backward()
                optimiser.step()
                schedule.step()
    return network.eval()


def changed(ink: Tensor) -> Tensor:
    """Ink [N, 1, SIDE, SIDE], each picture as another hand would have written it, with another pen."""
    uniform = lambda most: (2 * torch.rand(len(ink)) - 1) * most  # noqa: E731
    turn, shear, scale = uniform(TURN), uniform(SHEAR), 1 + uniform(SCALE)
    rows = torch.stack(
        (
            torch.stack((turn.cos() * scale, -turn.sin() + shear, uniform(SHIFT)), 1),
            torch.stack((turn.sin(), turn.cos() * scale, uniform(SHIFT)), 1),
        ),
        1,
    )
    moved = functional.grid_sample(ink, functional.affine_grid(rows, list(ink.shape), align_corners=False), align_corners=False)
    thick, thin = functional.max_pool2d(moved, 3, 1, 1), -functional.max_pool2d(-moved, 3, 1, 1)
    pen = uniform(1.0).view(-1, 1, 1, 1)
    return torch.where(pen > 0, torch.lerp(moved, thick, pen.clamp(min=0)), torch.lerp(moved, thin, -0.7 * pen.clamp(max=0)))


def accuracy(network: DigitNetwork, split: str) -> float:
    """Share of the pictures of a split that are read right."""
    pictures = load_pictures("digits", "heldout" if split == "heldout" else "train", SIDE, False)
    with torch.inference_mode():
        read = network(ink_of(pictures.images))[1].argmax(1).numpy()
    return float((read == pictures.labels).mean())


def feature_scale(network: DigitNetwork) -> float:
    """What features are multiplied by so that their variances over the training split add up to `FEATURES`."""
    with torch.inference_mode():
        features = network(ink_of(load_pictures("digits", "train", SIDE, False).images))[0]
    return float((FEATURES / features.var(0).sum()).sqrt())


main = command(ClassifierOptions, run)

if __name__ == "__main__":
    sys.exit(main())
