"""What single units respond to: place fields, and how much a unit tells about the place (Skaggs and others 1993)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.reading.exhibits import AGENT, CONTROL, Cloud, Exhibit, Number, Picture, figure, pixels_of
from experiments.reading.mind import CELL_STATE, ENCODER
from experiments.reading.recording import Recording
from experiments.reading.tsne import embed
from maze_gen.topdown import TopDown

SECTION = "5 Network"
DRAWN = 12
EMBEDDED = 1000
_COMPASS = ("east", "north-east", "north", "north-west", "west", "south-west", "south", "south-east")


@dataclass(frozen=True)
class PlaceFields:
    """Units' mean activity in every cell.

    Attributes:
        layer: whose units.
        rates: [units, cells] float64, mean of the positive part of the activity; NaN in cells that were never visited.
        information: [units] bits, Skaggs's spatial information.
        threshold: the information that 99 % of the units stay below when the place is another episode's.
    """

    layer: str
    rates: npt.NDArray[np.float64]
    information: npt.NDArray[np.float64]
    threshold: float


def rates_by_cell(activity: npt.NDArray, cell: npt.NDArray, cells: int) -> tuple[npt.NDArray, npt.NDArray]:
    """Mean activity in every cell, and the share of time that is spent there.

    Args:
        activity: [K, units], not negative.
        cell: [K].

    Returns:
        ([units, cells] NaN in cells never visited, [cells]).
    """
    visited, place = np.unique(cell, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(visited)))
    sums = np.add.reduceat(activity[order].astype(np.float64), starts, axis=0)
    counts = np.bincount(place, minlength=len(visited))
    rates = np.full((activity.shape[1], cells), np.nan)
    rates[:, visited] = (sums / counts[:, None]).T
    return rates, np.bincount(cell, minlength=cells) / len(cell)


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
    if recording.episodes > 1:
        other = np.roll(recording.cell, recording.episodes // 2, axis=0)
    else:
        other = np.roll(recording.cell, recording.steps // 2, axis=1)
    control = spatial_information(*rates_by_cell(flat, other.ravel(), cells))
    return PlaceFields(layer, rates, spatial_information(rates, occupancy), float(np.quantile(control, 0.99)))


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
                f"Units of {best.layer} whose spatial information is above what 99 % of units show when the "
                "place is another episode's.",
                float((best.information > best.threshold).mean()),
                {"chance": 0.01},
                key=True,
            ),
        )
    exhibits += _clouds(recording, layers)
    return exhibits


def _information(fields: list[PlaceFields]) -> Picture:
    with figure(4.4 * len(fields), 3.8, 1, len(fields), squeeze=False) as (made, axes):
        most = max(0.1, *(float(field.information.max()) for field in fields))
        for place, field in zip(axes[0], fields, strict=True):
            place.hist(field.information, np.linspace(0, most, 30), color=AGENT)
            place.axvline(field.threshold, color=CONTROL, linestyle="--", label="99 % of a shuffled control")
            above = 100 * (field.information > field.threshold).mean()
            place.set_title(f"{field.layer}: {above:.0f} % of the units above", fontsize=12)
            place.set_xlabel("spatial information, bits")
            place.set_ylabel("units")
        axes[0][0].legend(fontsize=9)
        return Picture(
            SECTION,
            "spatial information of single units",
            "How many bits a unit's activity tells about the cell, layer by layer. Units right of the dashed line tell more than "
            "chance does.",
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

    def place(cell: int) -> str:
        return f"row {cell // cols}, column {cell % cols}"

    rows = zip(cells.ravel().tolist(), goals.ravel().tolist(), heading.ravel().tolist(), since.ravel().tolist(), strict=True)
    labels = [[place(cell), place(goal), _COMPASS[way], f"{seconds:.0f} s"] for cell, goal, way, seconds in rows]
    pictures = recording.thumbnails
    cloud = Cloud(
        SECTION,
        name,
        "One point a moment, with the view as its picture. Colour by cell, by goal or by heading: what lies together is alike to "
        "the agent.",
        flat,
        ["cell", "goal", "heading", "time since spawn"],
        labels,
        None if pictures is None else pictures.reshape(-1, *pictures.shape[2:]),
    )
    return [cloud, _embedding(recording, name, flat, cells.ravel(), goals.ravel())]


def _embedding(
    recording: Recording, name: str, points: npt.NDArray[np.float32], cells: npt.NDArray, goals: npt.NDArray
) -> Picture:
    chosen = np.linspace(0, len(points) - 1, min(EMBEDDED, len(points))).astype(int)
    flat = embed(points[chosen])
    cols, rows = recording.task.mazes[0].cols, recording.task.mazes[0].rows
    arms = np.unique(goals)
    panels = [("by column of the maze", cells[chosen] % cols, "viridis"), ("by row of the maze", cells[chosen] // cols, "plasma")]
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
                most = (cols if "column" in title else rows) - 1
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
