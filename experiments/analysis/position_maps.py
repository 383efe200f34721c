"""Position over the maze: where it is named rightly, how far off it is elsewhere, and which cells are taken for which."""

import numpy as np
import numpy.typing as npt

from experiments.analysis.decoders import Reading, confusion
from experiments.analysis.items import Exhibit, Picture, figure, pixels_of
from experiments.analysis.trajectories import Recording
from maze_gen.maze import Maze
from maze_gen.topdown import TopDown

MISTAKEN = 6
"""Cells whose mistakes are drawn over the maze."""


def maps(section: str, recording: Recording, best: Reading, error: npt.NDArray[np.int32]) -> list[Exhibit]:
    """Accuracy and error of every cell of a task of one maze.

    Args:
        error: [R, T] cells of path, of the episodes that were read.
    """
    maze = recording.task.mazes[0]
    cells = recording.task.cells
    count = np.bincount(best.labels.ravel(), minlength=cells)

    def by_cell(values: npt.NDArray) -> npt.NDArray[np.float64]:
        total = np.bincount(best.labels.ravel(), weights=values.ravel(), minlength=cells)
        return np.divide(total, count, out=np.full(cells, np.nan), where=count > 0)

    right = 100 * by_cell((best.likeliest == best.labels).astype(np.float64))
    scale = 56 if maze.cols <= 12 else 36
    return [
        Picture(
            section,
            "map of accuracy in percent",
            "For each true cell, how often it is named rightly. Dark places are those that the agent can't tell from others.",
            TopDown(maze, scale).heat(right, low=0, high=100, colour_bar=True).array(),
            key=True,
        ),
        Picture(
            section,
            "map of the error in cells of path",
            "For each true cell, the mean way to the cell that is named instead.",
            TopDown(maze, scale).heat(by_cell(error), "magma_r", low=0, colour_bar=True).array(),
        ),
    ]


def confusions(section: str, recording: Recording, best: Reading) -> list[Exhibit]:
    """Which cells are taken for which: as a matrix, and over the map of a task of one maze."""
    shares = confusion(best.likeliest, best.labels, recording.task.cells)
    found: list[Exhibit] = [_matrix(section, recording.task.mazes[0], shares)]
    if len(recording.task.mazes) == 1:
        count = np.bincount(best.labels.ravel(), minlength=recording.task.cells)
        found.insert(0, _mistaken(section, recording.task.mazes[0], shares, count))
    return found


def most_mistaken(shares: npt.NDArray[np.float64], count: npt.NDArray) -> npt.NDArray[np.int64]:
    """Up to `MISTAKEN` true cells with the most mistakes, those with the most first.

    Args:
        shares: [cells, cells] as `confusion`.
        count: [cells] steps in each true cell.
    """
    wrong = (1 - np.diag(shares)) * count
    order = np.argsort(-wrong, kind="stable")[:MISTAKEN]
    return order[wrong[order] > 0]


def _mistaken(section: str, maze: Maze, shares: npt.NDArray[np.float64], count: npt.NDArray) -> Picture:
    chosen = most_mistaken(shares, count)
    with figure(15.6, 2 * (5.2 * maze.rows / maze.cols + 0.45), 2, 3) as (made, axes):
        for place in axes.ravel():
            place.axis("off")
        for place, cell in zip(axes.ravel(), chosen.tolist(), strict=False):
            canvas = TopDown(maze, 56 if maze.cols <= 12 else 36, things="none")
            # The root lets rare mistakes be seen beside frequent ones.
            canvas.heat(np.sqrt(shares[cell]), "Blues", low=0, high=1, opacity=1.0)
            x, y = maze.center(divmod(cell, maze.cols))
            canvas.marker(x, y, kind="ring", colour=(208, 60, 42), size=0.5, width=0.08)
            place.imshow(canvas.array())
            named = int(shares[cell].argmax())
            often = f"{100 * shares[cell, cell]:.0f} % right"
            if named != cell:
                often += f", {100 * shares[cell, named]:.0f} % taken for row {named // maze.cols}, column {named % maze.cols}"
            place.set_title(f"row {cell // maze.cols}, column {cell % maze.cols}: {often}", fontsize=12)
        return Picture(
            section,
            "confusion of cells over the maze",
            "The cells in which most mistakes are made, ringed red, one a panel: the darker another cell, the more often it is "
            "named instead. Blue beside the ring is a near miss; blue far off is a place that looks alike.",
            pixels_of(made),
            key=True,
        )


def _matrix(section: str, maze: Maze, shares: npt.NDArray[np.float64]) -> Picture:
    open_cells = np.flatnonzero(maze.open.ravel())
    shown = 100 * shares[np.ix_(open_cells, open_cells)]
    row = open_cells // maze.cols
    starts = np.flatnonzero(np.append(True, row[1:] != row[:-1]))
    names = [f"row {row[place]}" for place in starts]
    with figure(7.6, 6.8) as (made, axes):
        drawn = axes.imshow(shown, cmap="Blues", vmin=0, vmax=100, interpolation="nearest")
        axes.set_xticks(starts, names, rotation=90 if len(starts) > 6 else 0)
        axes.set_yticks(starts, names)
        axes.set_xlabel("cell that is named (row by row, from the top left)")
        axes.set_ylabel("true cell")
        axes.set_title("Which cells are taken for which")
        made.colorbar(drawn, ax=axes, label="% of the steps in the true cell", shrink=0.8)
        return Picture(
            section,
            "confusion of cells as a matrix",
            "A perfect reader fills the diagonal. Marks beside it are neighbours, marks far off are places that look alike.",
            pixels_of(made),
        )
