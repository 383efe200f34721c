"""Where TensorBoard shows a training's curves, and what each of them means.

`progress.jsonl` names a curve by what it is of, e.g. `loss/entropy`. TensorBoard sorts its page by tag, so that there the tags
begin with numbers: the return first, then evaluation and analysis, then losses, speed and cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from maze_gen.errors import InputError

RETURN, LOSSES, AUXILIARY, SPEED, CLUSTER = "0 Return", "6 Losses", "7 Auxiliary losses", "8 Speed", "9 Cluster"
POPULATION = "9 Population"

EVALUATION = "1 Evaluation"
EVALUATION_FOLDER = "evaluation"
"""In a run's folder; the agent and each baseline is a TensorBoard run in it."""
OWN, HELD_OUT = "its own mazes", "held-out mazes"
OWN_RETURN, HELD_OUT_RETURN = (f"{EVALUATION}/1 mean return, {mazes}" for mazes in (OWN, HELD_OUT))
OVERVIEW = "0 Read me first"

EPISODES = 100
"""Finished episodes that the means over episodes are of."""


@dataclass(frozen=True)
class Tag:
    """One curve.

    Attributes:
        tag: where TensorBoard shows it.
        meaning: a sentence or two, with the unit.
    """

    tag: str
    meaning: str

    @property
    def name(self) -> str:
        """The tag without its page."""
        return self.tag.partition("/")[2]


MEAN_RETURN = Tag(
    f"{RETURN}/1 mean return",
    f"Mean sum of rewards of the last {EPISODES} finished episodes of all workers. The agent explores while it trains: its "
    "actions are drawn from its policy, here as in the evaluation.",
)

_LOSSES = {
    "policy_loss": "Loss of the policy, mean over steps: of the clipped surrogate objective, or -log p(action) x advantage.",
    "value_loss": "Half the squared difference between the return and the value estimate, mean over steps.",
    "entropy": "Entropy of the policy in nats, mean over steps: ln n where n actions are equally likely, 0 where one is certain.",
    "entropy_weight": "Weight of the entropy in the loss: it grows where the entropy is below --entropy-target, else it falls.",
    "clip_fraction": "Fraction of steps whose probability ratio, policy to acting policy, lies outside of 1 ± clip range.",
    "approx_kl": "Divergence of the policy from the acting policy, in nats: the mean of r - 1 - ln r, r being that ratio.",
    "discriminator_loss": "Loss of the discriminator, of finished canvases and as many pictures; 1.39 where it can't tell.",
    "new_cells": "Fraction of steps that came into a cell which was new in its episode, before the goal was reached.",
    "score_real": "Mean score that the discriminator gives to pictures; above 0 it takes them for real.",
    "score_fake": "Mean score that the discriminator gives to finished canvases.",
    "grad_norm": "Norm of the agent's gradient before it is scaled down to max-grad-norm; the position decoder's isn't in it.",
}
_METRICS = {
    "accuracy": "Fraction of predictions whose most probable class is the true one.",
    "direction accuracy": "Fraction of predictions whose most probable direction is the true one.",
    "distance accuracy": "Fraction of predictions whose most probable class of distance is the true one.",
    "known rate": "Fraction of steps at which there is a target, e.g. those after the first visit to the goal.",
    "precision": "Fraction of detections that are right.",
    "recall": "Fraction of the loop closures, or of the pairs of views of one place, that are detected.",
    "F1": "Harmonic mean of precision and recall, at a threshold of 0.5.",
    "loop rate": "Fraction of steps that close a loop: what a detector without information has as its precision.",
    "mean squared error": "Of the depth values, each from 0 to 1.",
    "explained variance": "1 - squared error / variance of the target: 1 is perfect, 0 is as good as the mean.",
}
_SPEED = {
    "frames_per_second": "Simulated frames of 1/60 s, of all workers, per second of the clock, since the last point.",
    "acting_fraction": "Fraction of the workers' time that they act; the rest of it they learn.",
    "memory_mb": "Resident memory of all processes, in megabytes; what they share is counted in each of them.",
}
_CLUSTER = {
    "updates_in_flight": "Updates by others between a node's reading of the parameters and its change, mean over exchanges.",
    "weight": "Of the changes of nodes, mean over exchanges: below 1 where more updates than --in-flight were in flight.",
    "nodes": "Nodes that have workers which reported.",
    "round_seconds": "From the order of a node's exchange to its reply, mean over exchanges.",
    "mb_per_second": "Parameters sent to nodes and changes received, in megabytes per second of the clock.",
}

