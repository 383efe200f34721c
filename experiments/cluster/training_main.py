"""The process of a grid's training on a node: `python -m experiments.cluster.training_main REQUEST`, started by its actor."""

import pickle
import sys
from pathlib import Path

from agents.runtime.errors import WorkerError
from agents.runtime.processes import end_with
from maze_gen.console import say
from maze_gen.errors import one_line_errors

INTERRUPTED = 130


@one_line_errors
def main() -> int:
    """Trains, or goes on training, until the budget is spent; then evaluates."""
    # Written by this node's actor a moment ago.
    request, folder, parent = pickle.loads(Path(sys.argv[1]).read_bytes())
    end_with(parent)
    from experiments.reproduction.run import Ending, evaluate_run, train_run

    try:
        ending = train_run(request.run, folder, request.tasks[0], request.conditions, request.serial)
        if ending is Ending.INTERRUPTED:
            return INTERRUPTED
    except WorkerError as error:
        say(f"error: {error}", file=sys.stderr)
        return 1
    evaluate_run(request.run, folder, request.tasks, request.conditions, diverged=ending is Ending.DIVERGED)
    return 0


if __name__ == "__main__":
    sys.exit(main())
