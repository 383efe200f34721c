"""The paper's results: Mirowski et al., Learning to Navigate in Complex Environments, ICLR 2017.

`SCORES` and `HUMAN` stand in the legends of its learning curves: mean of the best 5 of 64 settings, after 1e8 frames. `DETAILS`
is the table of its first version (arXiv 1611.03673v1), of 100 test episodes of the best agent. All of it was measured in the
paper's own mazes: `static-small` and the others are layouts of ours with the same size, fruit and length of path, while
DeepMind Lab's released levels (`nav_maze_static_01`, ...) are the paper's.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Details:
    """Further figures of an agent on a task, from the paper's first version.

    Attributes:
        goal_episodes: fraction of 100 episodes in which the goal was reached, 0 to 1.
        position_accuracy: of its position decoder, 0 to 1.
        latency_first_s, latency_later_s: seconds to the first goal, and to each later one.
    """

    goal_episodes: float
    position_accuracy: float
    latency_first_s: float
    latency_later_s: float


TASKS = ("static-small", "static-large", "i-maze", "random-goal-small", "random-goal-large")

LEVELS = {
    "static_01": "static-small",
    "static_02": "static-large",
    "random_goal_01": "random-goal-small",
    "random_goal_02": "random-goal-large",
}
"""Ends of the names of DeepMind Lab's levels and of their maze files → our name of the paper's task."""

NAMES = {
    "ff": "FF A3C*",
    "lstm": "LSTM A3C*",
    "nav": "Nav A3C*",
    "nav-l": "Nav A3C*+L",
    "nav-d1l": "Nav A3C*+D1L",
    "nav-d1": "Nav A3C+D1",
    "nav-d2": "Nav A3C+D2",
    "nav-d1d2l": "Nav A3C+D1D2L",
}
"""Our names → the paper's; a star marks rewards that were scaled and clipped."""

_SCORES = {
    "ff": (79, 81, 98, 61, 69),
    "lstm": (98, 154, 181, 65, 57),
    "nav": (94, 157, 244, 73, 56),
    "nav-l": (101, 172, 160, 71, 87),
    "nav-d1l": (101, 172, 266, 79, 90),
    "nav-d1": (117, 192, 251, 80, 80),
    "nav-d2": (119, 199, 266, 96, 103),
    "nav-d1d2l": (116, 191, 261, 85, 101),
}
SCORES: dict[tuple[str, str], float] = {
    (task, agent): float(score) for agent, scores in _SCORES.items() for task, score in zip(TASKS, scores, strict=True)
}
"""(task, agent) → mean return of an episode."""

HUMAN: dict[str, float] = {"static-small": 95.0, "static-large": 172.0, "random-goal-small": 106.0, "random-goal-large": 172.0}
"""Task → return of the paper's human expert."""

_DETAILS: dict[str, tuple[tuple[float, float, float, float], ...]] = {
    # Episodes with a goal in %, position accuracy in %, seconds to the first goal, and to later ones; tasks as in TASKS.
    "ff": ((100, 64.3, 8.8, 8.7), (100, 55.6, 24.2, 22.9), (94, 42.2, 9.3, 9.0), (88, 51.8, 11.0, 9.9), (93, 30.0, 27.3, 28.2)),
    "lstm": (
        (100, 88.6, 6.1, 5.9),
        (100, 80.4, 15.5, 14.9),
        (100, 87.8, 15.3, 3.2),
        (85, 51.1, 11.1, 9.2),
        (74, 33.4, 21.5, 29.7),
    ),
    # The first version calls it Nav A3C+D+L; its scores there, 101, 266, 79 and 90, are those of Nav A3C*+D1L here.
    "nav-d1l": (
        (100, 86.0, 7.2, 6.7),
        (100, 91.4, 12.3, 12.9),
        (100, 68.5, 10.7, 2.7),
        (100, 78.7, 10.0, 8.0),
        (90, 51.0, 17.9, 18.4),
    ),
}
DETAILS: dict[tuple[str, str], Details] = {
    (task, agent): Details(goals / 100, position / 100, first, later)
    for agent, rows in _DETAILS.items()
    for task, (goals, position, first, later) in zip(TASKS, rows, strict=True)
}
"""(task, agent) → figures of the paper's first version."""

LOOP_CLOSURE_F1 = 0.83
"""On random goal large, over 100 episodes."""


def paper_task(name: str) -> str | None:
    """The paper's task that corresponds to a task of ours, a released level or its layout; None for any other.

    Args:
        name: of a task, e.g. `static-small`, `lab-static-01`, `lab:nav_maze_static_01`, or `static_01` of a file of that name.
    """
    if name in TASKS:
        return name
    return LEVELS.get(name.removeprefix("lab:").removeprefix("lab-").removeprefix("nav_maze_").replace("-", "_"))
