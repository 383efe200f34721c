"""What single units respond to: place fields, and how much a unit tells about the place (Skaggs and others 1993)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from experiments.analysis.activations import CELL_STATE, ENCODER
from experiments.analysis.items import AGENT, QUIET, Cloud, Exhibit, Number, Picture, figure, pixels_of
from experiments.analysis.trajectories import Recording
from experiments.analysis.tsne import embed
from maze_gen.topdown import TopDown

SECTION = "5 Network"
DRAWN = 12
EMBEDDED = 1000
CONTROLS = 10
DEVIATIONS = 2.821 * (1 + 1 / CONTROLS) ** 0.5
"""Above so many standard deviations lies 1 % of new draws, where mean and deviation are those of 10 draws themselves: the 99 %
quantile of Student's t with 9 degrees of freedom, widened for the doubt about the mean."""
LEAST_ACTIVE = 0.01
_COMPASS = ("east", "north-east", "north", "north-west", "west", "south-west", "south", "south-east")


@dataclass(frozen=True)
class PlaceFields:
    """Units' mean activity in every cell.

    Attributes:
        layer: whose units.
        rates: [units, cells] float64, mean of the positive part of the activity; NaN in cells that were never visited.
        information: [units] bits, Skaggs's spatial information, less what remains when the place is another episode's: few
            visits alone make a unit seem to know a place. 0 for units that are active in less than 1 % of the steps.
        knows: [units] bool, whether the information is more than 99 % of what such controls show.
    """

    layer: str
    rates: npt.NDArray[np.float64]
    information: npt.NDArray[np.float64]
    knows: npt.NDArray[np.bool_]


def rates_by_cell(activity: npt.NDArray[np.float32], cell: npt.NDArray, cells: int) -> tuple[npt.NDArray, npt.NDArray]:
    """Mean activity in every cell, and the share of time that is spent there.

    Args:
        activity: [K, units], not negative.
        cell: [K].

    Returns:
        ([units, cells] NaN in cells never visited, [cells]).
    """
    count = np.bincount(cell, minlength=cells)
    places = torch.from_numpy(cell.astype(np.int64))
    sums = torch.zeros(cells, activity.shape[1]).index_add_(0, places, torch.from_numpy(activity)).numpy().astype(np.float64)
    rates = np.divide(sums, count[:, None], out=np.full(sums.shape, np.nan), where=count[:, None] > 0)
    return rates.T, count / len(cell)


def spatial_information(rates: npt.NDArray, occupancy: npt.NDArray) -> npt.NDArray[np.float64]:
    """[units] bits: sum over cells of p · (r / r̄) · log2(r / r̄), with r̄ the mean rate; 0 for a silent unit.

    Args:
        rates: [units, cells], not negative; NaN where never visited.
        occupancy: [cells] p, share of time.
    """
    known = np.where(np.isfinite(rates), rates, 0.0)
    mean = known @ occupancy
    ratio = known / np.where(mean > 0, mean, 1.0)[:, None]
    return (occupancy * ratio * np.log2(np.where(ratio > 0, ratio, 1.0))).sum(axis=1)


