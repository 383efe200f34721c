"""Does the agent recognise a place that it has seen before? Precision, recall, and where on the path it is right."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.analysis.activations import LOOP, LOOP_LABEL
from experiments.analysis.decoders import fit, other_episodes, probabilities, split_episodes
from experiments.analysis.items import (
    AGENT,
    CHANCE,
    Detector,
    Exhibit,
    Number,
    Picture,
    figure,
    pixels_of,
)
from experiments.analysis.statistics import detection_curve, f1_score
from experiments.analysis.trajectories import Recording
from maze_gen.topdown import TopDown

SECTION = "2 Loop closure"
HIT, ALARM, MISS = (38, 150, 84), (214, 32, 40), (90, 96, 110)


@dataclass(frozen=True)
class LoopReading:
    """A detector's answers on the episodes that its threshold was not chosen on.

    Attributes:
        name: whose answers they are.
        episodes: [R].
        scores: [R, T] in [0, 1].
        labels: [R, T] bool.
        threshold: with the best F1 on the other episodes.
        f1: at that threshold.
        always: F1 of always saying yes, the best that can be had without knowing anything.
        shuffled: F1 of what the detector says in another episode at the same time: loops grow more frequent as an episode goes
            on, so that a clock alone knows something.
        average_precision: area under the precision-recall curve; the share of loops is what chance gets.
    """

    name: str
    episodes: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    labels: npt.NDArray[np.bool_]
    threshold: float
    f1: float
    always: float
    shuffled: float
    average_precision: float


def read_loops(recording: Recording, layers: tuple[str, ...]) -> list[LoopReading]:
    """The agent's own head, if it has one, and a linear detector on its last layer; nothing where no loop is ever closed."""
    labels = recording.readings[LOOP_LABEL]
    fitting, reading = split_episodes(recording.episodes)
    if not labels[fitting].any() or not labels[reading].any():
        return []
    found = []
    if LOOP in recording.readings:
        found.append(judge("the agent's own loop-closure head", recording.readings[LOOP], labels))
    found.append(_fitted(layers[-1], recording.readings[layers[-1]], labels))
    return found


def _fitted(layer: str, features: npt.NDArray, labels: npt.NDArray[np.bool_]) -> LoopReading:
    """A linear detector, fitted on two thirds of the episodes that aren't read; its threshold is chosen on the other third.

    On the episodes that it was fitted on it is surer than it should be.
    """
    fitting, _ = split_episodes(len(labels))
    mine = fitting[np.arange(len(fitting)) % 3 < 2]
    detector = fit(features[mine].reshape(-1, features.shape[-1]), labels[mine].ravel(), 2)
    scores = probabilities(detector, features)[..., 1]
    choosing = np.setdiff1d(fitting, mine)
    return judge(f"a linear detector on {layer}", scores, labels, choosing if labels[choosing].any() else mine)


def judge(
    name: str, scores: npt.NDArray[np.float32], labels: npt.NDArray[np.bool_], choosing: npt.NDArray[np.int64] | None = None
) -> LoopReading:
    """Chooses the threshold on some episodes and judges those that are read.

    Args:
        scores: [E, T] in [0, 1].
        labels: [E, T].
        choosing: the episodes to choose on; the 60 % that aren't read without it.
    """
    fitting, reading = split_episodes(len(labels))
    chosen_on = fitting if choosing is None else choosing
    chosen = detection_curve(scores[chosen_on], labels[chosen_on])
    threshold = chosen.best_threshold if chosen else 0.5
    curve = detection_curve(scores[reading], labels[reading])
    share = float(labels[reading].mean())
    said = scores[reading] >= threshold
    return LoopReading(
        name=name,
        episodes=reading,
        scores=scores[reading],
        labels=labels[reading],
        threshold=threshold,
        f1=f1_score(said, labels[reading]),
        always=2 * share / (1 + share),
        shuffled=f1_score(other_episodes(said), labels[reading]),
        average_precision=curve.average_precision if curve else 0.0,
    )


