"""The paper's matrix of agents and mazes, filled from the tables of grids (`table.json` of `experiments.reproduce`)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.reproduction import paper
from experiments.tables import MISSING, markdown_table, number, percent
from maze_gen.config_io import parse_json
from maze_gen.errors import InputError

AGENTS = (*paper.NAMES, "nav-rgbd", "nav-r", "nav-rd2", "nav-d1d2")
"""Rows of the matrix, those of the paper's figure first."""


@dataclass(frozen=True)
class Cell:
    """What a grid found of one agent on one of the paper's tasks, on its training maze.

    Attributes:
        task: the paper's; maze: what was played, e.g. `static_01`.
        seeds: how many; frames: of each training.
        mean: return of an episode, over seeds and episodes.
        low, high: 95 % bootstrap interval of the interquartile mean.
        of_oracle: fraction of the oracle's mean return.
        goal_episodes, position_accuracy: fractions; the latter None for agents without a decoder.
        first, later: seconds to the first goal and to each later one; None where none was reached.
        preset: of the trainings.
        grid: folder of the table.
    """

    agent: str
    task: str
    maze: str
    seeds: int
    frames: float
    mean: float
    low: float
    high: float
    of_oracle: float
    goal_episodes: float
    position_accuracy: float | None
    first: float | None
    later: float | None
    preset: str
    grid: str


def read_cells(path: Path) -> list[Cell]:
    """The cells of one `table.json`; none where its tasks aren't the paper's.

    Raises:
        InputError: the file can't be read, or isn't such a table.
    """
    try:
        content = parse_json(path.read_text(encoding="utf-8"), str(path))
        return list(_cells(content, path.parent.name))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: not the table of a grid ({error})") from error


def _cells(content: dict[str, Any], grid: str) -> Iterable[Cell]:
    for task in content["tasks"]:
        named = paper.paper_task(task["task"])
        if named is None or task["pool"]:
            continue
        for row in task["agents"]:
            score = next(score for score in row["scores"] if score["split"] != "heldout")
            yield Cell(
                row["agent"],
                named,
                task["task"],
                len(row["seeds"]),
                row["frames"],
                score["mean"],
                score["iqm"]["low"],
                score["iqm"]["high"],
                score["of_oracle"],
                score["goal_episodes"],
                score["position_accuracy"],
                score["latency_first_s"],
                score["latency_later_s"],
                content["conditions"]["preset"],
                grid,
            )


def longest(cells: Iterable[Cell]) -> dict[tuple[str, str], Cell]:
    """(agent, paper's task) → the cell with the most frames a training, of as many the one with the most seeds."""
    found: dict[tuple[str, str], Cell] = {}
    for cell in cells:
        place = cell.agent, cell.task
        if place not in found or (cell.frames, cell.seeds) > (found[place].frames, found[place].seeds):
            found[place] = cell
    return found


def matrix(cells: Sequence[Cell]) -> str:
    """A Markdown page: returns beside the paper's for every agent and task, and the figures of each cell."""
    best = longest(cells)
    rows = [agent for agent in AGENTS if agent in paper.NAMES or any(cell.agent == agent for cell in cells)]
    lines = [["agent", *paper.TASKS]]
    for agent in rows:
        scores = (paper.SCORES.get((task, agent)) for task in paper.TASKS)
        lines.append([agent, *(_entry(best.get((agent, task)), score) for task, score in zip(paper.TASKS, scores, strict=True))])
    lines.append(["human", *(f"{MISSING} / {number(paper.HUMAN.get(task), 0)}" for task in paper.TASKS)])
    filled = sum((agent, task) in best for agent in paper.NAMES for task in paper.TASKS)
    parts = [
        "# The paper's matrix",
        f"Mean return of an episode: ours after so many million frames / the paper's after 100 million. {filled} of the "
        f"{len(paper.NAMES) * len(paper.TASKS)} combinations of the paper's agents and mazes have a figure here.",
        markdown_table(lines),
        "Each figure of ours, on the agent's own maze:",
        markdown_table([_HEADER, *(_details(best[place]) for place in sorted(best, key=_order))], left=3),
    ]
    return "\n\n".join(parts) + "\n"


_HEADER = [
    "agent",
    "maze",
    "grid",
    "preset",
    "seeds",
    "million frames",
    "return",
    "95 % interval of the IQM",
    "of the oracle's",
    "with a goal",
    "position",
    "first : later goal",
]


def _order(place: tuple[str, str]) -> tuple[int, int]:
    agent, task = place
    return paper.TASKS.index(task), AGENTS.index(agent) if agent in AGENTS else len(AGENTS)


def _entry(cell: Cell | None, score: float | None) -> str:
    ours = MISSING if cell is None else f"{cell.mean:.0f} ({cell.frames / 1e6:.0f} M)"
    return f"{ours} / {number(score, 0)}"


def _details(cell: Cell) -> list[str]:
    return [
        cell.agent,
        cell.maze,
        cell.grid,
        cell.preset,
        str(cell.seeds),
        f"{cell.frames / 1e6:.1f}",
        f"{cell.mean:.1f}",
        f"{cell.low:.1f} to {cell.high:.1f}",
        percent(cell.of_oracle),
        percent(cell.goal_episodes),
        percent(cell.position_accuracy, 1),
        f"{number(cell.first)} : {number(cell.later)} s",
    ]
