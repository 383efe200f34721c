"""Speed of painting: strokes of each brush, and steps of a batch of canvases."""

from collections.abc import Callable, Iterator

import numpy as np

from env.backends import make_batch
from env.painting.action import ActionForm
from env.painting.program import open_brush
from env.painting.registry import make_painting
from env.painting.strokes import Strokes, quadratic
from experiments.benchmarks.measurement import Measurement, rate
from experiments.benchmarks.options import BenchmarkOptions
from maze_gen.errors import InputError

CANVASES = 256
STAMPS = ((32, 1), (64, 1), (64, 3), (256, 3))
"""Side and channels of the canvases on which the embedded brush is measured."""
MYPAINT = ("classic/pen", "classic/slow_ink", "classic/charcoal", "classic/dry_brush")
STEPS = 64


def measure(options: BenchmarkOptions) -> Iterator[Measurement]:
    """Random quadratic strokes, as the default action names them, a second; libmypaint's brushes where they are installed."""
    for side, channels in STAMPS:
        yield _measured("stamp", side, channels, options)
    for name in MYPAINT:
        try:
            found = _measured(f"mypaint:{name}", 64, 1, options)
        except InputError:
            continue
        yield found
    for name in ("doodle-digits", "redraw-digits"):
        best, median = rate(_stepper(name, options.threads), options.seconds)
        settings = {"num_envs": CANVASES, "threads": options.threads, "median": median}
        yield Measurement(f"painting/steps/{name}", best, "agent_steps/s", settings)


def _measured(brush: str, side: int, channels: int, options: BenchmarkOptions) -> Measurement:
    strokes, canvas = random_strokes(CANVASES), np.full((CANVASES, side, side, channels), 255, np.uint8)
    opened = open_brush(brush, strokes, canvas, 1.0, options.threads)

    def lay() -> int:
        opened.lay()
        return CANVASES

    # Compiled and warm.
    lay()
    best, median = rate(lay, options.seconds)
    opened.close()
    settings = {"side": side, "channels": channels, "num_envs": CANVASES, "threads": options.threads, "median": median}
    return Measurement(f"painting/{brush}/{side}/{'grey' if channels == 1 else 'colour'}", best, "strokes/s", settings)


def random_strokes(rows: int) -> Strokes:
    """A random stroke on each of the rows, as the default action names them, from a random place."""
    generator, form = np.random.default_rng(0), ActionForm()
    chosen = form.decode(np.stack([generator.integers(size, size=rows) for size in form.spec.sizes], 1))
    start = form.place_of(generator.integers(form.grid**2, size=rows))
    strokes = Strokes.empty(rows, 1)
    assert chosen.control is not None
    strokes.pieces[:] = 1
    strokes.points[:] = quadratic(start, chosen.control, chosen.end)
    strokes.radius[:] = chosen.radius
    strokes.pressure[:] = chosen.pressure[:, None]
    return strokes


def _stepper(name: str, threads: int) -> Callable[[], int]:
    batch = make_batch(make_painting(name), CANVASES, threads=threads)
    generator = np.random.default_rng(0)
    actions = np.stack([generator.integers(size, size=(STEPS, CANVASES)) for size in batch.spec.action.sizes], -1)
    batch.reset(0)

    def steps() -> int:
        for chosen in actions:
            batch.step(chosen)
            if batch.outcome.terminated.any():
                batch.reset_rows(batch.outcome.terminated)
        return STEPS * CANVASES

    steps()
    return steps
