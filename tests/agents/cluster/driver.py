"""A trainer on a cluster that only counts: `python -m tests.agents.cluster.driver ADDRESS WORKERS LOG`, a JSON line an event.

Events are {"report": worker}, {"note": text} and {"figures": {...}}, each with "at", seconds of the monotonic clock.
"""

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from agents.cluster.runtime import ClusterRuntime
from agents.cluster.settings import ClusterSettings
from tests.agents.cluster.fakes import new_store, specs

EXCHANGE_SECONDS = 0.3


def tell(**event: Any) -> None:
    print(json.dumps({"at": time.monotonic(), **event}), flush=True)


def main() -> None:
    address, workers, log = sys.argv[1:]
    warnings.simplefilter("always")
    warnings.showwarning = lambda message, *rest, **more: tell(note=str(message))
    store = new_store()
    runtime = ClusterRuntime(specs(int(workers)), store, ClusterSettings(address, EXCHANGE_SECONDS, log=Path(log)))
    tell(processors=runtime.processors)
    shown = time.monotonic()
    # Until somebody closes its standard input's other end, or kills it.
    while time.monotonic() < shown + 600:
        for report in runtime.poll(0.1):
            tell(report=report.worker)
        figures = runtime.figures()
        if figures:
            tell(figures=figures)


if __name__ == "__main__":
    main()
