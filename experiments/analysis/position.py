"""What to show of position: decoders compared, accuracy after a spawn and by visit, and what each layer knows."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from experiments.analysis.activations import POSTERIOR
from experiments.analysis.decoders import (
    Curve,
    Kind,
    Reading,
    binned,
    decode,
    entropy,
    heading_class,
    path_error,
    reading_of,
    visits,
)
from experiments.analysis.items import (
    AGENT,
    CHANCE,
    CONTROL,
    Curves,
    Exhibit,
    Number,
    Picture,
    Pixels,
    Table,
    figure,
    pixels_of,
)
from experiments.analysis.position_maps import confusions, maps
from experiments.analysis.trajectories import Recording, default_threads
from maze_gen.paths import all_distances

SECTION = "1 Position"
KINDS: tuple[Kind, ...] = ("linear", "one hidden layer")
SECONDS_EDGES = np.array([0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 30])
VISITS = 8
FEWEST = 100
"""Means of fewer steps aren't shown: they are of a visit or two, and jump."""
PANEL = (6.0, 4.2)
OWN = "the agent's own decoder"


@dataclass(frozen=True)
class PositionReadings:
    """What decoders made of an agent.

    Attributes:
        best: the reading that is looked into: the agent's own decoder, else the linear one on its last layer.
        position, heading, goal: fitted decoders, from the eye to the policy; `goal` is empty where the goal never moves.
        own: the agent's own decoder, if it has one.
    """

    best: Reading
    position: list[Reading]
    heading: list[Reading]
    goal: list[Reading]
    own: Reading | None


def read_positions(
    recording: Recording, layers: tuple[str, ...], progress: Callable[[str], None] | None = None, threads: int | None = None
) -> PositionReadings:
    """Fits every decoder, several at a time."""
    cells = recording.task.cells
    goal_moves = len(np.unique(recording.goal_cell)) > 1 and len(recording.task.mazes) == 1
    targets = {"position": (recording.cell, cells), "heading": (heading_class(recording.heading), 8)}
    if goal_moves:
        targets["goal"] = (recording.goal_cell, cells)
    jobs = [(what, layer, kind) for what in targets for layer in layers for kind in KINDS]

    def run(job: tuple[str, str, Kind]) -> Reading:
        what, layer, kind = job
        # Small products are faster on one thread each than together on all.
        torch.set_num_threads(1)
        labels, classes = targets[what]
        found = decode(f"{what} from {layer}, {kind}", recording.readings[layer], labels, classes, kind)
        if progress:
            progress(f"fitted {found.name}")
        return found

    before = torch.get_num_threads()
    with ThreadPoolExecutor(threads or default_threads()) as pool:
        readings = dict(zip(jobs, pool.map(run, jobs), strict=True))
    torch.set_num_threads(before)
    own = recording.readings.get(POSTERIOR)
    mine = None if own is None else reading_of(f"position, {OWN}", own, recording.cell)
    found = {what: [reading for job, reading in readings.items() if job[0] == what] for what in ("position", "heading", "goal")}
    best = mine or readings["position", layers[-1], "linear"]
    return PositionReadings(best, found["position"], found["heading"], found["goal"], mine)


def position_exhibits(recording: Recording, readings: PositionReadings) -> list[Exhibit]:
    """Everything about position but the posterior along a path."""
    best = readings.best
    error = errors_of(recording, best)
    assert best.control is not None
    exhibits: list[Exhibit] = [
        _compared(readings),
        Number(
            SECTION,
            "accuracy of naming the cell",
            f"Share of steps at which {best.name}, names the true one of {recording.task.cells} cells, on episodes that no "
            f"decoder was fitted on. Chance always names the commonest cell; {_what_control(readings)}.",
            best.accuracy,
            {"chance": best.chance, "shuffled control": best.shuffled or 0.0},
            key=True,
            percent=True,
        ),
        Number(
            SECTION,
            "error in cells of path",
            "Mean way between the named cell and the true one, in cells; chance always names the commonest cell.",
            float(error.mean()),
            {
                "chance": float(errors_of(recording, best, np.full(best.labels.shape, best.commonest)).mean()),
                "shuffled control": float(errors_of(recording, best, best.control).mean()),
            },
            key=True,
        ),
        *_over_time(recording, best),
    ]
    exhibits += _layer_pictures(readings)
    if len(recording.task.mazes) == 1:
        exhibits += maps(SECTION, recording, best, error)
    exhibits += confusions(SECTION, recording, best)
    return exhibits


def _what_control(readings: PositionReadings) -> str:
    if readings.own:
        return "the shuffled control is what it said in another episode at the same time"
    return "the shuffled control was fitted on labels of other episodes"


def errors_of(recording: Recording, reading: Reading, said: npt.NDArray | None = None) -> npt.NDArray[np.int32]:
    """[R, T] cells of path between the named cell and the true one, in the episodes that were read.

    Args:
        said: [R, T] cells that are named; those of the reading without it.
    """
    named = reading.likeliest if said is None else said
    mazes = recording.maze[reading.episodes]
    distance = {int(maze): all_distances(recording.task.mazes[maze]) for maze in np.unique(mazes)}
    rows = zip(named, reading.labels, mazes.tolist(), strict=True)
    return np.stack([path_error(here, truth, distance[maze]) for here, truth, maze in rows])


