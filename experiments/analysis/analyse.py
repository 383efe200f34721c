"""The whole analysis of an agent: plays it, fits decoders, and makes every item in the order in which they are shown."""

from dataclasses import replace

from agents.checkpoint import Checkpoint
from experiments.analysis.activations import record_activations
from experiments.analysis.behaviour import behaviour_items, play_baselines
from experiments.analysis.depth import depth_items
from experiments.analysis.evaluation import has_state
from experiments.analysis.items import Item, Number, Table
from experiments.analysis.loop_closure import detect_loops, loop_items
from experiments.analysis.memory import erased_agent, memory_worth
from experiments.analysis.moved_goal import EPISODES as MOVED_GOAL_EPISODES
from experiments.analysis.moved_goal import moved_goal_items
from experiments.analysis.place_cells import unit_items
from experiments.analysis.playback import Playback
from experiments.analysis.position import SECTION as POSITION_SECTION
from experiments.analysis.position import decode_positions, position_items
from experiments.analysis.posterior import posterior_items
from experiments.analysis.recorder import Pictures, record
from experiments.analysis.relative import decode_relative, relative_items
from experiments.analysis.threads import one_torch_thread
from experiments.analysis.trajectories import Trajectories
from experiments.provenance import Provenance
from experiments.tables import MISSING

FILMED = (3, 4, 8, 9)
"""Episodes whose every picture is kept; decoders are tested on them, not fitted."""
THUMBNAILS = 2000
OVERVIEW = "0 Read me first"


def analyse_agent(checkpoint: Checkpoint, playback: Playback, made: Provenance) -> list[Item]:
    """Plays the episodes of `playback` with the agent and analyses them."""
    with one_torch_thread():
        return _analyse(checkpoint, playback, made)


def _analyse(checkpoint: Checkpoint, playback: Playback, made: Provenance) -> list[Item]:
    task, progress = playback.task, playback.progress
    pictures = Pictures(
        FILMED if playback.episodes > FILMED[0] else (playback.episodes - 1,),
        max(1, playback.episodes * task.episode_steps // THUMBNAILS),
    )
    trajectories = record_activations(checkpoint, playback.labelled(f"playing {task.name}"), pictures=pictures)
    positions = decode_positions(trajectories, progress, playback.threads)
    items = [_overview(checkpoint, trajectories, made), *position_items(trajectories, positions)]
    if len(task.mazes) > 1:
        items += relative_items(trajectories, decode_relative(trajectories, progress, playback.threads))
    items += posterior_items(POSITION_SECTION, trajectories, positions.best)
    progress("analysing loop closure, depth and behaviour")
    items += loop_items(trajectories, detect_loops(trajectories))
    items += depth_items(trajectories)
    # On the engine these take seconds; on another backend each takes as long as the agent's own episodes.
    embedded = playback.backend == "embedded"
    worth = None
    if embedded and has_state(checkpoint):
        erased = record(playback.labelled("playing with the state erased at respawns"), erased_agent(checkpoint, "respawn"))
        worth = memory_worth(trajectories, erased)
    items += behaviour_items(trajectories, play_baselines(playback) if embedded else {}, worth)
    if embedded:
        progress("playing episodes with a moved goal")
        items += moved_goal_items(checkpoint, replace(playback, episodes=min(playback.episodes, MOVED_GOAL_EPISODES)))
    progress("analysing single units")
    items += unit_items(trajectories)
    items.insert(1, _figures(items))
    return items


def _figures(items: list[Item]) -> Table:
    """Every number with its references, on the first page."""
    numbers = [item for item in items if isinstance(item, Number)]
    return Table(
        OVERVIEW,
        "figures at a glance",
        "All figures, with 95 % intervals over episodes, and their references.",
        ["page", "figure", "agent", "interval", "references"],
        [
            [number.section, number.name, number.value_text, number.interval_text or MISSING, number.beside_text()]
            for number in numbers
        ],
    )


def _overview(checkpoint: Checkpoint, trajectories: Trajectories, made: Provenance) -> Table:
    task = trajectories.task
    trained = f"{checkpoint.frames:,} frames of {checkpoint.task.name}, preset {checkpoint.preset}, seed {checkpoint.seed}"
    mazes = "one maze" if len(task.mazes) == 1 else f"{len(task.mazes)} {task.split} mazes"
    rules = f"goal {'fixed' if task.goal == 'fixed' else 'drawn in every episode'}, episodes of {task.episode_seconds} s"
    size = f"{task.mazes[0].rows} x {task.mazes[0].cols} cells"
    return Table(
        OVERVIEW,
        "what is analysed here",
        "Position: what the network represents about its cell, heading and goal. Loop closure: whether it recognises places. "
        "Depth: what its depth heads predict. Behaviour: how well it navigates. Network: what single units respond to. Beside "
        "each figure stand its references: chance, a control, or another policy. Intervals hold 95 % of bootstrap samples over "
        "episodes. In TensorBoard references are runs of their own, and the projector shows the network's states.",
        ["", ""],
        [
            ["agent", checkpoint.agent_name],
            ["trained on", trained],
            ["played here", f"{trajectories.episodes} episodes of {task.name}: {mazes} of {size}, {rules}"],
            ["checkpoint", checkpoint.origin],
            ["made", made.date],
            ["by", made.version],
            ["command", made.command],
        ],
        key=True,
    )
