"""An evaluation as TensorBoard's scalars: one point per figure, at the frames that the agent was trained for."""

from collections.abc import Iterator
from pathlib import Path

from experiments.analysis.evaluation import Evaluation
from experiments.analysis.metrics import Result
from experiments.event_file import EventFile
from experiments.summaries import scalar, text
from experiments.tables import MISSING, markdown_table
from experiments.tags import EVALUATION, EVALUATION_FOLDER, HELD_OUT, OVERVIEW, OWN


def figures_of(result: Result) -> Iterator[tuple[str, float | None, str]]:
    """(name, value, meaning) of each figure of a result."""
    middle = result.as_json()["return"]
    over = f"over {len(result.returns)} whole episodes"
    yield "1 mean return", middle["mean"], f"Mean sum of rewards {over}."
    yield "2 interquartile mean of the return", middle["iqm"], f"Mean of the middle half of the returns {over}."
    yield "3 goals per episode", result.goals, f"Mean number of goals {over}."
    yield "4 episodes with a goal", result.goal_episodes, "Fraction of episodes in which the goal was reached."
    yield "5 seconds to the first goal", result.latency_first_s, "Mean over the episodes in which a goal was reached."
    yield "6 seconds to later goals", result.latency_later_s, "Mean time from a goal to the next one."
    yield "7 position accuracy", result.position_accuracy, "Fraction of steps at which the agent's decoder names the true cell."
    yield (
        "8 loop-closure F1",
        result.loop_closure_f1,
        "Of the agent's own head, in episodes on which its threshold wasn't chosen.",
    )
    worth = result.memory_worth
    meaning = "Mean return less that of the same episodes with the network's state erased at every respawn."
    yield "9 worth of memory", worth.returns.value if worth else None, meaning


def write_evaluation(folder: Path, found: Evaluation, frames: int) -> None:
    """Writes the figures of an evaluation into `folder/evaluation`, one TensorBoard run for the agent and each baseline.

    Args:
        folder: of the training.
        frames: that the agent was trained for, the step of all points.
    """
    everybody = {"agent": found.results, **found.baselines}
    for who, figures in {**{who: _named(results) for who, results in everybody.items()}, **_ends(everybody)}.items():
        place = folder / EVALUATION_FOLDER / who
        for old in place.glob("events.out.tfevents.*"):
            # TensorBoard would show two evaluations after the same number of frames as one curve.
            old.unlink()
        file = EventFile(place)
        for title, (value, caption) in figures.items():
            file.add(scalar(f"{EVALUATION}/{title}", value, title, caption), frames)
        if who == "agent":
            caption = "The evaluation: the agent and the baselines in the same episodes."
            file.add(text(f"{OVERVIEW}/3 evaluation", markdown_table(table_of(found)), "evaluation", caption))
        file.close()


Named = dict[str, tuple[float, str]]
"""Title of a chart → (figure, caption)."""


def _named(results: list[Result]) -> Named:
    return {
        f"{name}, {HELD_OUT if result.split == 'heldout' else OWN}": (value, f"{meaning} Task {result.task}.")
        for result in results
        for name, value, meaning in figures_of(result)
        if value is not None
    }


def _ends(everybody: dict[str, list[Result]]) -> dict[str, Named]:
    """`lowest` and `highest` of each chart: TensorBoard takes the outermost of a few points for outliers and would hide them."""
    every = [_named(results) for results in everybody.values()]
    charts = {title: caption for named in every for title, (_, caption) in named.items()}
    values = {title: [named[title][0] for named in every if title in named] for title in charts}
    ends = (("lowest", min), ("highest", max))
    return {run: {title: (end(values[title]), caption) for title, caption in charts.items()} for run, end in ends}


def table_of(found: Evaluation) -> list[list[str]]:
    """Rows of text: a column for each agent and baseline, a row for each figure."""
    everybody = {found.agent: found.results, **found.baselines}
    rows: dict[str, dict[str, str]] = {}
    for who, results in everybody.items():
        for result in results:
            mazes = HELD_OUT if result.split == "heldout" else OWN
            for name, value, _ in figures_of(result):
                if value is not None:
                    rows.setdefault(f"{name[2:]}, {mazes}", {})[who] = f"{value:.3g}"
    return [["", *everybody], *([name, *(row.get(who, MISSING) for who in everybody)] for name, row in rows.items())]
