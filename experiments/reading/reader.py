"""Reads an agent whole: plays, decodes, and makes every exhibit, in the order in which they are shown."""

from collections.abc import Callable

from agents.checkpoint import Checkpoint
from env.task import Task
from experiments.reading.behaviour import behaviour_exhibits
from experiments.reading.depth import depth_exhibits
from experiments.reading.exhibits import Exhibit
from experiments.reading.loop_closure import loop_exhibits, read_loops
from experiments.reading.mind import layers_of, record_mind
from experiments.reading.position_pictures import position_exhibits, posterior_film, read_positions
from experiments.reading.units import unit_exhibits

FILMED = (3, 4, 8, 9)
"""Episodes whose every picture is kept; decoders aren't fitted on them."""
THUMBNAILS = 2000


def read_agent(
    checkpoint: Checkpoint,
    task: Task,
    episodes: int,
    seed: int,
    *,
    backend: str = "embedded",
    threads: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Exhibit]:
    """Plays `episodes` with the agent and analyses them.

    Args:
        progress: told what is being done.
    """
    tell = progress or (lambda text: None)
    stride = max(1, episodes * task.episode_steps // THUMBNAILS)
    recording = record_mind(
        checkpoint,
        task,
        episodes,
        seed,
        keep_pictures=FILMED if episodes > FILMED[0] else (episodes - 1,),
        thumbnail_stride=stride,
        backend=backend,
        threads=threads,
        progress=lambda text: tell(f"playing {task.name}: {text}"),
    )
    layers = layers_of(checkpoint)
    readings = read_positions(recording, layers, tell, threads)
    exhibits = position_exhibits(recording, readings)
    film = posterior_film(recording, readings.best)
    if film is not None:
        exhibits.append(film)
    tell("reading loop closure, depth and behaviour")
    exhibits += loop_exhibits(recording, read_loops(recording, layers))
    exhibits += depth_exhibits(recording)
    exhibits += behaviour_exhibits(recording)
    tell("reading single units")
    exhibits += unit_exhibits(recording, layers)
    return exhibits
