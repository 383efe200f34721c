"""`python -m maze_gen`: prints a maze, draws it and writes it to files."""

import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from maze_gen.catalogue import catalogue_maze
from maze_gen.cli import parse_options
from maze_gen.console import say
from maze_gen.errors import InputError, one_line_errors
from maze_gen.files import write_whole
from maze_gen.generator import GeneratorConfig, parse_size
from maze_gen.lab_level import save_lab_text
from maze_gen.maze import Geometry, Maze
from maze_gen.splits import maze_of_split, split_of
from maze_gen.text import as_block, load_maze, write_maze


@dataclass(frozen=True)
class Options:
    """Prints a maze, and draws and writes it where asked to.

    The maze is drawn from a seed, or one of the catalogue's (--name), or a file's (--maze-file). Only its text goes to standard
    output, so that `python -m maze_gen > maze.txt` gives a maze file.

    Attributes:
        size: rows x columns of cells.
        seed: the same seed gives the same maze on every machine.
        split: train, heldout (the two never share a layout) or any.
        rooms: number of rectangles without inner walls; by default that of the released layout of the size.
        loops: number of walls removed after all cells are connected, as a fraction of the number of cells.
        straightness: probability that a corridor continues straight ahead where it can, 0 to 1.
        apples: number of apples.
        strawberry_share: probability that an apple becomes a strawberry, 0 to 1.
        goals: number of cells that may hold the goal; 0 for any cell.
        spawns: number of cells that an agent may start in; 0 for any cell.
        name: a maze of the catalogue instead of a generated one, e.g. static-small.
        maze_file: a text file with a maze instead of a generated one.
        geometry: thin (walls between cells) or block (solid cells); thin by default. A maze file is read by it; other mazes that
            are thin are converted to the block maze of their text.
        out: file to which the text is written.
        picture: PNG file to which a picture from above is written.
        scale: width of a cell in the picture, in pixels.
        lab: beginning of the names of a DeepMind Lab text level, LAB.entities.txt and LAB.variations.txt.
    """

    size: str = "5x10"
    seed: int = 0
    split: Literal["train", "heldout", "any"] = "any"
    rooms: int | None = None
    loops: float = GeneratorConfig.loops
    straightness: float = GeneratorConfig.straightness
    apples: int = 0
    strawberry_share: float = 0.0
    goals: int = 0
    spawns: int = 0
    name: str | None = None
    maze_file: Path | None = None
    geometry: Geometry | None = None
    out: Path | None = None
    picture: Path | None = None
    scale: int = 32
    lab: Path | None = None


GENERATED_ONLY = ("size", "seed", "split", "rooms", "loops", "straightness", "apples", "strawberry_share", "goals", "spawns")


def chosen_maze(options: Options) -> Maze:
    """The maze that the options name.

    Raises:
        InputError: options exclude each other, or a value is out of range.
    """
    if options.scale != Options.scale and options.picture is None:
        raise InputError(f"--scale {options.scale} is of --picture FILE: give one, or leave the option out")
    if options.name is None and options.maze_file is None:
        rows, cols = parse_size(options.size)
        config = GeneratorConfig(
            rows=rows,
            cols=cols,
            geometry=options.geometry or "thin",
            rooms=options.rooms,
            loops=options.loops,
            straightness=options.straightness,
            apples=options.apples,
            strawberry_share=options.strawberry_share,
            goals=options.goals,
            spawns=options.spawns,
        )
        return maze_of_split(config, options.split, options.seed)
    if options.name is not None and options.maze_file is not None:
        raise InputError(f"--name {options.name} and --maze-file {options.maze_file} exclude each other: give one of them")
    defaults = {field.name: field.default for field in fields(Options)}
    for option in GENERATED_ONLY:
        if getattr(options, option) != defaults[option]:
            given = f"--name {options.name}" if options.name is not None else f"--maze-file {options.maze_file}"
            raise InputError(f"--{option.replace('_', '-')} is for generated mazes, and {given} isn't one: leave one of them out")
    if options.maze_file is not None:
        return load_maze(options.maze_file, options.geometry or "thin")
    maze = catalogue_maze(options.name or "")
    if options.geometry == "thin" and maze.geometry == "block":
        raise InputError(f"--name {options.name} --geometry thin: its layout is a block maze and has no thin form")
    return as_block(maze) if options.geometry == "block" else maze


@one_line_errors
def main() -> None:
    options = parse_options(Options)
    maze = chosen_maze(options)
    text = write_maze(maze)
    written = []
    if options.out is not None:
        write_whole(options.out, text.encode())
        written.append(options.out)
    if options.picture is not None:
        # Imported where it is used: it needs what environments alone do not bring.
        try:
            from maze_gen.topdown import TopDown
        except ModuleNotFoundError as missing:
            raise InputError(f"--picture {options.picture}: needs {missing.name}: pip install 'knossos[train]'") from missing
        TopDown(maze, options.scale).save(options.picture)
        written.append(options.picture)
    if options.lab is not None:
        written.extend(save_lab_text(maze, options.lab))
    say(text, end="")
    things = ", ".join(
        f"{len(cells)} {name}"
        for name, cells in (
            ("apples", maze.apples),
            ("strawberries", maze.strawberries),
            ("goals", maze.goals),
            ("spawns", maze.spawns),
        )
        if cells
    )
    summary = (
        f"{maze.rows}x{maze.cols} {maze.geometry}, split {split_of(maze)}, {things or 'no things'}, digest {maze.digest[:16]}"
    )
    say("\n".join([summary, *(f"wrote {path}" for path in written)]), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
