"""Random mazes from a seed: rooms, long corridors between them, and a few loops, like DeepMind Lab's released layouts."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from maze_gen.errors import InputError
from maze_gen.maze import EAST, SOUTH, STEPS, Cell, Geometry, Maze
from maze_gen.rng import RandomStream, seed_from
from maze_gen.text import block_open, block_walls, plain_maze, with_default_decoration

LARGEST_SIDE = 250
"""Largest number of rows or columns of cells; generating a larger maze would take minutes."""
ROOM_TRIES = 20


@dataclass(frozen=True)
class GeneratorConfig:
    """Distribution of generated mazes.

    Attributes:
        rows, cols: cells of the thin layout. A block maze of it has 2 rows + 1 by 2 cols + 1 cells, solid ones included.
        geometry: `thin`, or `block` for the same layout with every character of its text a cell.
        rooms: number of rectangles without inner walls, fewer where they don't fit; None for the number of a released layout.
        loops: number of walls removed once all cells are connected, as a fraction of the cells; 0 leaves a tree of corridors.
        straightness: probability that a corridor continues straight ahead where it can.
        apples, goals, spawns: number of cells of each, at random places; 0 goals or 0 spawns mean that any cell may be one.
        strawberry_share: probability that an apple becomes a strawberry.
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
                raise InputError(f"{name} = {share}: expected a fraction from 0 to 1")
        for name in ("rooms", "apples", "goals", "spawns"):
            count = getattr(self, name)
            if count is not None and count < 0:
                raise InputError(f"{name} = {count}: expected 0 or more")
        if self.rooms is not None and self.rooms > self.rows * self.cols:
            raise InputError(f"rooms = {self.rooms}: expected at most one a cell, {self.rows * self.cols}")
        things = self.apples + self.goals + self.spawns
        # A thing of each kind that may be anywhere needs a cell that holds nothing.
        needed = things + (0 if self.goals else 1)
        if needed > self.rows * self.cols:
            raise InputError(
                f"{self.apples} apples, {self.goals} goals and {self.spawns} spawns don't fit into "
                f"{self.rows}x{self.cols} cells: a cell holds one thing, and the goal needs one too"
            )


def paper_apples(cells: int) -> int:
    """Number of apples in a random-goal maze with `cells` open cells: floor(0.1 (cells - 1) + 0.5), as in the released levels."""
    return math.floor(0.1 * (cells - 1) + 0.5)


def generate(config: GeneratorConfig, seed: int) -> Maze:
    """The maze of a seed: connected, and the same on every machine; its decoration follows from its layout.

    Args:
        config: distribution of the maze.
        seed: any integer.
    """
    return with_default_decoration(generate_plain(config, seed))


def generate_plain(config: GeneratorConfig, seed: int) -> Maze:
    """`generate` without decoration, in half the time; for rejection sampling by layout."""
    grid = _Grid(config.rows, config.cols, RandomStream(seed_from("layout", seed)))
    rooms = _usual_rooms(config.rows * config.cols) if config.rooms is None else config.rooms
    grid.place_rooms(rooms)
    grid.connect(config.straightness)
    grid.add_loops(round(config.loops * config.rows * config.cols))

    cells = RandomStream(seed_from("things", seed))
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
    """(side, neighbour) of every cell of a grid, for the sides that don't lead out of it."""
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
    """Walls under construction. A cell is the index row x cols + col; `walls` has four booleans a cell."""

    def __init__(self, rows: int, cols: int, random: RandomStream) -> None:
        self.rows, self.cols, self.random = rows, cols, random
        self.walls = [[True, True, True, True] for _ in range(rows * cols)]
        self.room = [-1] * (rows * cols)
        self.jumps = [step_row * cols + step_col for step_row, step_col in STEPS]
        self.neighbours = _neighbours(rows, cols)

    def open_wall(self, cell: int, side: int) -> None:
        self.walls[cell][side] = False
        self.walls[cell + self.jumps[side]][(side + 2) % 4] = False

    def place_rooms(self, count: int) -> None:
        """Opens up to `count` rectangles that neither touch one another nor fill the maze."""
        placed = 0
        # In the released layouts a room takes about a third of the height and width.
        tallest, widest = max(2, self.rows // 2), max(2, min(self.cols // 2, self.rows))
        for _ in range(ROOM_TRIES * count):
            if placed == count or min(self.rows, self.cols) < 2:
                return
            height = self.random.between(2, min(tallest, self.rows))
            width = self.random.between(2, min(widest, self.cols))
            top = self.random.below(self.rows - height + 1)
            left = self.random.below(self.cols - width + 1)
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
        """Connects all cells by a randomised depth-first search: a corridor continues to a dead end, then backtracks."""
        random = self.random
        room_cells: dict[int, list[int]] = {}
        for cell, room in enumerate(self.room):
            room_cells.setdefault(room, []).append(cell)
        seen = [False] * len(self.walls)
        stack: list[tuple[int, int]] = []

        def enter(cell: int, side: int) -> None:
            seen[cell] = True
            if self.room[cell] >= 0:
                # A room is entered as a whole; its other exits are tried later, in any order.
                for other in random.shuffled(room_cells[self.room[cell]]):
                    seen[other] = True
                    stack.append((other, -1))
            stack.append((cell, side))

        enter(random.below(len(self.walls)), -1)
        while stack:
            cell, came_by = stack[-1]
            ways = [(side, other) for side, other in self.neighbours[cell] if not seen[other]]
            if not ways:
                stack.pop()
                continue
            straight = [way for way in ways if way[0] == came_by]
            side, other = straight[0] if straight and random.chance(straightness) else ways[random.below(len(ways))]
            self.open_wall(cell, side)
            enter(other, side)

    def add_loops(self, count: int) -> None:
        """Removes `count` walls, none of which would leave a post without any wall."""
        closed = [
            (cell, side)
            for cell in range(len(self.walls))
            for side, _ in self.neighbours[cell]
            if side in (EAST, SOUTH) and self.walls[cell][side]
        ]
        for cell, side in self.random.shuffled(closed):
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