_POPULATION = {
    "learning_rate": "Learning rate of a member of the population, before the schedule; changes where it is replaced.",
    "entropy_cost": "Weight of the entropy of a member of the population; changes where it is replaced.",
    "generation": "How often a member of the population was replaced by a copy of the best one.",
    "score": "Mean score that the shared discriminator gave to a member's finished canvases since the last evolution.",
}


LIVE = "Live"
LIVE_PATH = Tag(
    f"{LIVE}/path of the best of 25 episodes, coloured by value",
    "The first 20 s of the episode with the highest return: yellow where the value estimate is high, dark where it is low.",
)
LIVE_OCCUPANCY = Tag(
    f"{LIVE}/occupancy of each cell in percent",
    "Percentage of the steps of 25 episodes of 20 s spent in each cell; hatched cells were never visited.",
)
LIVE_ACCURACY = Tag(
    f"{LIVE}/position accuracy in percent",
    "For each true cell, how often the agent's own position decoder names it; hatched cells were never visited.",
)
LIVE_POSTERIOR = Tag(
    f"{LIVE}/posterior over cells after 20 seconds",
    "What the agent's own decoder believes at the end of the path above, in blue; the red arrow is where it is.",
)
PICTURES = (LIVE_PATH, LIVE_OCCUPANCY, LIVE_ACCURACY, LIVE_POSTERIOR)
"""Pictures of a training, every two minutes (`experiments.analysis.during_training`); maps only where there is one maze."""


def tag_of(entry: str, statistics: Mapping[str, str]) -> Tag:
    """The tag of an entry of `progress.jsonl`.

    Args:
        entry: its name.
        statistics: what the worlds count in an episode, name → meaning.

    Raises:
        InputError: no such entry.
    """
    kind, _, name = entry.partition("/")
    if entry == "episode/return":
        return MEAN_RETURN
    if kind == "episode":
        counted = statistics.get(name, name)
        return Tag(f"{RETURN}/2 {name} per episode", f"Mean of the last {EPISODES} finished episodes: {counted}.")
    if kind == "speed" and name in _SPEED:
        return Tag(f"{SPEED}/{name.replace('_', ' ')}", _SPEED[name])
    if kind == "cluster" and name in _CLUSTER:
        return Tag(f"{CLUSTER}/{name.replace('_', ' ')}", _CLUSTER[name])
    if kind == "population" and (shown := name.partition(" ")[0]) in _POPULATION:
        return Tag(f"{POPULATION}/{name.replace('_', ' ')}", _POPULATION[shown])
    if kind == "loss" and name in _LOSSES:
        return Tag(f"{LOSSES}/{name.replace('_', ' ')}", _LOSSES[name])
    if kind == "loss":
        return Tag(
            f"{AUXILIARY}/{name}", f"{name.removesuffix(' loss').capitalize()}: the loss, mean over steps, without weight."
        )
    if kind == "auxiliary":
        loss, _, metric = name.partition(" ")
        return Tag(f"{AUXILIARY}/{name}", f"{loss.capitalize()}: {_METRICS.get(metric, metric)}")
    raise InputError(f"curve {entry!r}: expected episode/, loss/, auxiliary/, speed/, cluster/ or population/ before its name")


def tag_table(entries: Mapping[str, Tag]) -> list[list[str]]:
    """Rows of text: TensorBoard's tag, the entry's name in `progress.jsonl`, and what it means; pictures at the end."""
    rows = sorted(([tag.tag, name, tag.meaning] for name, tag in entries.items()), key=lambda row: row[0])
    return [["tag", "in progress.jsonl", "meaning"], *rows, *([tag.tag, "a picture", tag.meaning] for tag in PICTURES)]
