"""Mazes drawn from a seed: rooms, long corridors between them, and a few loops, like DeepMind Lab's released layouts."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from maze_gen.errors import InputError
from maze_gen.maze import EAST, SOUTH, STEPS, Cell, Geometry, Maze
from maze_gen.rng import Draws, seed_from
from maze_gen.text import block_open, block_walls, plain_maze, with_default_decoration

LARGEST_SIDE = 250
"""Cells; larger mazes are refused, for the time they take is surely not meant."""
ROOM_TRIES = 20


@dataclass(frozen=True)
class GeneratorConfig:
    """What kind of maze to draw.

    Attributes:
        rows, cols: cells of the thin layout. A block maze of it has 2 rows + 1 by 2 cols + 1 cells, solid ones included.
        geometry: `thin`, or `block` for the same layout with every character of its text a cell.
        rooms: rectangles without inner walls; None for as many as a released layout of that size has. Fewer where no more fit.
        loops: walls taken out after everything is connected, as a share of the cells; 0 leaves one way between any two rooms.
        straightness: chance that a corridor goes straight on where it can.
        apples, goals, spawns: how many cells of each, drawn anywhere; no goals or no spawns mean that any cell may be one.
        strawberry_share: chance that an apple becomes a strawberry.
    """

    rows: int = 5
    cols: int = 10
    geometry: Geometry = "thin"
    rooms: int | None = None
    loops: float = 0.02
    straightness: float = 0.5
    apples: int = 0
    strawberry_share: float = 0.0
    goals: int = 0
    spawns: int = 0

    def __post_init__(self) -> None:
        for name in ("rows", "cols"):
            size = getattr(self, name)
            if not 1 <= size <= LARGEST_SIDE:
                raise InputError(f"{name} = {size}: expected 1 to {LARGEST_SIDE} cells")
        if self.rows * self.cols < 2:
            raise InputError("a maze of 1x1 cells: expected at least two cells, as in 1x2")
        if self.geometry not in ("thin", "block"):
            raise InputError(f"geometry = {self.geometry!r}: expected thin or block")
        for name in ("loops", "straightness", "strawberry_share"):
            share = getattr(self, name)
            if not 0.0 <= share <= 1.0:
                raise InputError(f"{name} = {share}: expected a share from 0 to 1")
        for name in ("rooms", "apples", "goals", "spawns"):
            count = getattr(self, name)
            if count is not None and count < 0:
                raise InputError(f"{name} = {count}: expected 0 or more")
        things = self.apples + self.goals + self.spawns
        # A thing of each kind that may be anywhere needs a cell that holds nothing.
        needed = things + (0 if self.goals else 1)
        if needed > self.rows * self.cols:
            raise InputError(
                f"{self.apples} apples, {self.goals} goals and {self.spawns} spawns don't fit into "
                f"{self.rows}x{self.cols} cells: a cell holds one thing, and the goal needs one too"
            )


def paper_apples(cells: int) -> int:
    """Apples of a random-goal maze with that many open cells: floor(0.1 (cells - 1) + 0.5), as in the released levels."""
    return math.floor(0.1 * (cells - 1) + 0.5)


def generate(config: GeneratorConfig, seed: int) -> Maze:
    """The maze of a seed: connected, and the same on every machine; its look follows from its layout.

    Args:
        config: what kind of maze.
        seed: any integer.
    """
    return with_default_decoration(generate_plain(config, seed))


def generate_plain(config: GeneratorConfig, seed: int) -> Maze:
    """`generate` without the look of the walls, which takes half the time; for those that look at the layout first."""
    grid = _Grid(config.rows, config.cols, Draws(seed_from("layout", seed)))
    rooms = _usual_rooms(config.rows * config.cols) if config.rooms is None else config.rooms
    grid.place_rooms(rooms)
    grid.connect(config.straightness)
    grid.add_loops(round(config.loops * config.rows * config.cols))

    cells = Draws(seed_from("things", seed))
    order = cells.shuffled([divmod(cell, config.cols) for cell in range(config.rows * config.cols)])
    goals = [order.pop() for _ in range(config.goals)]
    fruit = [order.pop() for _ in range(config.apples)]
    spawns = [order.pop() for _ in range(config.spawns)]
    is_strawberry = [cells.chance(config.strawberry_share) for _ in fruit]
    maze = plain_maze(
        "thin",
        np.ones((config.rows, config.cols), dtype=np.bool_),
        np.array(grid.walls, dtype=np.bool_).reshape(config.rows, config.cols, 4),
        spawns=tuple(sorted(spawns)),
        apples=tuple(sorted(cell for cell, other in zip(fruit, is_strawberry, strict=True) if not other)),
        strawberries=tuple(sorted(cell for cell, other in zip(fruit, is_strawberry, strict=True) if other)),
        goals=tuple(sorted(goals)),
    )
    if config.geometry == "thin":
        return maze
    open = block_open(maze)
    places = {
        kind: tuple((2 * row + 1, 2 * col + 1) for row, col in getattr(maze, kind))
        for kind in ("spawns", "apples", "strawberries", "goals")
    }
    return plain_maze("block", open, block_walls(open), **places)


def _usual_rooms(cells: int) -> int:
    """1 room in 5 x 10 cells, 2 in 9 x 15, 3 in 13 x 20; none where a room would be most of the maze."""
    return 0 if cells < 16 else max(1, round(cells / 80))


@lru_cache(maxsize=16)
def _neighbours(rows: int, cols: int) -> list[list[tuple[int, int]]]:
    """For every cell of a grid: (side, cell beyond it) of every side that doesn't lead out."""
    return [
        [
            (side, (row + step_row) * cols + col + step_col)
            for side, (step_row, step_col) in enumerate(STEPS)
            if 0 <= row + step_row < rows and 0 <= col + step_col < cols
        ]
        for row in range(rows)
        for col in range(cols)
    ]


