"""TensorBoard of a training: curves with their meaning, settings as text, and the run's row in the table of hyperparameters."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path

from agents.config import TrainConfig
from agents.trainer import Training
from experiments.event_file import EventFile
from experiments.summaries import Setting, hyperparameters, scalar, text
from experiments.tables import markdown_table
from experiments.tags import EVALUATION_FOLDER, HELD_OUT_RETURN, MEAN_RETURN, OVERVIEW, OWN_RETURN, Tag, tag_of, tag_table
from maze_gen.help_page import lines_of


class TrainingBoard:
    """Writes the TensorBoard folder of a run.

    Args:
        folder: of the run.
        frames: that the training has seen already; points past them, of an earlier session, are hidden.
    """

    def __init__(self, folder: Path, frames: int) -> None:
        self._file = EventFile(folder, purge_step=frames)
        self._statistics: Mapping[str, str] = {}
        self._tags: dict[str, Tag] = {}

    def describe(self, training: Training, started: float, frames: int) -> None:
        """Writes what is trained: its settings as text and as hyperparameters.

        Args:
            started: seconds since 1970.
            frames: that it has seen.
        """
        self._statistics = training.task.spec().statistics
        settings = settings_of(training)
        caption = "What is trained, and every setting with its value and its meaning."
        self._file.add(text(f"{OVERVIEW}/1 settings", markdown_table(settings_table(training)), "settings", caption), frames)
        metrics = [("", MEAN_RETURN.tag), *((f"{EVALUATION_FOLDER}/agent", tag) for tag in (OWN_RETURN, HELD_OUT_RETURN))]
        for summary in hyperparameters(settings, metrics, started):
            self._file.add(summary, frames)

    def write(self, entry: Mapping[str, float], frames: int) -> None:
        """Writes one point of every curve, at `frames`; the table of curves anew where there is a curve that it lacks.

        Raises:
            OSError: the disk is full, or the folder can't be written.
        """
        new = {name: tag_of(name, self._statistics) for name in entry if name not in self._tags}
        if new:
            table = markdown_table(tag_table(self._tags | new), left=3)
            caption = "Every curve and picture of the training; the step of all of them is frames of 1/60 s."
            self._file.add(text(f"{OVERVIEW}/2 meaning of the tags", table, "meaning of the tags", caption), frames)
            # Only now: where the disk was full, the table comes with the next entry.
            self._tags |= new
        for name, value in entry.items():
            if math.isfinite(value):
                tag = self._tags[name]
                self._file.add(scalar(tag.tag, value, tag.name, tag.meaning), frames)

    def close(self) -> None:
        self._file.close()


def settings_of(training: Training) -> dict[str, Setting]:
    """What was chosen for a training, by name: numbers, truth values and texts."""
    found: dict[str, Setting] = {
        "agent": training.agent_name,
        "task": training.task.name,
        "preset": training.preset,
        "seed": training.seed,
        "workers": training.workers,
        "device": training.device,
        "backend": training.backend,
        "serial": training.serial,
    }
    for item in dataclasses.fields(training.config):
        value = getattr(training.config, item.name)
        if isinstance(value, Mapping):
            found |= {f"{item.name} {name}": float(weight) for name, weight in value.items()}
        elif isinstance(value, bool | int | float | str):
            found[item.name] = value
        else:
            found[item.name] = ", ".join(map(str, value))
    return found


def settings_table(training: Training) -> list[list[str]]:
    """Rows of text: every setting, its value, and what it means."""
    meanings = {line.name.removeprefix("--").replace("-", "_"): line.text for line in lines_of(TrainConfig)}
    rows = [[name, str(value), meanings.get(name.partition(" ")[0], "")] for name, value in settings_of(training).items()]
    return [["setting", "value", "meaning"], *rows]