def _compared(readings: PositionReadings) -> Table:
    rows = [readings.own] if readings.own else []
    rows += [*readings.position, *readings.heading, *readings.goal]

    def percent(value: float | None) -> str:
        return "–" if value is None else f"{100 * value:.1f} %"

    return Table(
        SECTION,
        "decoders compared",
        "What can be read off which layer. A decoder is fitted on 60 % of the episodes, after training and without changing the "
        "agent, and tested on the others. Chance always names the commonest class; the shuffled control was fitted on labels of "
        "other episodes (of the agent's own decoder: what it says in another episode at the same time). Only what lies above "
        "both is knowledge.",
        ["decoded, from, by", "accuracy", "chance", "shuffled control"],
        [[reading.name, percent(reading.accuracy), percent(reading.chance), percent(reading.shuffled)] for reading in rows],
        key=True,
    )


def _over_time(recording: Recording, best: Reading) -> list[Exhibit]:
    assert best.control is not None
    right = {
        best.name: best.likeliest == best.labels,
        "shuffled control": best.control == best.labels,
        "chance": best.labels == best.commonest,
    }
    since = recording.seconds_since_spawn[best.episodes]
    visit = np.minimum(visits(recording.cell[best.episodes]), VISITS)
    entered = np.arange(1, VISITS + 2)
    by_time = {name: binned(since, values.astype(np.float64), SECONDS_EDGES, FEWEST) for name, values in right.items()}
    by_visit = {name: binned(visit, values.astype(np.float64), entered, FEWEST) for name, values in right.items()}
    bits = binned(since, entropy(best.probabilities), SECONDS_EDGES, FEWEST)
    middle = (bits.edges[:-1] + bits.edges[1:]) / 2
    with figure(*PANEL) as (made, axes):
        axes.plot(middle, bits.mean, "o-", color=AGENT, label=best.name)
        axes.axhline(entropy(best.shares), color=CHANCE, linestyle=":", label="chance: knows only where it usually is")
        axes.set_ylim(0)
        axes.set_title("Doubt after a spawn")
        axes.set_xlabel("seconds since the last spawn")
        axes.set_ylabel("entropy of the posterior, bits")
        axes.legend(fontsize=10)
        doubt = pixels_of(made)
    steps = np.floor(bits.edges[:-1] * 1000).astype(np.int64)
    entries = np.arange(1, VISITS + 1)
    return [
        Picture(
            SECTION,
            "accuracy after a spawn",
            "An agent that is put down somewhere has to look around: the better it knows its maze, the sooner the curve rises.",
            _rising(middle, by_time, "Accuracy after a spawn", "seconds since the last spawn"),
            key=True,
        ),
        Picture(
            SECTION,
            "doubt after a spawn",
            "Entropy of what it believes about its place: one bit means that it hesitates between two cells.",
            doubt,
            key=True,
        ),
        Picture(
            SECTION,
            "accuracy in a cell seen before",
            "By how often it has entered its present cell in this episode: what rises was learned within the episode.",
            _rising(entries, by_visit, "Accuracy in a cell seen before", f"visit to the cell ({VISITS}: or later)"),
            key=True,
        ),
        Curves(
            SECTION,
            "accuracy by milliseconds since spawn",
            "Share of steps with the right cell; the step axis is milliseconds since the last spawn.",
            {name: (steps, curve.mean) for name, curve in by_time.items()},
        ),
        Curves(
            SECTION,
            "accuracy by visit to the cell",
            "Share of steps with the right cell; the step axis counts entries into the present cell in this episode.",
            {name: (entries, curve.mean) for name, curve in by_visit.items()},
        ),
    ]


def _rising(x: npt.NDArray, curves: dict[str, Curve], title: str, across: str) -> Pixels:
    """The agent's curve, and under it those of its control and of chance."""
    looks = ((AGENT, "o-"), (CONTROL, "--"), (CHANCE, ":"))
    with figure(*PANEL) as (made, axes):
        for (name, curve), (colour, look) in zip(curves.items(), looks, strict=True):
            axes.plot(x, 100 * curve.mean, look, color=colour, label=name)
        axes.set_ylim(0, 102)
        axes.set_ylabel("steps with the right cell, %")
        axes.set_title(title)
        axes.set_xlabel(across)
        axes.legend(fontsize=10)
        return pixels_of(made)


def _layer_pictures(readings: PositionReadings) -> list[Exhibit]:
    groups = [("cell", readings.position), ("heading, of eight", readings.heading)]
    if readings.goal:
        groups.append(("cell of the goal", readings.goal))
    exhibits: list[Exhibit] = []
    for what, found in groups:
        with figure(*PANEL) as (made, axes):
            names = [reading.name.split(" from ")[1].split(", ")[0] for reading in found[::2]]
            x = np.arange(len(names))
            for offset, first, colour, label in ((-0.2, 0, AGENT, KINDS[0]), (0.2, 1, "#8fb2ec", KINDS[1])):
                axes.bar(x + offset, [100 * reading.accuracy for reading in found[first::2]], 0.36, color=colour, label=label)
                controls = [100 * (reading.shuffled or 0.0) for reading in found[first::2]]
                mark = {"color": CONTROL, "markersize": 26, "markeredgewidth": 2.5, "linestyle": "none"}
                axes.plot(x + offset, controls, marker="_", label=None if first else "shuffled control", **mark)
            axes.axhline(100 * found[0].chance, color=CHANCE, linestyle=":", label="chance")
            axes.set_xticks(x, names)
            axes.set_ylim(0, 100)
            axes.set_ylabel("accuracy, %")
            axes.set_title(f"Decoding the {what}")
            made.legend(loc="outside lower center", ncols=4, fontsize=9)
            exhibits.append(
                Picture(
                    SECTION,
                    f"what each layer knows of the {what}",
                    "Accuracy of decoders on each layer, from the eye to the policy. What a later layer knows better than the "
                    "encoder, it has remembered: one picture didn't show it.",
                    pixels_of(made),
                    key=True,
                )
            )
    return exhibits