class _Grid:
    """Walls while they are drawn; cells are row x cols + col, walls a list of four booleans a cell."""

    def __init__(self, rows: int, cols: int, draws: Draws) -> None:
        self.rows, self.cols, self.draws = rows, cols, draws
        self.walls = [[True, True, True, True] for _ in range(rows * cols)]
        self.room = [-1] * (rows * cols)
        self.jumps = [step_row * cols + step_col for step_row, step_col in STEPS]
        self.neighbours = _neighbours(rows, cols)

    def open_wall(self, cell: int, side: int) -> None:
        self.walls[cell][side] = False
        self.walls[cell + self.jumps[side]][(side + 2) % 4] = False

    def place_rooms(self, count: int) -> None:
        """Opens up to `count` rectangles that neither touch nor fill the maze."""
        placed = 0
        # In the released layouts a room takes about a third of the height and width.
        tallest, widest = max(2, self.rows // 2), max(2, min(self.cols // 2, self.rows))
        for _ in range(ROOM_TRIES * count):
            if placed == count or min(self.rows, self.cols) < 2:
                return
            height = self.draws.between(2, min(tallest, self.rows))
            width = self.draws.between(2, min(widest, self.cols))
            top = self.draws.below(self.rows - height + 1)
            left = self.draws.below(self.cols - width + 1)
            around = [
                self.room[row * self.cols + col]
                for row in range(max(top - 1, 0), min(top + height + 1, self.rows))
                for col in range(max(left - 1, 0), min(left + width + 1, self.cols))
            ]
            if max(around) >= 0:
                continue
            for row in range(top, top + height):
                for col in range(left, left + width):
                    cell = row * self.cols + col
                    self.room[cell] = placed
                    if col + 1 < left + width:
                        self.open_wall(cell, EAST)
                    if row + 1 < top + height:
                        self.open_wall(cell, SOUTH)
            placed += 1

    def connect(self, straightness: float) -> None:
        """Joins all cells by a depth-first walk: corridors run on until they are stuck, then branch off where they last can."""
        draws = self.draws
        room_cells: dict[int, list[int]] = {}
        for cell, room in enumerate(self.room):
            room_cells.setdefault(room, []).append(cell)
        seen = [False] * len(self.walls)
        stack: list[tuple[int, int]] = []

        def enter(cell: int, side: int) -> None:
            seen[cell] = True
            if self.room[cell] >= 0:
                # A room is entered as a whole; its other exits are tried later, in any order.
                for other in draws.shuffled(room_cells[self.room[cell]]):
                    seen[other] = True
                    stack.append((other, -1))
            stack.append((cell, side))

        enter(draws.below(len(self.walls)), -1)
        while stack:
            cell, came_by = stack[-1]
            ways = [(side, other) for side, other in self.neighbours[cell] if not seen[other]]
            if not ways:
                stack.pop()
                continue
            straight = [way for way in ways if way[0] == came_by]
            side, other = straight[0] if straight and draws.chance(straightness) else ways[draws.below(len(ways))]
            self.open_wall(cell, side)
            enter(other, side)

    def add_loops(self, count: int) -> None:
        """Takes out `count` walls, none of which would leave a post without any wall."""
        closed = [
            (cell, side)
            for cell in range(len(self.walls))
            for side, _ in self.neighbours[cell]
            if side in (EAST, SOUTH) and self.walls[cell][side]
        ]
        for cell, side in self.draws.shuffled(closed):
            if not count:
                return
            if self._holds_a_post(cell, side):
                continue
            self.open_wall(cell, side)
            count -= 1

    def _holds_a_post(self, cell: int, side: int) -> bool:
        """Whether the wall is the last one at one of its two ends."""
        across = SOUTH if side == EAST else EAST
        beyond = cell + self.jumps[side]
        for end in (across, (across + 2) % 4):
            if self.walls[cell][end] or self.walls[beyond][end]:
                continue
            if not self.walls[cell + self.jumps[end]][side]:
                return True
        return False


def parse_size(text: str) -> Cell:
    """(rows, columns) of a size such as `5x10`.

    Raises:
        InputError: `text` isn't two whole numbers with an x between them.
    """
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.strip().isascii() and part.strip().isdigit() and len(part) < 10 for part in parts):
        raise InputError(f"size {text!r}: expected rows x columns, as in 5x10")
    return int(parts[0]), int(parts[1])
