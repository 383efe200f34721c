"""Paints with a trained agent: pictures of any size, by the embedded brush or by libmypaint, as strokes, and as a film.

python -m experiments.paint --checkpoint runs/NAME --png paintings.png
python -m experiments.paint --checkpoint runs/NAME --target photo.png --size 512 --brush mypaint:classic/pen --png out.png
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agents.config import check_range
from experiments.options import check_writable, command, write_file
from maze_gen.console import say
from maze_gen.errors import InputError

if TYPE_CHECKING:
    from env.painting.program import Program
    from env.painting.task import PaintingTask
    from experiments.painting.gallery import Gallery

MOST = 4096


@dataclass(frozen=True)
class PaintOptions:
    """Paints with a trained agent.

    Attributes:
        checkpoint: the painter: a run's folder, or its checkpoint.
        program: a program of strokes (.json) to be painted again instead.
        target: a picture that the agent is to paint; its middle square.
        count: how many paintings; of one target the one that is nearest to it is kept.
        seed: of targets, noise and the agent's chances.
        brush: stamp, or mypaint: and a brush of libmypaint.
        size: height and width of a painting in pixels.
        png: where to write the paintings, a .png file.
        svg: where to write the first painting as vectors.
        json: where to write the first painting's strokes.
        video: where to film how the first painting came about, an .mp4, .webm or .gif file.
    """

    checkpoint: Path | None = None
    program: Path | None = None
    target: Path | None = None
    count: int = 16
    seed: int = 0
    brush: str = "stamp"
    size: int = 256
    png: Path | None = None
    svg: Path | None = None
    json: Path | None = None
    video: Path | None = None


def run(options: PaintOptions) -> None:
    """Paints, and writes what was asked for."""
    from env.painting.program import paint_programs

    _check(options)
    programs, hardness = _programs(options)
    if options.png is not None:
        from experiments.painting.sheets import grid
        from maze_gen.raster import encode_png

        paintings = paint_programs(programs, options.size, brush=options.brush, hardness=hardness)
        single = len(paintings) == 1
        write_file(options.png, encode_png(paintings[0] if single else grid(paintings, min(8, len(paintings)))))
        say(f"paintings: {options.png}")
    _write_strokes(options, programs[0])
    if options.video is not None:
        _film(options, programs[0], hardness)
        say(f"film: {options.video}")


def _check(options: PaintOptions) -> None:
    if (options.checkpoint is None) == (options.program is None):
        raise InputError("what is to be painted? give --checkpoint PAINTER, or --program STROKES.json")
    if options.program is not None and options.target is not None:
        raise InputError(f"--target {options.target} is for --checkpoint PAINTER: a program says itself what is painted")
    check_range("--count", options.count, 1, MOST, whole=True)
    check_range("--size", options.size, 8, MOST, whole=True)
    check_range("--seed", options.seed, 0, 2**63 - 1, whole=True)
    outputs = (options.png, options.svg, options.json, options.video)
    if not any(outputs):
        raise InputError("where to? give --png FILE, --svg FILE, --json FILE or --video FILE")
    for path, ending in ((options.png, ".png"), (options.svg, ".svg"), (options.json, ".json")):
        if path is not None and path.suffix != ending:
            raise InputError(f"{path}: expected a name that ends in {ending}")
    for path in outputs:
        check_writable(path)


def _programs(options: PaintOptions) -> tuple[list[Program], float]:
    """What is painted, and the hardness of the embedded brush."""
    from env.painting.program import read_program

    if options.program is not None:
        return [read_program(options.program)], 1.0
    from agents.checkpoint import load_checkpoint
    from experiments.painting.gallery import paint, painter, painting_task

    assert options.checkpoint is not None
    checkpoint = load_checkpoint(options.checkpoint)
    task = painting_task(checkpoint)
    if options.target is not None:
        task = with_target(task, options.target)
    gallery = paint(task, painter(checkpoint, options.count, options.seed), options.count, options.seed)
    if options.target is None:
        return gallery.programs, task.hardness
    return [_nearest(gallery)], task.hardness


def with_target(task: PaintingTask, path: Path) -> PaintingTask:
    """The same task with one picture.

    Raises:
        InputError: the task has no target, or the file isn't a picture.
    """
    from env.painting.picture_files import read_picture
    from env.painting.pictures import Pictures, square

    if not task.has_target:
        raise InputError(f"--target {path}: a painter of {task.name!r} paints after no target")
    image = square(read_picture(path, task.action.colours > 0), task.side)
    return replace(task, pictures=Pictures(str(path), image[None], np.full(1, -1, np.int32)))


def _nearest(gallery: Gallery) -> Program:
    best = int(gallery.distance.argmin())
    say(f"distance to the target: {gallery.distance[best]:.2f} %, the nearest of {len(gallery.distance)}")
    return gallery.programs[best]


def _write_strokes(options: PaintOptions, program: Program) -> None:
    from env.painting.program import to_json
    from env.painting.svg import to_svg

    if options.svg is not None:
        write_file(options.svg, to_svg(program, options.size))
        say(f"vectors: {options.svg}")
    if options.json is not None:
        write_file(options.json, to_json(program) + "\n")
        say(f"strokes: {options.json}")


def _film(options: PaintOptions, program: Program, hardness: float) -> None:
    from env.painting.program import paint_programs
    from experiments.analysis.video import FilmWriter

    assert options.video is not None
    parts = [program[:count] for count in range(len(program) + 1)]
    frames = paint_programs(parts, options.size + options.size % 2, brush=options.brush, hardness=hardness)
    with FilmWriter(options.video, 4.0) as film:
        for frame in (*frames, *[frames[-1]] * 8):
            film.write(frame)


main = command(PaintOptions, run)

if __name__ == "__main__":
    sys.exit(main())