def loop_exhibits(recording: Recording, readings: list[LoopReading]) -> list[Exhibit]:
    """Everything about loop closure; nothing without readings."""
    if not readings:
        return []
    best = readings[0]
    share = float(best.labels.mean())
    exhibits: list[Exhibit] = [
        Number(
            SECTION,
            "F1 of recognising a place",
            f"F1 of {best.name} on episodes that its threshold wasn't chosen on. A loop closes where the agent is within one "
            "cell of where it was before, having been more than two cells off in between. Chance always says yes; the shuffled "
            "control is what it said in another episode at the same time.",
            best.f1,
            {
                "chance": best.always,
                "shuffled control": best.shuffled,
                **{reading.name: reading.f1 for reading in readings[1:]},
            },
            key=True,
        ),
        Number(
            SECTION,
            "area under the precision-recall curve",
            "Average precision; a detector that knows nothing gets the share of steps at which a loop closes.",
            best.average_precision,
            {"chance": share},
        ),
        *(
            Detector(
                SECTION,
                f"precision and recall, {reading.name}",
                "Precision: how many alarms are right. Recall: how many loop closures are seen.",
                reading.labels.ravel(),
                reading.scores.ravel(),
            )
            for reading in readings
        ),
        _curves(readings, share),
    ]
    exhibits.append(_on_path(recording, best))
    return exhibits


def _curves(readings: list[LoopReading], share: float) -> Picture:
    with figure(6.4, 4.8) as (made, axes):
        for reading, colour in zip(readings, (AGENT, "#8fb2ec"), strict=False):
            curve = detection_curve(reading.scores, reading.labels)
            assert curve is not None
            axes.plot(100 * curve.recall, 100 * curve.precision, color=colour, label=reading.name)
            at = int(np.argmin(np.abs(curve.thresholds - reading.threshold)))
            axes.plot(100 * curve.recall[at], 100 * curve.precision[at], "o", color=colour, markersize=9)
        axes.axhline(100 * share, color=CHANCE, linestyle=":", label="chance")
        axes.set_xlim(0, 101)
        axes.set_ylim(0, 101)
        axes.set_xlabel("recall: loop closures that are seen, %")
        axes.set_ylabel("precision: alarms that are right, %")
        axes.set_title("Recognising a place")
        axes.legend(fontsize=10, loc="lower left")
        return Picture(
            SECTION,
            "precision and recall of recognising a place",
            "The further to the upper right, the better. The dot is the threshold that was best on other episodes.",
            pixels_of(made),
            key=True,
        )


def _on_path(recording: Recording, best: LoopReading) -> Picture:
    # The episode whose F1 is the median shows the usual, not the best.
    said = best.scores >= best.threshold
    scores = [f1_score(row, truth) for row, truth in zip(said, best.labels, strict=True)]
    row = int(np.argsort(scores)[len(scores) // 2])
    episode = int(best.episodes[row])
    maze = recording.task.mazes[recording.maze[episode]]
    places = recording.position[episode]
    canvas = TopDown(maze, 64 if maze.cols <= 12 else 40, things="none")
    canvas.path(places, colour=(198, 203, 214), width=0.05)
    canvas.goal(divmod(int(recording.goal_cell[episode, 0]), maze.cols))
    hits, alarms, misses = said[row] & best.labels[row], said[row] & ~best.labels[row], ~said[row] & best.labels[row]
    for chosen, kind, colour in ((misses, "ring", MISS), (hits, "disc", HIT), (alarms, "cross", ALARM)):
        for x, y in places[chosen][::4].tolist():
            canvas.marker(x, y, kind=kind, colour=colour, size=0.16, width=0.03)  # type: ignore[arg-type]
    return Picture(
        SECTION,
        "loop closures on a path",
        f"One episode of middling quality, every fourth step: green discs are loop closures that {best.name} "
        "sees, grey rings those "
        "it misses, red crosses false alarms.",
        canvas.array(),
        key=True,
    )
