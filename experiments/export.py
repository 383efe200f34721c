"""Writes a trained agent to a file for distribution: a third of its checkpoint's size, without the optimiser's state.

python -m experiments.export --checkpoint runs/NAME --out agent.safetensors
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.options import check_writable, command
from maze_gen.console import say
from maze_gen.errors import InputError


@dataclass(frozen=True)
class ExportOptions:
    """Writes a trained agent without its optimiser's state: it can be evaluated, analysed and played, but not trained further.

    Attributes:
        checkpoint: a run's folder, or its checkpoint.
        out: the file to write; its name ends in .safetensors.
    """

    checkpoint: Path
    out: Path


def run(options: ExportOptions) -> None:
    from agents.checkpoint import load_checkpoint, save_checkpoint

    if options.out.suffix != ".safetensors":
        raise InputError(f"--out {options.out}: expected a name that ends in .safetensors")
    checkpoint = load_checkpoint(options.checkpoint)
    check_writable(options.out)
    save_checkpoint(options.out, replace(checkpoint, statistics={}, workers={}, log={}))
    say(f"{options.out}: {checkpoint.agent_name} of {checkpoint.task.name}, {options.out.stat().st_size / 1e6:.1f} MB")


main = command(ExportOptions, run)

if __name__ == "__main__":
    sys.exit(main())
