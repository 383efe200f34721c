"""`python -m experiments.deep`: do deep networks without normalisation layers and skips train as fast as BN-ResNets?

Trains each method at every learning rate of its optimiser's grid, repeats the best rate with more seeds, and writes a table,
curves, kernels at initialisation, and TensorBoard. The same command goes on with what isn't done.
"""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agents.config import MOST_COUNT, check_range
from experiments.classification.methods import PLAN, Kind, Method, OptimizerName, product
from experiments.options import ProgressLine, command, write_file, write_json
from experiments.run_folder import alone
from maze_gen.config_io import parse_json
from maze_gen.console import say
from maze_gen.errors import InputError

if TYPE_CHECKING:
    # What is imported where it is used brings torch, which --help need not wait for.
    from experiments.classification.compare import Comparison
    from experiments.classification.data import Pictures


@dataclass(frozen=True)
class DeepOptions:
    """Compare deep networks made trainable by shaping with BN-ResNets and with untransformed ones.

    Without --methods, --activations, --optimizers, --depths and --shortcuts a plan of the papers' claims is compared; with any of
    them, every combination of what they name.

    Attributes:
        minutes: after which no training is begun any more; the same command goes on.
        methods: bn (a usual ResNet with batch normalisation), dks, tat, none (the function as it is).
        activations: of the methods but bn, e.g. tanh softplus sigmoid leaky_relu.
        optimizers: sgd, adam, kfac, muon (newer than the papers).
        depths: 20, 50 or 98 layers.
        shortcuts: weights of the skips, 0 for plain networks.
        seeds: trainings of each method at its best rate.
        steps: of a training.
        batch: pictures a step.
        question: what is asked of a maze frame: place (cell and heading), heading, or depth (64 distances, in held-out mazes).
        task: whose frames.
        frames: how many of them to train on.
        test_frames: how many of them to test on.
        idx: a folder of IDX files (MNIST, Fashion-MNIST) instead of maze frames.
        workers: processes, one thread each.
        out: the folder of everything that comes out.
    """

    minutes: float = 15.0
    methods: tuple[Kind, ...] = ()
    activations: tuple[str, ...] = ()
    optimizers: tuple[OptimizerName, ...] = ()
    depths: tuple[int, ...] = ()
    shortcuts: tuple[float, ...] = ()
    seeds: int = 3
    steps: int = 100
    batch: int = 64
    question: Literal["place", "heading", "depth"] = "place"
    task: str = "static-small"
    frames: int = 40_000
    test_frames: int = 2_000
    idx: Path | None = None
    workers: int = 2
    out: Path = field(default=Path("runs/deep"))

    def compared(self) -> tuple[Method, ...]:
        """The methods, what matters most first."""
        if not (self.methods or self.activations or self.optimizers or self.depths or self.shortcuts):
            return PLAN
        return product(
            self.methods or ("bn", "dks", "none"),
            self.activations or ("tanh", "softplus", "sigmoid"),
            self.depths or (50,),
            self.optimizers or ("sgd",),
            self.shortcuts or (0.0,),
        )


def deep(options: DeepOptions, said: str) -> bool:
    """Trains, and writes what came out; False where something is left to be done.

    Raises:
        InputError: an option out of range, data that can't be had, or a folder that another comparison was written to.
    """
    check(options)
    import torch

    from experiments.classification.compare import Comparison, run
    from experiments.classification.training import Settings

    # As in the workers; small products gain nothing by more.
    torch.set_num_threads(1)
    deadline = time.monotonic() + 60 * options.minutes
    settings = Settings(steps=options.steps, batch=options.batch, evaluations=min(10, options.steps))
    comparison = Comparison(options.compared(), settings, options.seeds, options.out)
    pictures = load(options)
    if len(pictures.train) < options.batch:
        raise InputError(f"--batch {options.batch}: there are {len(pictures.train)} training pictures")
    with alone(options.out), ProgressLine() as tell:
        claim(options.out, pictures)
        whole = False
        try:
            whole = run(comparison, pictures, options.workers, deadline, tell)
        finally:
            write_results(comparison, pictures, said, tell)
            if not whole:
                say(f"not finished; go on with the same command: {said}", file=sys.stderr)
    return whole


