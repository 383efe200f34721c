"""`python -m tests.fuzz --count 10000`: exits with 1 where an input ended in a traceback, a crash or a standstill."""

import argparse
import sys
from pathlib import Path

from tests.fuzz.runner import KINDS, outcome, report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="inputs in all")
    parser.add_argument("--first", type=int, default=0, help="number of the first input of each kind")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--out", type=Path, help="a JSON file for the tracebacks")
    parser.add_argument(
        "--one", nargs=2, metavar=("KIND", "NUMBER"), help="runs one input in this process and prints what it did"
    )
    options = parser.parse_args()
    if options.one:
        print(outcome(options.one[0], int(options.one[1])))
        return 0
    return int(report(options.count, options.first, options.kinds, options.out) > 0)


if __name__ == "__main__":
    sys.exit(main())
