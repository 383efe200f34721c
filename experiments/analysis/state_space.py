"""The states of the network as points: for TensorBoard's projector, and laid out in a plane by t-SNE."""

import numpy as np
import numpy.typing as npt

from experiments.analysis.activations import CELL_STATE
from experiments.analysis.items import Item, Picture, PointCloud, figure, pixels_of
from experiments.analysis.maps import cell_name
from experiments.analysis.measures import heading_class
from experiments.analysis.trajectories import Trajectories
from experiments.analysis.tsne import embed

EMBEDDED = 1000
"""Points in the plane."""
_COMPASS = ("east", "north-east", "north", "north-west", "west", "south-west", "south", "south-east")


def state_items(section: str, trajectories: Trajectories) -> list[Item]:
    """One point per thumbnail: the last LSTM's cell state, or the last layer of a network without LSTM."""
    if CELL_STATE in trajectories.signals:
        name, states = CELL_STATE, trajectories.signals[CELL_STATE]
    else:
        name, states = list(trajectories.layers.items())[-1]
    stride = trajectories.thumbnail_stride
    points = states[:, ::stride].astype(np.float32)
    flat = points.reshape(-1, points.shape[-1])
    # Standardised and clipped: a few units that only grow in the course of an episode would dominate the distances.
    flat = np.clip((flat - flat.mean(axis=0)) / np.maximum(flat.std(axis=0), 1e-6), -3, 3)
    cells, goals = trajectories.cell[:, ::stride].ravel(), trajectories.goal_cell[:, ::stride].ravel()
    heading = heading_class(trajectories.heading[:, ::stride]).ravel()
    since = trajectories.seconds_since_spawn[:, ::stride].ravel()
    cols = trajectories.task.mazes[0].cols
    rows = zip(cells.tolist(), goals.tolist(), heading.tolist(), since.tolist(), strict=True)
    labels = [[cell_name(cell, cols), cell_name(goal, cols), _COMPASS[way], f"{time:.1f}"] for cell, goal, way, time in rows]
    pictures = trajectories.thumbnails
    return [
        PointCloud(
            section,
            name,
            "One point per moment, with the view as its picture; every unit is standardised. Colour by cell, by goal or by "
            "heading: points that lie together are similar states of the network.",
            flat,
            ["cell", "goal", "heading", "seconds since spawn"],
            labels,
            None if pictures is None else pictures.reshape(-1, *pictures.shape[2:]),
        ),
        _embedding(section, trajectories, name, flat),
    ]


def _embedding(section: str, trajectories: Trajectories, name: str, points: npt.NDArray[np.float32]) -> Picture:
    chosen = np.linspace(0, len(points) - 1, min(EMBEDDED, len(points))).astype(int)
    flat = embed(points[chosen])
    stride, cols = trajectories.thumbnail_stride, trajectories.task.mazes[0].cols
    cells, goals = (values[:, ::stride].ravel()[chosen] for values in (trajectories.cell, trajectories.goal_cell))
    seconds = np.tile(np.arange(trajectories.steps)[::stride], trajectories.episodes)[chosen] * trajectories.step_seconds
    panels = [
        ("by column of the maze", cells % cols, "viridis"),
        ("by row of the maze", cells // cols, "plasma"),
        ("by seconds of the episode", seconds, "cividis"),
    ]
    different_goals = np.unique(goals).tolist()
    several = 1 < len(different_goals) <= 10
    with figure(5.4 * (len(panels) + several), 4.8, 1, len(panels) + several, squeeze=False) as (made, axes):
        for panel, (title, values, colours) in zip(axes[0][int(several) :], panels, strict=True):
            drawn = panel.scatter(flat[:, 0], flat[:, 1], s=9, c=values, cmap=colours, vmin=0, vmax=max(values.max(), 1))
            made.colorbar(drawn, ax=panel, shrink=0.8)
            panel.set_title(title)
        if several:
            for index, goal in enumerate(different_goals):
                mine = goals == goal
                label = f"goal in {cell_name(goal, cols)}"
                axes[0][0].scatter(flat[mine, 0], flat[mine, 1], s=9, color=f"C{index}", label=label)
            axes[0][0].legend(fontsize=9)
            axes[0][0].set_title("by the episode's goal")
        for panel in axes[0]:
            panel.set_xticks([])
            panel.set_yticks([])
        return Picture(
            section,
            "t-SNE of the network's states",
            f"The {name}, laid out in a plane so that similar states lie together: one point per moment. Clusters of one colour "
            "mean that the network represents that quantity.",
            pixels_of(made),
            key=True,
        )
