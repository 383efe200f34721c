"""Position, heading and goal decoded from every layer, and how position accuracy develops after a spawn and over visits."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.analysis.decoder_table import decoder_table
from experiments.analysis.decoders import DecoderResult, Kind, decode, own_decoder_result
from experiments.analysis.head_outputs import POSTERIOR
from experiments.analysis.intervals import mean
from experiments.analysis.items import Curves, Item, Number, Picture, Table
from experiments.analysis.measures import binned, entropy, heading_class, path_error, visits
from experiments.analysis.playback import Progress, silent
from experiments.analysis.position_maps import accuracy_and_error_maps, confusion_pictures
from experiments.analysis.position_plots import accuracy_plot, entropy_plot, layer_plot
from experiments.analysis.threads import map_in_threads
from experiments.analysis.trajectories import Trajectories
from maze_gen.paths import all_distances

SECTION = "1 Position"
KINDS: tuple[Kind, ...] = ("linear", "one hidden layer")
SECONDS_EDGES = np.array([0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 30])
VISITS = 8
FEWEST = 100
"""Means over fewer steps aren't shown: they come from one or two visits and vary widely."""
OWN = "the agent's own decoder"
SINCE_SPAWN = "seconds since the last spawn"


@dataclass(frozen=True)
class PositionResults:
    """Results of all decoders on an agent.

    Attributes:
        best: the result that is analysed in detail: the agent's own decoder, else the linear decoder on its last layer.
        position, heading, goal: fitted decoders, from the first layer to the last; `goal` is empty where the goal never moves.
        own: the agent's own decoder, if it has one.
    """

    best: DecoderResult
    position: list[DecoderResult]
    heading: list[DecoderResult]
    goal: list[DecoderResult]
    own: DecoderResult | None


def decode_positions(trajectories: Trajectories, progress: Progress = silent, threads: int | None = None) -> PositionResults:
    """Fits every decoder on every layer, several at the same time."""
    cells, layers = trajectories.task.cells, trajectories.layers
    goal_moves = len(np.unique(trajectories.goal_cell)) > 1 and len(trajectories.task.mazes) == 1
    targets = {"position": (trajectories.cell, cells), "heading": (heading_class(trajectories.heading), 8)}
    if goal_moves:
        targets["goal"] = (trajectories.goal_cell, cells)
    jobs: list[tuple[str, str, Kind]] = [(target, layer, kind) for target in targets for layer in layers for kind in KINDS]

    def run(job: tuple[str, str, Kind]) -> DecoderResult:
        target, layer, kind = job
        labels, classes = targets[target]
        found = decode(f"{target} from {layer}, {kind}", layers[layer], labels, classes, kind)
        progress(f"fitted {found.name}")
        return found

    results = dict(zip(jobs, map_in_threads(run, jobs, threads), strict=True))
    posterior = trajectories.signals.get(POSTERIOR)
    own = None if posterior is None else own_decoder_result(f"position, {OWN}", posterior, trajectories.cell)
    found = {
        target: [result for job, result in results.items() if job[0] == target] for target in ("position", "heading", "goal")
    }
    best = own or results["position", list(layers)[-1], "linear"]
    return PositionResults(best, found["position"], found["heading"], found["goal"], own)


def position_items(trajectories: Trajectories, results: PositionResults) -> list[Item]:
    """Everything about position except the posterior along a path."""
    best = results.best
    error = errors_of(trajectories, best)
    assert best.control is not None
    figures = best.figures()
    control = "its output in another episode at the same time" if results.own else "fitted on labels of other episodes"
    items: list[Item] = [
        _compared(results),
        Number(
            SECTION,
            "position accuracy",
            f"Fraction of steps at which the most likely of {trajectories.task.cells} cells ({best.name}) is the true one, in "
            "episodes that no decoder was fitted on. Chance always predicts the most common cell; the shuffled control is "
            f"{control}.",
            figures.pop("accuracy"),
            figures,
            key=True,
            percent=True,
        ),
        Number(
            SECTION,
            "position error in cells of path",
            "Mean length of the shortest path between the predicted and the true cell; chance always predicts the most common "
            "cell.",
            mean(error),
            {
                "chance": mean(errors_of(trajectories, best, np.full(best.labels.shape, best.most_common))),
                "shuffled control": mean(errors_of(trajectories, best, best.control)),
            },
            key=True,
        ),
        *_over_time(trajectories, best),
        *_by_layer(results),
    ]
    if len(trajectories.task.mazes) == 1:
        items += accuracy_and_error_maps(SECTION, trajectories, best, error)
    return items + confusion_pictures(SECTION, trajectories, best)


