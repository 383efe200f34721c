"""Runs inputs by number, in this process or in children whose crashes are findings."""

import importlib
import json
import multiprocessing
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from maze_gen.errors import InputError

KINDS = ("mazes", "checkpoints", "recordings", "options", "environments")
HANGS_SECONDS = 120.0
SHARES = {"mazes": 0.3, "checkpoints": 0.15, "recordings": 0.25, "options": 0.1, "environments": 0.2}


def outcome(kind: str, number: int) -> str:
    """`accepted`, `refused`, or the traceback of what one input raised."""
    module = importlib.import_module(f"tests.fuzz.{kind}")
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        module.run(Random(f"{kind} {number}"), folder)
    except InputError as error:
        return "refused" if "\n" not in str(error).strip() or len(str(error)) < 2000 else f"InputError of many lines: {error}"
    except BaseException:
        return traceback.format_exc()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return "accepted"


def _work(kind: str, numbers: list[int], pipe: Connection) -> None:
    import torch

    torch.set_num_threads(1)
    sys.stdout = sys.stderr = open("/dev/null", "w")  # noqa: SIM115 - until the process ends
    for number in numbers:
        pipe.send((number, None))
        pipe.send((number, outcome(kind, number)))


def run_in_children(kind: str, numbers: Iterable[int]) -> tuple[Counter[str], dict[int, str]]:
    """(how many inputs were accepted, refused, and failed; what the failed ones did)."""
    counts: Counter[str] = Counter()
    failed: dict[int, str] = {}
    left = list(numbers)
    context = multiprocessing.get_context("spawn")
    while left:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(kind, left, theirs), daemon=True)
        process.start()
        theirs.close()
        at: int | None = None
        ended = ""
        try:
            while True:
                if not ours.poll(HANGS_SECONDS):
                    ended = f"stood still for {HANGS_SECONDS:.0f} s"
                    process.kill()
                    break
                number, found = ours.recv()
                at = number if found is None else None
                if found is not None:
                    left.remove(number)
                    counts[found if found in ("accepted", "refused") else "failed"] += 1
                    if found not in ("accepted", "refused"):
                        failed[number] = found
        except EOFError:
            pass
        process.join()
        if at is not None:
            left.remove(at)
            counts["failed"] += 1
            failed[at] = ended or f"the process ended with exit code {process.exitcode}"
        elif left and process.exitcode:
            failed[left[0]] = f"the process ended with exit code {process.exitcode} before its first input"
            counts["failed"] += 1
            return counts, failed
    return counts, failed


def report(count: int, first: int, kinds: Iterable[str], out: Path | None) -> int:
    """Runs `count` inputs, shared out among the kinds; prints what they did, and returns the number of failures."""
    chosen = [kind for kind in KINDS if kind in set(kinds)]
    total = sum(SHARES[kind] for kind in chosen)
    failures: dict[str, dict[int, str]] = {}
    for kind in chosen:
        began = time.monotonic()
        number = max(1, round(count * SHARES[kind] / total))
        counts, failures[kind] = run_in_children(kind, range(first, first + number))
        words = ", ".join(f"{counts[name]} {name}" for name in ("accepted", "refused", "failed"))
        print(f"{kind}: {number} inputs: {words} ({time.monotonic() - began:.0f} s)", flush=True)
        seen: set[str] = set()
        for which, text in failures[kind].items():
            last = text.strip().splitlines()[-1][:200]
            if last[:60] not in seen:
                seen.add(last[:60])
                print(f"  {kind} {which}: {last}", flush=True)
    if out is not None:
        out.write_text(json.dumps(failures, indent=1))
    return sum(map(len, failures.values()))