def place_fields(recording: Recording, layer: str) -> PlaceFields:
    """Place fields of a layer's units, in a recording of one maze."""
    activity = np.maximum(recording.readings[layer].astype(np.float32), 0)
    flat, cells = activity.reshape(-1, activity.shape[-1]), recording.task.cells
    rates, occupancy = rates_by_cell(flat, recording.cell.ravel(), cells)
    controls = []
    for number in range(1, CONTROLS + 1):
        # Places of other episodes keep their course over time; one episode alone is turned round in time.
        shift = number * recording.episodes // (CONTROLS + 1)
        if shift % recording.episodes:
            other = np.roll(recording.cell, shift, axis=0)
        else:
            other = np.roll(recording.cell, number * recording.steps // (CONTROLS + 1), axis=1)
        controls.append(spatial_information(*rates_by_cell(flat, other.ravel(), cells)))
    usual, spread = np.mean(controls, axis=0), np.std(controls, axis=0, ddof=1)
    found = spatial_information(rates, occupancy)
    active = (flat > 0).mean(axis=0) >= LEAST_ACTIVE
    return PlaceFields(
        layer, rates, np.where(active, np.maximum(found - usual, 0), 0.0), active & (found > usual + DEVIATIONS * spread)
    )


def unit_exhibits(recording: Recording, layers: tuple[str, ...]) -> list[Exhibit]:
    """Everything about the network's activity."""
    exhibits: list[Exhibit] = []
    if len(recording.task.mazes) == 1:
        fields = [place_fields(recording, layer) for layer in layers]
        exhibits += [_information(fields), _drawn(recording, fields[-1])]
        best = fields[-1]
        exhibits.insert(
            0,
            Number(
                SECTION,
                "share of units that know the place",
                f"Units of {best.layer} that tell more about the place than 99 % of controls, in which the "
                "place is another episode's.",
                float(best.knows.mean()),
                {"chance": 0.01},
                key=True,
                percent=True,
            ),
        )
    exhibits += _clouds(recording, layers)
    return exhibits


def _information(fields: list[PlaceFields]) -> Picture:
    with figure(4.4 * len(fields), 3.8, 1, len(fields), squeeze=False) as (made, axes):
        most = max(0.1, *(float(field.information.max()) for field in fields))
        for place, field in zip(axes[0], fields, strict=True):
            parts = [field.information[field.knows], field.information[~field.knows]]
            names = ["more than chance", "no more than chance"]
            place.hist(parts, np.linspace(0, most, 30), color=[AGENT, QUIET], label=names, stacked=True)
            place.set_title(f"{field.layer}: {100 * field.knows.mean():.0f} % of the units", fontsize=12)
            place.set_xlabel("spatial information above a control, bits")
            place.set_ylabel("units")
        axes[0][-1].legend(fontsize=9)
        return Picture(
            SECTION,
            "spatial information of single units",
            "How many bits a unit's activity tells about the cell, layer by layer, above what it tells about the places of other "
            "episodes. Blue units tell more than chance does.",
            pixels_of(made),
        )


def _drawn(recording: Recording, fields: PlaceFields) -> Picture:
    maze = recording.task.mazes[0]
    best = np.argsort(-fields.information, kind="stable")[:DRAWN]
    rows = DRAWN // 4
    height = 3.4 * maze.rows / maze.cols + 0.45
    with figure(14, rows * height, rows, 4) as (made, axes):
        for place, unit in zip(axes.ravel(), best.tolist(), strict=True):
            canvas = TopDown(maze, 40 if maze.cols <= 12 else 28, things="none")
            place.imshow(canvas.heat(fields.rates[unit], "inferno", low=0).array())
            place.set_title(f"unit {unit}: {fields.information[unit]:.2f} bits", fontsize=11)
            place.axis("off")
        return Picture(
            SECTION,
            "place fields of the best units",
            f"The {DRAWN} units of {fields.layer} that tell most about the place: bright cells are where the "
            "unit is active, like the "
            "place cells of an animal.",
            pixels_of(made),
            key=True,
        )


def _clouds(recording: Recording, layers: tuple[str, ...]) -> list[Exhibit]:
    """The projector's points, and a flat embedding of them."""
    name = CELL_STATE if CELL_STATE in recording.readings else ENCODER
    stride = recording.thumbnail_stride
    points = recording.readings[name][:, ::stride].astype(np.float32)
    cells, goals = recording.cell[:, ::stride], recording.goal_cell[:, ::stride]
    heading = np.floor(recording.heading[:, ::stride] / 45 + 0.5).astype(int) % 8
    since = recording.seconds_since_spawn[:, ::stride]
    cols = recording.task.mazes[0].cols
    flat = points.reshape(-1, points.shape[-1])
    # Every unit counts alike: a few whose state only grows over an episode would drown the others.
    flat = np.clip((flat - flat.mean(axis=0)) / np.maximum(flat.std(axis=0), 1e-6), -3, 3)

    def place(cell: int) -> str:
        return f"row {cell // cols}, column {cell % cols}"

    rows = zip(cells.ravel().tolist(), goals.ravel().tolist(), heading.ravel().tolist(), since.ravel().tolist(), strict=True)
    labels = [[place(cell), place(goal), _COMPASS[way], f"{seconds:.1f}"] for cell, goal, way, seconds in rows]
    pictures = recording.thumbnails
    cloud = Cloud(
        SECTION,
        name,
        "One point a moment, with the view as its picture; every unit is standardised. Colour by cell, by goal "
        "or by heading: what lies together is alike to "
        "the agent.",
        flat,
        ["cell", "goal", "heading", "seconds since spawn"],
        labels,
        None if pictures is None else pictures.reshape(-1, *pictures.shape[2:]),
    )
    return [cloud, _embedding(recording, name, flat, cells.ravel(), goals.ravel())]


def _embedding(
    recording: Recording, name: str, points: npt.NDArray[np.float32], cells: npt.NDArray, goals: npt.NDArray
) -> Picture:
    chosen = np.linspace(0, len(points) - 1, min(EMBEDDED, len(points))).astype(int)
    flat = embed(points[chosen])
    cols = recording.task.mazes[0].cols
    arms = np.unique(goals)
    moments = np.tile(np.arange(recording.steps)[:: recording.thumbnail_stride], recording.episodes)[chosen]
    panels = [
        ("by column of the maze", cells[chosen] % cols, "viridis"),
        ("by row of the maze", cells[chosen] // cols, "plasma"),
        ("by seconds of the episode", moments * recording.step_seconds, "cividis"),
    ]
    if 1 < len(arms) <= 10:
        panels.insert(0, ("by the episode's goal", np.searchsorted(arms, goals[chosen]), "tab10"))
    with figure(5.4 * len(panels), 4.8, 1, len(panels), squeeze=False) as (made, axes):
        for place, (title, values, colours) in zip(axes[0], panels, strict=True):
            if colours == "tab10":
                for number, arm in enumerate(arms.tolist()):
                    mine = values == number
                    label = f"goal in row {arm // cols}, column {arm % cols}"
                    place.scatter(flat[mine, 0], flat[mine, 1], s=9, color=f"C{number}", label=label)
                place.legend(fontsize=9)
            else:
                most = max(values.max(), 1)
                drawn = place.scatter(flat[:, 0], flat[:, 1], s=9, c=values, cmap=colours, vmin=0, vmax=most)
                made.colorbar(drawn, ax=place, shrink=0.8)
            place.set_title(title)
            place.set_xticks([])
            place.set_yticks([])
        return Picture(
            SECTION,
            "map of the agent's states",
            f"The {name}, laid out flat so that states which are alike lie together (t-SNE): one point a moment. Clusters of one "
            "colour mean that the agent keeps that apart.",
            pixels_of(made),
            key=True,
        )
