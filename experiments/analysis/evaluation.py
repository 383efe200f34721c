"""Evaluation of an agent on several tasks, beside random, searching and all-knowing policies in the same episodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.checkpoint import Checkpoint
from env.task import Task
from experiments.analysis.head_outputs import HeadProbe
from experiments.analysis.memory import Erasure, erased_agent, memory_worth
from experiments.analysis.metrics import Result, result_of, table, trip_table
from experiments.analysis.playback import Playback
from experiments.analysis.recorder import record
from experiments.policies import BASELINES, player_of


@dataclass(frozen=True)
class Evaluation:
    """Figures of an agent and of the baselines on the same tasks, in the same order."""

    checkpoint: str
    agent: str
    results: list[Result]
    baselines: dict[str, list[Result]]

    def as_json(self) -> dict[str, Any]:
        """The form that `evaluate --json` writes."""
        return {
            "checkpoint": self.checkpoint,
            "agent": self.agent,
            "results": [result.as_json() for result in self.results],
            "baselines": {name: [result.as_json() for result in results] for name, results in self.baselines.items()},
        }

    def table(self) -> str:
        """A line for the agent and for each baseline, task by task; below, the agent's trips."""
        rows = []
        for index, result in enumerate(self.results):
            rows.append((self.agent, result))
            rows += [(name, results[index]) for name, results in self.baselines.items()]
        trips = trip_table([(self.agent, result) for result in self.results])
        return table(rows) + (f"\n\n{trips}" if trips else "")


def evaluate(
    checkpoint: Checkpoint,
    playback: Playback,
    tasks: Sequence[Task] = (),
    *,
    baselines: bool = True,
    erase: Erasure | None = None,
) -> Evaluation:
    """Plays an agent and the baselines.

    Args:
        checkpoint: the agent; its observation size must be that of the tasks.
        playback: episodes, seed, backend and device.
        tasks: what is played; the playback's own task where none is given.
        baselines: whether `BASELINES` play too.
        erase: when the agent's state is erased, in place of the agent as it is; the worth of memory isn't measured then.
    """
    played = [playback.on(task) for task in tasks or (playback.task,)]
    return Evaluation(
        checkpoint.origin,
        checkpoint.agent_name,
        [evaluate_agent(checkpoint, each, erase) for each in played],
        {name: [evaluate_baseline(name, each) for each in played] for name in BASELINES} if baselines else {},
    )


def evaluate_agent(checkpoint: Checkpoint, playback: Playback, erase: Erasure | None = None) -> Result:
    """Figures of an agent on the playback's task, with the worth of its memory where the network has a recurrent state."""
    name = checkpoint.agent_name
    if erase is not None:
        policy = erased_agent(checkpoint, erase)
        return result_of(record(_named(playback, f"{name}, state erased"), policy, probe=HeadProbe()))
    found = record(_named(playback, name), player_of(checkpoint), probe=HeadProbe())
    if not has_state(checkpoint):
        return result_of(found)
    erased = record(_named(playback, f"{name}, state erased at respawns"), erased_agent(checkpoint, "respawn"))
    return result_of(found, memory_worth(found, erased))


def has_state(checkpoint: Checkpoint) -> bool:
    """Whether the agent's network has a recurrent state."""
    return bool(checkpoint.model().network.initial_state(1))


def evaluate_baseline(name: str, playback: Playback) -> Result:
    """Figures of one of `BASELINES`, which play on the CPU on any device: the episodes are the same."""
    return result_of(record(_named(playback.on_cpu, name), BASELINES[name]))


def _named(playback: Playback, who: str) -> Playback:
    return playback.labelled(f"{who} on {playback.task.name}, {playback.task.split} mazes")
