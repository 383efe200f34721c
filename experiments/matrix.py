"""Fills the paper's matrix of agents and mazes from the tables of grids.

python -m experiments.matrix --grids docs/results/order docs/results/static_01* docs/results/random* --out docs/results/matrix.md
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from experiments.options import check_writable, command, write_file
from maze_gen.console import say
from maze_gen.errors import InputError


@dataclass(frozen=True)
class MatrixOptions:
    """Reads the tables of grids that `experiments.reproduce` trained, and sets their returns beside the paper's.

    Where several grids have an agent on a maze, the one with the most frames counts.

    Attributes:
        grids: folders of grids, each with its table.json; a folder without one is left out.
        out: where to write the page; it is shown without.
    """

    grids: tuple[Path, ...] = ()
    out: Path | None = None


def run(options: MatrixOptions) -> None:
    check_writable(options.out)
    # Imported after the options, which --help and mistakes need not wait for.
    from experiments.reproduction.matrix import matrix, read_cells

    tables = [folder / "table.json" for folder in options.grids if (folder / "table.json").is_file()]
    if not tables:
        given = " ".join(map(str, options.grids))[:200]
        raise InputError(f"--grids {given}: expected folders with a table.json that experiments.reproduce wrote")
    page = matrix([cell for table in tables for cell in read_cells(table)])
    if options.out is None:
        say(page, end="")
        return
    write_file(options.out, page)
    say(f"matrix: {options.out}")


main = command(MatrixOptions, run)

if __name__ == "__main__":
    sys.exit(main())
