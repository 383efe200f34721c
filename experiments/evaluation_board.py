"""An evaluation as TensorBoard's scalars: one point per figure, at the frames that the agent was trained for."""

from collections.abc import Iterator
from pathlib import Path

from torch.utils.tensorboard.writer import SummaryWriter

from experiments.analysis.evaluation import Evaluation
from experiments.analysis.metrics import Result
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
    for who, results in {"agent": found.results, **found.baselines}.items():
        place = folder / EVALUATION_FOLDER / who
        for old in place.glob("events.out.tfevents.*"):
            # TensorBoard would show two evaluations after the same number of frames as one curve.
            old.unlink()
        writer = SummaryWriter(str(place))
        file_writer = writer._get_file_writer()
        assert file_writer is not None
        for result in results:
            mazes = HELD_OUT if result.split == "heldout" else OWN
            for name, value, meaning in figures_of(result):
                if value is not None:
                    title = f"{name}, {mazes}"
                    caption = f"{meaning} Task {result.task}."
                    file_writer.add_summary(scalar(f"{EVALUATION}/{title}", value, title, caption), frames)
        if who == "agent":
            caption = "The evaluation: the agent, the random policy and the oracle in the same episodes."
            file_writer.add_summary(text(f"{OVERVIEW}/3 evaluation", markdown_table(table_of(found)), "evaluation", caption))
        writer.close()


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
