"""How fast scenes are drawn, as `experiments.play` shows them, and written into films."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from env.engine.engine import Engine
from env.registry import make_task
from experiments.analysis.playback import uniforms
from experiments.analysis.scene import Camera, Progress
from experiments.analysis.video import SUFFIXES, FilmWriter
from experiments.benchmarks.measurement import Measurement, rate
from experiments.benchmarks.options import BenchmarkOptions
from experiments.policies import SCALE
from maze_gen.raster import Pixels

TASKS = ("static-small", "random-goal-large")
VIEWS = (504, 336)
STEPS = 60
"""Of the oracle, up to the scene that is drawn and the last frame of a film."""
FILM_TASK, FILM_VIEW, FILM_FRAMES = "random-goal-small", 336, 10


def measure(options: BenchmarkOptions) -> Iterator[Measurement]:
    """Scenes a second by task and view, and frames a second of each kind of film."""
    for task in TASKS:
        for view in VIEWS:
            with Engine(make_task(task), 1) as engine:
                *_, draw = _scenes(engine, view)
                best, median = rate(lambda draw=draw: len(draw()) > 0, options.seconds)
                height, width = draw().shape[:2]
            settings = {"task": task, "view": view, "height": height, "width": width, "median": median}
            yield Measurement(f"drawing/{task}/{view}", best, "scenes/s", settings)
    with Engine(make_task(FILM_TASK), 1) as engine:
        frames = [draw() for draw in _scenes(engine, FILM_VIEW)][-FILM_FRAMES:]
    for suffix in SUFFIXES:
        best, median = rate(lambda suffix=suffix: _write(frames, suffix), options.seconds)
        settings = {"task": FILM_TASK, "view": FILM_VIEW, "frames": len(frames), "median": median}
        yield Measurement(f"drawing/film{suffix}", best, "frames/s", settings)


def _scenes(engine: Engine, view: int) -> Iterator[Callable[[], Pixels]]:
    """What draws the scene after each of STEPS steps of the oracle, with the trail that leads to it."""
    camera, progress, oracle = Camera(view), Progress("oracle"), SCALE["oracle"](1)
    engine.reset(0)
    for step in range(STEPS):
        engine.step(oracle.act(engine, uniforms(0, [0], step)))
        x, y = engine.privileged["position"][0].tolist()
        progress.trail.append((x, y))
        yield lambda: camera.scene(engine, 0, progress)


def _write(frames: list[Pixels], suffix: str) -> int:
    with tempfile.TemporaryDirectory() as folder, FilmWriter(Path(folder) / f"film{suffix}", 15.0) as film:
        for frame in frames:
            film.write(frame)
    return len(frames)
