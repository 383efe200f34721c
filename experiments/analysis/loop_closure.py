"""Loop closure: precision and recall of the agent's own head and of a fitted detector, and where on a path they are right."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.analysis.decoders import fit, probabilities, split_episodes, swap_episodes
from experiments.analysis.head_outputs import LOOP, LOOP_LABEL, loop_labels
from experiments.analysis.intervals import Measured, average_precision, f1, matthews_correlation, mean
from experiments.analysis.items import AGENT, CHANCE, Detections, Item, Number, Picture, figure, pixels_of
from experiments.analysis.maps import plan_of
from experiments.analysis.statistics import detection_curve, f1_score
from experiments.analysis.trajectories import Trajectories

SECTION = "2 Loop closure"
TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE = (38, 150, 84), (214, 32, 40), (90, 96, 110)


@dataclass(frozen=True)
class DetectorResult:
    """Output of a detector on the test episodes, on which its threshold was not chosen.

    Attributes:
        name: of the detector.
        episodes: [R] the test episodes.
        scores: [R, T] in [0, 1].
        labels: [R, T] bool.
        threshold: the one with the best F1 on other episodes.
        f1: at that threshold.
        clock: [T] the share of labels at each time of the fitting episodes: what the time alone has to say.
    """

    name: str
    episodes: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    labels: npt.NDArray[np.bool_]
    threshold: float
    f1: float
    clock: npt.NDArray[np.float64]

    @property
    def detected(self) -> npt.NDArray[np.bool_]:
        """[R, T] whether the score reaches the threshold."""
        return self.scores >= self.threshold

    @property
    def f1_over_episodes(self) -> Measured:
        """F1 with its interval over episodes."""
        return f1(self.detected, self.labels)

    @property
    def always(self) -> Measured:
        """F1 of a detector that always says yes, the best that is possible without any information."""
        return f1(np.ones_like(self.labels), self.labels)

    @property
    def shuffled(self) -> Measured:
        """F1 of the detector's output in another episode at the same time.

        Loops become more frequent in the course of an episode, so that the time alone carries information.
        """
        return f1(swap_episodes(self.detected), self.labels)

    @property
    def average_precision(self) -> Measured:
        """Area under the precision-recall curve; chance has the frequency of loop closures."""
        return average_precision(self.scores, self.labels)

    @property
    def clock_average_precision(self) -> Measured:
        """The same of the clock, which loops become more frequent with."""
        return average_precision(np.broadcast_to(self.clock, self.labels.shape), self.labels)

    @property
    def correlation(self) -> Measured:
        """Matthews' correlation of detections and labels."""
        return matthews_correlation(self.detected, self.labels)

    @property
    def shuffled_correlation(self) -> Measured:
        """The same of the detections in another episode at the same time."""
        return matthews_correlation(swap_episodes(self.detected), self.labels)


def detect_loops(trajectories: Trajectories) -> list[DetectorResult]:
    """The agent's own head, if it has one, and a linear detector on its last layer; nothing where no loop is ever closed."""
    labels = trajectories.signals[LOOP_LABEL]
    if not _testable(labels):
        return []
    found = []
    if LOOP in trajectories.signals:
        found.append(judge("the agent's own loop-closure head", trajectories.signals[LOOP], labels))
    layer, features = list(trajectories.layers.items())[-1]
    found.append(_fitted(layer, features, labels))
    return found


def loop_closure_f1(trajectories: Trajectories) -> float | None:
    """F1 of the agent's own head; None without one, or where no loop is closed in the episodes to choose on or to test on."""
    if LOOP not in trajectories.signals:
        return None
    labels = loop_labels(trajectories.position)
    return judge("", trajectories.signals[LOOP], labels).f1 if _testable(labels) else None


def _testable(labels: npt.NDArray[np.bool_]) -> bool:
    return all(labels[part].any() for part in split_episodes(len(labels)))


def _fitted(layer: str, features: npt.NDArray, labels: npt.NDArray[np.bool_]) -> DetectorResult:
    """A linear detector, fitted on two thirds of the fitting episodes; its threshold is chosen on the other third.

    On the episodes that it was fitted on its scores are too confident.
    """
    fitting, _ = split_episodes(len(labels))
    mine = fitting[np.arange(len(fitting)) % 3 < 2]
    detector = fit(features[mine].reshape(-1, features.shape[-1]), labels[mine].ravel(), 2)
    scores = probabilities(detector, features)[..., 1]
    choosing = np.setdiff1d(fitting, mine)
    return judge(f"a linear detector on {layer}", scores, labels, choosing if labels[choosing].any() else mine)


