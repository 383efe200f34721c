"""Values by cell, and maps of a maze that show them."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from experiments.analysis.items import Pixels
from experiments.analysis.trajectories import Trajectories
from maze_gen.maze import Maze
from maze_gen.topdown import Things, TopDown

Size = Literal["small", "medium", "large"]

SCALES: dict[Size, tuple[int, int]] = {"small": (40, 28), "medium": (56, 36), "large": (64, 40)}
"""Pixels of a cell, in mazes of up to 12 columns and in wider ones."""

TRUE_POSITION = (208, 60, 42)
"""Colour of the agent, or of a ring, where it truly is."""


def plan_of(maze: Maze, size: Size = "medium", things: Things = "none") -> TopDown:
    """An empty map of a maze, to draw on.

    Args:
        things: whether the maze's own goal, fruit and spawn are drawn.
    """
    narrow, wide = SCALES[size]
    return TopDown(maze, narrow if maze.cols <= 12 else wide, things=things)


def heat_map(maze: Maze, values: npt.NDArray, colours: str = "viridis", high: float | None = None) -> Pixels:
    """A map coloured by `values` [cells], on a scale from 0 with a colour bar; cells of NaN are hatched."""
    return plan_of(maze, things="maze").heat(values, colours, low=0, high=high, colour_bar=True, hatched=True).array()


def posterior_plan(maze: Maze, posterior: npt.NDArray, size: Size = "medium") -> TopDown:
    """A map with probabilities [cells] in blue, to draw on.

    The square root makes probabilities of a few percent visible.
    """
    return plan_of(maze, size).heat(np.sqrt(posterior), "Blues", low=0, high=1, opacity=1.0)


def path_map(trajectories: Trajectories, episode: int, values: npt.NDArray | None = None, width: float = 0.08) -> Pixels:
    """The path and the goal of one episode; coloured by `values` [T], by time without them."""
    maze = trajectories.task.mazes[trajectories.maze[episode]]
    plan = plan_of(maze).path(trajectories.position[episode], values=values, width=width)
    plan.goal(divmod(int(trajectories.goal_cell[episode, 0]), maze.cols))
    return plan.array()


def mean_by_cell(values: npt.NDArray, cell: npt.NDArray, cells: int) -> npt.NDArray[np.float64]:
    """[cells] mean of `values` over the steps in each cell; NaN in cells that were never visited.

    Args:
        values, cell: of any equal shape.
        cells: number of cells of the maze.
    """
    count = np.bincount(cell.ravel(), minlength=cells)
    total = np.bincount(cell.ravel(), weights=np.asarray(values, dtype=np.float64).ravel(), minlength=cells)
    return np.divide(total, count, out=np.full(cells, np.nan), where=count > 0)


def occupancy_percent(trajectories: Trajectories) -> npt.NDArray[np.float64]:
    """[cells] percentage of the steps that were spent in each cell; NaN in cells that were never visited."""
    count = np.bincount(trajectories.cell.ravel(), minlength=trajectories.task.cells)
    return np.where(count > 0, 100 * count / trajectories.cell.size, np.nan)


def cell_name(cell: int, cols: int) -> str:
    """`row R, column C` of a cell's number."""
    return f"row {cell // cols}, column {cell % cols}"
