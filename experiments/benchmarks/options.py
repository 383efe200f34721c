"""The options of `python -m experiments.benchmark`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

Part = Literal["engine", "train", "drawing", "painting", "cluster", "cluster-speed", "cluster-kills"]


@dataclass(frozen=True)
class BenchmarkOptions:
    """Measures speed: of the engine alone, of acting, learning and both, of drawing scenes and films, of painting, and of
    clusters.

    Attributes:
        parts: what to measure: engine, train, drawing, painting, and with Ray cluster (a driver and its nodes), cluster-speed (a
            node beside the same workers without a cluster) and cluster-kills (what is lost when); the first four where none is
            named.
        json: a file for the measurements.
        device: where the engine, or the whole training, is computed: cpu or cuda.
        num_envs: worlds in the engine's batch; on the GPU several batch sizes are measured instead.
        threads: of the engine and of brushes, on the CPU.
        sizes: of the mazes in which the engine is measured, rows x cols.
        seconds: duration of each measurement.
        encoder: of the agent that is trained on the CPU, convolutional or deep.
    """

    parts: Annotated[tuple[Part, ...], tyro.conf.Positional] = ()
    json: Path | None = None
    device: Literal["cpu", "cuda"] = "cpu"
    num_envs: int = 64
    threads: int = 1
    sizes: tuple[str, ...] = ("5x10", "13x20")
    seconds: float = 1.0
    encoder: str = "convolutional"