MOST = {"seeds": 1000, "steps": MOST_COUNT, "batch": MOST_COUNT, "workers": 1024, "frames": MOST_COUNT, "test_frames": MOST_COUNT}


def check(options: DeepOptions) -> None:
    """Raises InputError for a number out of its range, a method that can't be, and frames that don't fit into the memory."""
    from agents.shaping import ShapingError
    from agents.shaping.functions import find
    from env.memory import check_memory
    from experiments.classification.data import frame_bytes

    for name, most in MOST.items():
        check_range(f"--{name.replace('_', '-')}", getattr(options, name), 1, most, whole=True)
    check_range("--minutes", options.minutes, 0, 1e6)
    for weight in options.shortcuts:
        check_range("--shortcuts", weight, 0, 1, below=True)
    try:
        for method in options.compared():
            find(method.activation)
    except ShapingError as error:
        raise InputError(f"--activations {' '.join(options.activations)}: {error}") from error
    if options.idx is None:
        # Each worker has them too.
        kept = (options.frames + options.test_frames) * frame_bytes() * (1 + options.workers)
        check_memory(f"--frames {options.frames} --test-frames {options.test_frames} --workers {options.workers}", kept)


def claim(out: Path, pictures: Pictures) -> None:
    """Writes down of which pictures the trainings in a folder are.

    Raises:
        InputError: they are of others.
    """
    path, own = out / "pictures.json", {"pictures": pictures.name, "digest": pictures.digest}
    if not path.exists():
        write_json(path, own)
        return
    try:
        found = parse_json(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not a text'}") from error
    if found != own:
        of = found.get("pictures") if isinstance(found, dict) else None
        raise InputError(f"--out {out}: its trainings are of other pictures ({of}), not {pictures.name}; choose another folder")


def load(options: DeepOptions) -> Pictures:
    """The labelled pictures that the options name.

    Raises:
        InputError: they can't be had.
    """
    from experiments.classification.data import idx_pictures, maze_frames

    if options.idx is not None:
        return idx_pictures(options.idx)
    return maze_frames(options.question, options.task, options.frames, options.test_frames)


def write_results(comparison: Comparison, pictures: Pictures, said: str, tell: ProgressLine) -> None:
    """`table.md`, `table.json`, `curves.png`, `kernels.png`, `features.png`, each whole; nothing where no method is finished."""
    from experiments.classification.costs import measured_costs
    from experiments.classification.pictures import write_curves, write_features, write_kernels
    from experiments.classification.summary import as_json, markdown, summarise

    out = comparison.out
    rows = summarise(comparison)
    if not rows:
        return
    costs = measured_costs(out / "costs.json", [row.method for row in rows], pictures, comparison.settings.batch, tell)
    rows = summarise(comparison, costs)
    chance = f"{pictures.chance:.3f} for the commonest label, {1 / pictures.classes:.3f} for guessing"
    left = len(comparison.methods) - len(rows)
    write_file(out / "table.md", markdown(rows, f"Deep networks: {pictures.name}", chance, said, left))
    write_json(out / "table.json", {"command": said, "pictures": pictures.name, "chance": pictures.chance, "rows": as_json(rows)})
    tell("pictures")
    write_curves(out / "curves.png", rows, pictures.name)
    write_kernels(out / "kernels.png")
    write_features(out / "features.png", [row.method for row in rows], pictures)


def body(options: DeepOptions) -> int:
    """Of the command."""
    said = shlex.join(["python", "-m", "experiments.deep", *sys.argv[1:]])
    whole = deep(options, said)
    say((options.out / "table.md").read_text(encoding="utf-8") if (options.out / "table.md").exists() else "")
    say(f"table: {options.out / 'table.md'} (and .json), figures: {options.out}/*.png")
    say(f"curves: tensorboard --logdir {shlex.quote(str(options.out))}")
    return 0 if whole else 130


main = command(DeepOptions, body)

if __name__ == "__main__":
    sys.exit(main())
