"""Analyses an agent: its representation of position, loop closure, depth, behaviour, and what single units respond to.

    python -m experiments.decode --checkpoint runs/NAME --logdir runs/NAME/analysis --report report.html

Any checkpoint can be analysed: decoders are fitted after training, on features that stay as they are.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from experiments.cluster.episodes import episodes_on
from experiments.options import ProgressLine, TaskOptions, check_writable, command
from maze_gen.console import say
from maze_gen.errors import InputError

if TYPE_CHECKING:
    from agents.checkpoint import Checkpoint
    from experiments.analysis.items import Item
    from experiments.analysis.playback import Playback

ANALYSIS = "analysis"
"""Folder of an analysis in a run's folder."""


@dataclass(frozen=True)
class DecodeOptions:
    """Plays whole episodes with a checkpoint, analyses it, and writes the results for TensorBoard and as an HTML page.

    Attributes:
        world: the task; by default the checkpoint's own.
        checkpoint: the agent: a run's folder, or its checkpoint.
        episodes: whole episodes; decoders are fitted on 60 % of them and tested on the others.
        seed: episode k is (seed, k).
        device: where the worlds are stepped and the agent acts: cpu or cuda. Decoders are fitted on the CPU.
        logdir: TensorBoard folder; by default `analysis` beside the checkpoint.
        report: a self-contained HTML page to write; its figures are written beside it, under the same name with .json.
        threads: blocks of episodes and decoders at the same time; one per processor core by default.
        cluster: the Ray cluster whose processors play blocks of episodes: local, HOST:PORT of its head, or auto. Decoders are
            fitted on this machine.
    """

    checkpoint: Path | None = None
    world: tyro.conf.OmitArgPrefixes[TaskOptions] = field(default_factory=TaskOptions)
    episodes: int = 100
    seed: int = 1
    device: Literal["cpu", "cuda"] = "cpu"
    logdir: Path | None = None
    report: Path | None = None
    threads: int | None = None
    cluster: str | None = None


def decode(checkpoint: Checkpoint, playback: Playback, logdir: Path, report: Path | None = None) -> list[Item]:
    """Analyses an agent and writes everything into the TensorBoard folder `logdir`, and the key items into `report`.

    Beside a `report.html` its figures are written as `report.json`.

    Raises:
        InputError: fewer than two episodes, a folder that can't be written, or a task that can't be played.
    """
    from experiments.analysis.analyse import analyse_agent
    from experiments.analysis.report import write_report
    from experiments.analysis.tensorboard import BoardWriter
    from experiments.provenance import provenance

    if playback.episodes < 2:
        raise InputError(f"episodes is {playback.episodes}, expected at least 2: some to fit decoders on, others to test them")
    made = provenance()
    writer = BoardWriter(logdir, checkpoint.frames)
    try:
        items = analyse_agent(checkpoint, playback, made)
        writer.write(items)
    finally:
        writer.close()
    if report is not None:
        write_report(report, items, f"Analysis of {checkpoint.agent_name} on {playback.task.name}", made)
    return items


def run(options: DecodeOptions) -> None:
    from agents.checkpoint import checkpoint_path, load_checkpoint
    from experiments.analysis.playback import Playback

    if options.checkpoint is None:
        raise InputError("which agent? give --checkpoint FILE")
    if options.report is not None and options.report.suffix == ".json":
        raise InputError(f"--report {options.report}: expected the name of an HTML page; figures come beside it as JSON")
    check_writable(options.report)
    checkpoint = load_checkpoint(options.checkpoint)
    world = options.world
    task = world.task_or(checkpoint.task)
    logdir = options.logdir or checkpoint_path(options.checkpoint).parent / ANALYSIS
    with episodes_on(options.cluster, options.device, options.threads) as jobs, ProgressLine() as progress:
        played = task, options.episodes, options.seed, world.backend, options.device, options.threads
        playback = Playback(*played, progress, jobs)
        items = decode(checkpoint, playback, logdir, options.report)
    say(summary_of(items))
    say(f"\nview it: tensorboard --logdir {shlex.quote(str(logdir))} --samples_per_plugin images=100")
    if options.report is not None:
        say(f"report: {options.report} (its figures: {options.report.with_suffix('.json')})")


def summary_of(items: Sequence[Item]) -> str:
    """The key numbers with their intervals and references, one per line."""
    from experiments.analysis.items import Number

    lines = []
    for item in items:
        if isinstance(item, Number) and item.key:
            within = f" [{item.interval_text}]" if item.interval_text else ""
            beside = f" ({item.beside_text()})" if item.beside else ""
            lines.append(f"{item.section[2:]}: {item.name} {item.value_text}{within}{beside}")
    return "\n".join(lines)


main = command(DecodeOptions, run)

if __name__ == "__main__":
    sys.exit(main())
