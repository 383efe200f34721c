"""All steps in one command: train an agent, evaluate it in its training mazes and in held-out ones, and analyse it.

python -m experiments.quickstart --minutes 2 --task random-goal-small
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field, replace

import tyro

from agents.config import MOST_COUNT
from experiments.options import ProgressLine, write_json
from experiments.train import TrainOptions, analysis_interruptible, say_how_to_go_on
from experiments.train_options import train_arguments
from maze_gen.cli import parse_options
from maze_gen.console import say
from maze_gen.errors import InputError, one_line_errors


@dataclass(frozen=True)
class QuickstartOptions:
    """Trains an agent, evaluates it beside a random policy and an oracle, and analyses it.

    Attributes:
        training: every option of experiments.train.
        episodes: whole episodes of the evaluation, on training and on held-out mazes each, and of the analysis.
    """

    training: tyro.conf.OmitArgPrefixes[TrainOptions] = field(default_factory=TrainOptions)
    episodes: int = 100


@one_line_errors
def main() -> int:
    """The command."""
    arguments, default = train_arguments(sys.argv[1:])
    options = parse_options(QuickstartOptions, arguments, default=QuickstartOptions(default))
    if not 2 <= options.episodes <= MOST_COUNT:
        raise InputError(
            f"--episodes {options.episodes}: expected 2 to {MOST_COUNT}: some to fit decoders on, others to test them"
        )
    # Imported after the options: they bring torch, which --help and mistakes need not wait for.
    from agents.checkpoint import load_checkpoint
    from experiments.analysis.evaluation import evaluate
    from experiments.analysis.playback import Playback
    from experiments.decode import ANALYSIS, decode, summary_of
    from experiments.evaluate import tasks_to_evaluate
    from experiments.evaluation_board import write_evaluation
    from experiments.train import train_or_explain

    run = train_or_explain(options.training)
    if run is None:
        return 1
    if run.interrupted:
        say_how_to_go_on(run)
        return 130
    report = run.folder / "report.html"
    with analysis_interruptible(run) as interrupted:
        checkpoint = load_checkpoint(run.checkpoint)
        with ProgressLine() as progress:
            playback = Playback(checkpoint.task, options.episodes, 0, checkpoint.backend, progress=progress)
            found = evaluate(checkpoint, playback, tasks_to_evaluate(checkpoint))
            write_json(run.folder / "evaluation.json", found.as_json())
            write_evaluation(run.folder, found, checkpoint.frames)
            items = decode(checkpoint, replace(playback, seed=1), run.folder / ANALYSIS, report)
        say(f"\n{found.table()}\n\n{summary_of(items)}\n")
    if interrupted:
        say_how_to_go_on(run)
        return 130
    quoted = shlex.quote
    say(f"checkpoint:   {run.checkpoint}")
    say(f"report:       {report}")
    say(f"curves:       .venv/bin/tensorboard --logdir {quoted(str(run.folder))} --samples_per_plugin images=100")
    say(f"watch it:     .venv/bin/python -m experiments.play --checkpoint {quoted(str(run.checkpoint))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
