"""The whole job in one command: train an agent, evaluate it in mazes it knows and in mazes it doesn't, and read its mind.

python -m experiments.quickstart --minutes 2 --task random-goal-small
"""

import sys
from dataclasses import dataclass, field

import tyro

from agents.checkpoint import load_checkpoint
from experiments.decode import decode, summary_of
from experiments.evaluate import evaluate, tasks_to_evaluate
from experiments.options import ProgressLine, write_json
from experiments.train import TrainOptions, train_or_explain
from experiments.train_options import train_arguments
from maze_gen.cli import parse_options
from maze_gen.errors import InputError, one_line_errors


@dataclass(frozen=True)
class QuickstartOptions:
    """Trains an agent, evaluates it beside a random policy and an oracle, and decodes positions from its memory.

    Attributes:
        training: every option of experiments.train.
        episodes: whole episodes of the evaluation, of each kind of maze, and of the decoding.
    """

    training: tyro.conf.OmitArgPrefixes[TrainOptions] = field(default_factory=TrainOptions)
    episodes: int = 100


@one_line_errors
def main() -> int:
    """The command."""
    arguments, default = train_arguments(sys.argv[1:])
    options = parse_options(QuickstartOptions, arguments, default=QuickstartOptions(default))
    if options.episodes < 2:
        raise InputError(f"--episodes {options.episodes}: expected at least 2: some to fit decoders on, others to test them")
    run = train_or_explain(options.training)
    if run is None:
        return 1
    if run.interrupted:
        print(f"go on with: python -m experiments.train --resume {run.folder}")
        return 130
    checkpoint = load_checkpoint(run.checkpoint)
    backend = checkpoint.backend
    with ProgressLine() as progress:
        found = evaluate(checkpoint, tasks_to_evaluate(checkpoint), options.episodes, backend=backend, progress=progress)
        write_json(run.folder / "evaluation.json", found.as_json())
        report = run.folder / "report.html"
        exhibits = decode(
            checkpoint, run.folder / "analysis", episodes=options.episodes, report=report, backend=backend, progress=progress
        )
    print(f"\n{found.table()}\n\n{summary_of(exhibits)}\n")
    print(f"checkpoint:   {run.checkpoint}")
    print(f"report:       {report}")
    print(f"curves:       .venv/bin/tensorboard --logdir {run.folder} --samples_per_plugin images=100")
    print(f"watch it:     .venv/bin/python -m experiments.play --checkpoint {run.checkpoint}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
