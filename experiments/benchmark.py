"""`python -m experiments.benchmark`: measures speed, prints it, and writes it as JSON.

Each part is a module of `experiments.benchmarks` with a function `measure(options)` that yields measurements.
"""

import importlib
from dataclasses import asdict

from agents.config import MOST_COUNT, check_range
from env.backends import MOST_THREADS
from experiments.benchmarks.measurement import Measurement, machine
from experiments.benchmarks.options import BenchmarkOptions
from experiments.options import check_writable, command, write_json
from maze_gen.console import say
from maze_gen.generator import parse_size

PARTS = ("engine", "train", "drawing", "painting")


def run(options: BenchmarkOptions) -> int:
    """Measures the requested parts."""
    check_range("--seconds", options.seconds, 0, 3600, above=True)
    check_range("--num-envs", options.num_envs, 1, MOST_COUNT, whole=True)
    check_range("--threads", options.threads, 1, MOST_THREADS, whole=True)
    for size in options.sizes:
        parse_size(size)
    check_writable(options.json)
    measurements: list[Measurement] = []
    for part in options.parts or PARTS:
        for found in importlib.import_module(f"experiments.benchmarks.{part.replace('-', '_')}").measure(options):
            say(f"{found.name:40} {found.value:14,.1f} {found.unit}")
            measurements.append(found)
    if options.json is not None:
        settings = {**asdict(options), "json": str(options.json)}
        content = {
            "measurements": [asdict(found) for found in measurements],
            "machine": machine(),
            "settings": settings,
        }
        write_json(options.json, content)
    return 0


if __name__ == "__main__":
    raise SystemExit(command(BenchmarkOptions, run)())