def judge(
    name: str, scores: npt.NDArray[np.float32], labels: npt.NDArray[np.bool_], choosing: npt.NDArray[np.int64] | None = None
) -> DetectorResult:
    """Chooses the threshold on some episodes and tests the detector on others.

    Args:
        scores: [E, T] in [0, 1].
        labels: [E, T].
        choosing: the episodes to choose on; by default the 60 % that aren't tested on.
    """
    fitting, testing = split_episodes(len(labels))
    chosen_on = fitting if choosing is None else choosing
    chosen = detection_curve(scores[chosen_on], labels[chosen_on])
    threshold = chosen.best_threshold if chosen else 0.5
    detected = scores[testing] >= threshold
    return DetectorResult(
        name=name,
        episodes=testing,
        scores=scores[testing],
        labels=labels[testing],
        threshold=threshold,
        f1=f1_score(detected, labels[testing]),
        clock=labels[fitting].mean(axis=0),
    )


def loop_items(trajectories: Trajectories, results: list[DetectorResult]) -> list[Item]:
    """Everything about loop closure; nothing without results."""
    if not results:
        return []
    best = results[0]
    frequency = float(best.labels.mean())
    return [
        Number(
            SECTION,
            "loop-closure F1",
            f"F1 of {best.name} in episodes on which its threshold wasn't chosen. A loop is closed where the agent is within one "
            "cell of where it was before, having been more than two cells away in between. Chance always says yes; the shuffled "
            "control is the detector's output in another episode at the same time.",
            best.f1_over_episodes,
            {
                "chance": best.always,
                "shuffled control": best.shuffled,
                **{other.name: other.f1_over_episodes for other in results[1:]},
            },
            key=True,
        ),
        Number(
            SECTION,
            "loop-closure average precision",
            "Area under the precision-recall curve. Chance, a detector without information, has the frequency of loop closures; "
            "the clock says how frequent they were at that time of other episodes.",
            best.average_precision,
            {
                "chance": mean(best.labels),
                "clock": best.clock_average_precision,
                **{other.name: other.average_precision for other in results[1:]},
            },
            key=True,
        ),
        Number(
            SECTION,
            "loop-closure correlation",
            "Matthews' correlation of detections and loop closures: 0 without information, however frequent loops are. The "
            "shuffled control is the detector's output in another episode at the same time.",
            best.correlation,
            {"shuffled control": best.shuffled_correlation, **{other.name: other.correlation for other in results[1:]}},
        ),
        *(
            Detections(
                SECTION,
                f"precision and recall, {result.name}",
                "Precision: the fraction of detections that are right. Recall: the fraction of loop closures that are detected.",
                result.labels.ravel(),
                result.scores.ravel(),
            )
            for result in results
        ),
        _curves(results, frequency),
        _on_path(trajectories, best),
    ]


def _curves(results: list[DetectorResult], frequency: float) -> Picture:
    with figure(6.4, 4.8) as (made, axes):
        for result, colour in zip(results, (AGENT, "#8fb2ec"), strict=False):
            curve = detection_curve(result.scores, result.labels)
            assert curve is not None
            axes.plot(100 * curve.recall, 100 * curve.precision, color=colour, label=result.name)
            at = int(np.argmin(np.abs(curve.thresholds - result.threshold)))
            axes.plot(100 * curve.recall[at], 100 * curve.precision[at], "o", color=colour, markersize=9)
        axes.axhline(100 * frequency, color=CHANCE, linestyle=":", label="chance")
        axes.set_xlim(0, 101)
        axes.set_ylim(0, 101)
        axes.set_xlabel("recall: loop closures that are detected, %")
        axes.set_ylabel("precision: detections that are right, %")
        axes.set_title("Loop closure")
        axes.legend(fontsize=10, loc="lower left")
        return Picture(
            SECTION,
            "precision and recall of loop closure",
            "The closer to the upper right, the better. The dot is the threshold that was best on other episodes.",
            pixels_of(made),
            key=True,
        )


def _on_path(trajectories: Trajectories, best: DetectorResult) -> Picture:
    # The episode with the median F1 is typical.
    detected = best.detected
    scores = [f1_score(row, truth) for row, truth in zip(detected, best.labels, strict=True)]
    row = int(np.argsort(scores)[len(scores) // 2])
    episode = int(best.episodes[row])
    maze = trajectories.task.mazes[trajectories.maze[episode]]
    positions = trajectories.position[episode]
    plan = plan_of(maze, "large")
    plan.path(positions, colour=(198, 203, 214), width=0.05)
    plan.goal(divmod(int(trajectories.goal_cell[episode, 0]), maze.cols))
    right, found, true = detected[row] & best.labels[row], detected[row], best.labels[row]
    for chosen, kind, colour in (
        (true & ~found, "ring", FALSE_NEGATIVE),
        (right, "disc", TRUE_POSITIVE),
        (found & ~true, "cross", FALSE_POSITIVE),
    ):
        for x, y in positions[chosen][::4].tolist():
            plan.marker(x, y, kind=kind, colour=colour, size=0.16, width=0.03)  # type: ignore[arg-type]
    return Picture(
        SECTION,
        "loop closures on a path",
        f"The episode with the median F1, every fourth step: green discs are loop closures that {best.name} detects, grey rings "
        "those that it misses, red crosses false detections.",
        plan.array(),
        key=True,
    )
