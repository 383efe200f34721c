"""Position accuracy, position error and confusion of cells, as maps of the maze."""

import numpy as np
import numpy.typing as npt

from experiments.analysis.decoders import DecoderResult
from experiments.analysis.items import Item, Picture, figure, pixels_of
from experiments.analysis.maps import TRUE_POSITION, cell_name, heat_map, mean_by_cell, posterior_plan
from experiments.analysis.measures import confusion
from experiments.analysis.trajectories import Trajectories
from maze_gen.maze import Maze

PANELS = 6
"""Cells whose confusion is drawn over the maze."""


def accuracy_and_error_maps(
    section: str, trajectories: Trajectories, best: DecoderResult, error: npt.NDArray[np.int32]
) -> list[Item]:
    """Accuracy and error in every cell of a task of one maze.

    Args:
        error: [R, T] cells of path, in the test episodes.
    """
    maze, cells = trajectories.task.mazes[0], trajectories.task.cells
    accuracy = 100 * mean_by_cell(best.predicted == best.labels, best.labels, cells)
    return [
        Picture(
            section,
            "map of position accuracy in percent",
            "For each true cell, how often it is predicted. Dark cells are those that the decoder confuses with others; hatched "
            "ones were never visited.",
            heat_map(maze, accuracy, high=100),
            key=True,
        ),
        Picture(
            section,
            "map of the position error in cells of path",
            "For each true cell, the mean length of the path to the predicted cell.",
            heat_map(maze, mean_by_cell(error, best.labels, cells), "magma_r"),
        ),
    ]


def confusion_pictures(section: str, trajectories: Trajectories, best: DecoderResult) -> list[Item]:
    """Which cells are predicted for which: as a matrix, and over the map of a task of one maze."""
    rates = confusion(best.predicted, best.labels, trajectories.task.cells)
    maze = trajectories.task.mazes[0]
    matrix = _matrix(section, maze, rates)
    if len(trajectories.task.mazes) > 1:
        return [matrix]
    count = np.bincount(best.labels.ravel(), minlength=trajectories.task.cells)
    return [_over_maze(section, maze, rates, most_confused(rates, count)), matrix]


def most_confused(rates: npt.NDArray[np.float64], count: npt.NDArray) -> npt.NDArray[np.int64]:
    """Up to `PANELS` true cells with the most wrong predictions, in decreasing order of their number.

    Args:
        rates: [cells, cells] as `confusion`.
        count: [cells] steps in each true cell.
    """
    wrong = (1 - np.diag(rates)) * count
    order = np.argsort(-wrong, kind="stable")[:PANELS]
    return order[wrong[order] > 0]


def _over_maze(section: str, maze: Maze, rates: npt.NDArray[np.float64], chosen: npt.NDArray[np.int64]) -> Picture:
    with figure(15.6, 2 * (5.2 * maze.rows / maze.cols + 0.65), 2, 3) as (made, axes):
        for panel in axes.ravel():
            panel.axis("off")
        for panel, cell in zip(axes.ravel(), chosen.tolist(), strict=False):
            plan = posterior_plan(maze, rates[cell])
            x, y = maze.center(divmod(cell, maze.cols))
            plan.marker(x, y, kind="ring", colour=TRUE_POSITION, size=0.5, width=0.08)
            panel.imshow(plan.array())
            predicted = int(rates[cell].argmax())
            title = f"{cell_name(cell, maze.cols)}: {100 * rates[cell, cell]:.0f} % correct"
            if predicted != cell:
                title += f",\n{100 * rates[cell, predicted]:.0f} % predicted as {cell_name(predicted, maze.cols)}"
            panel.set_title(title, fontsize=12)
        return Picture(
            section,
            "confusion of cells over the maze",
            "The cells with the most wrong predictions, one per panel, marked by a red ring: the darker another cell, the more "
            "often it is predicted instead. Blue beside the ring is a near miss; blue far from it is a cell that looks alike.",
            pixels_of(made),
            key=True,
        )


def _matrix(section: str, maze: Maze, rates: npt.NDArray[np.float64]) -> Picture:
    open_cells = np.flatnonzero(maze.open.ravel())
    shown = 100 * rates[np.ix_(open_cells, open_cells)]
    row = open_cells // maze.cols
    starts = np.flatnonzero(np.append(True, row[1:] != row[:-1]))
    names = [f"row {row[start]}" for start in starts]
    with figure(7.6, 6.8) as (made, axes):
        drawn = axes.imshow(shown, cmap="Blues", vmin=0, vmax=100, interpolation="nearest")
        axes.set_xticks(starts, names, rotation=90 if len(starts) > 6 else 0)
        axes.set_yticks(starts, names)
        axes.set_xlabel("predicted cell (row by row, from the upper left)")
        axes.set_ylabel("true cell")
        axes.set_title("Confusion of cells")
        made.colorbar(drawn, ax=axes, label="% of the steps in the true cell", shrink=0.8)
        return Picture(
            section,
            "confusion of cells as a matrix",
            "A perfect decoder fills the diagonal. Entries beside it are neighbouring cells, entries far from it cells that look "
            "alike.",
            pixels_of(made),
        )