def errors_of(trajectories: Trajectories, result: DecoderResult, predicted: npt.NDArray | None = None) -> npt.NDArray[np.int32]:
    """[R, T] cells of path between the predicted cell and the true one, in the test episodes.

    Args:
        predicted: [R, T] cells; those of the result by default.
    """
    cells = result.predicted if predicted is None else predicted
    mazes = trajectories.maze[result.episodes]
    distance = {int(maze): all_distances(trajectories.task.mazes[maze]) for maze in np.unique(mazes)}
    rows = zip(cells, result.labels, mazes.tolist(), strict=True)
    return np.stack([path_error(here, truth, distance[maze]) for here, truth, maze in rows])


def _compared(results: PositionResults) -> Table:
    decoders = [*([results.own] if results.own else []), *results.position, *results.heading, *results.goal]
    return decoder_table(
        SECTION,
        "decoders compared",
        "Accuracy of decoders on each layer, in percent, with its 95 % interval over episodes. A decoder is fitted on 60 % of "
        "the episodes, after training and without changing the agent, and tested on the others. Chance always predicts the most "
        "common class; the shuffled control was fitted on labels of other episodes (of the agent's own decoder: its output in "
        "another episode at the same time). Only what lies above both is knowledge about the episode at hand.",
        "decoded, from, by",
        decoders,
    )


def _over_time(trajectories: Trajectories, best: DecoderResult) -> list[Item]:
    assert best.control is not None
    correct = {
        best.name: best.correct,
        "shuffled control": best.control == best.labels,
        "chance": best.labels == best.most_common,
    }
    since = trajectories.seconds_since_spawn[best.episodes]
    visit = np.minimum(visits(trajectories.cell[best.episodes]), VISITS)
    by_time = {name: binned(since, values.astype(np.float64), SECONDS_EDGES, FEWEST) for name, values in correct.items()}
    entries = np.arange(1, VISITS + 1)
    edges = np.arange(1, VISITS + 2)
    by_visit = {name: binned(visit, values.astype(np.float64), edges, FEWEST) for name, values in correct.items()}
    middle = (SECONDS_EDGES[:-1] + SECONDS_EDGES[1:]) / 2
    milliseconds = np.floor(SECONDS_EDGES[:-1] * 1000).astype(np.int64)
    return [
        Picture(
            SECTION,
            "position accuracy after a spawn",
            "After a spawn an agent has to look around. The sooner the curve rises, the better it knows its maze. Bands are 95 % "
            "intervals over episodes.",
            accuracy_plot(middle, by_time, "Position accuracy after a spawn", SINCE_SPAWN),
            key=True,
        ),
        Picture(
            SECTION,
            "entropy of the posterior after a spawn",
            "Entropy of the probabilities of all cells: one bit means that two cells are equally likely.",
            entropy_plot(best, binned(since, entropy(best.probabilities), SECONDS_EDGES, FEWEST), SINCE_SPAWN),
            key=True,
        ),
        Picture(
            SECTION,
            "position accuracy in a cell visited before",
            "By how often the agent has entered its present cell in this episode: what rises was learned within the episode.",
            accuracy_plot(
                entries, by_visit, "Position accuracy in a cell visited before", f"visit to the cell ({VISITS}: or later)"
            ),
            key=True,
        ),
        Curves(
            SECTION,
            "position accuracy by milliseconds since spawn",
            "Fraction of steps with the correct cell; the step axis is milliseconds since the last spawn.",
            {name: (milliseconds, curve.mean) for name, curve in by_time.items()},
        ),
        Curves(
            SECTION,
            "position accuracy by visit to the cell",
            "Fraction of steps with the correct cell; the step axis counts entries into the present cell in this episode.",
            {name: (entries, curve.mean) for name, curve in by_visit.items()},
        ),
    ]


def _by_layer(results: PositionResults) -> list[Item]:
    groups = [("cell", results.position), ("heading, of eight", results.heading)]
    if results.goal:
        groups.append(("cell of the goal", results.goal))
    return [
        Picture(
            SECTION,
            f"decoding the {target} from each layer",
            "Accuracy of decoders on each layer, from the first to the one that the policy reads, with 95 % intervals over "
            "episodes. What a later layer has above the encoder comes from memory: one picture didn't show it.",
            layer_plot(target, found, KINDS),
            key=True,
        )
        for target, found in groups
    ]
