"""What a comparison came to: curves averaged over seeds, steps to the BN-ResNet's accuracy, cost of a step."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.classification.compare import Comparison
from experiments.classification.methods import RATES, Method, reference_of
from experiments.classification.training import Result

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """One method at its best rate.

    Attributes:
        rate: chosen on the first seed; `rates` were tried, `edge` says whether it is the grid's first or last.
        steps, accuracy, low, high, seconds: the curve over all seeds: mean, least and largest accuracy.
        final: of each seed, on all test pictures.
        cost: CPU seconds of a step.
    """

    method: Method
    rate: float
    rates: tuple[float, ...]
    edge: bool
    steps: Array
    accuracy: Array
    low: Array
    high: Array
    seconds: Array
    final: tuple[float, ...]
    parameters: int
    cost: float

    @property
    def mean(self) -> float:
        return float(np.mean(self.final))

    @property
    def interval(self) -> float:
        """Half the width of the 95 % interval of the mean by Student's t; 0 for a single seed."""
        n = len(self.final)
        quantile = {2: 12.71, 3: 4.303, 4: 3.182, 5: 2.776}.get(n, 2.262)
        return float(quantile * np.std(self.final, ddof=1) / n**0.5) if n > 1 else 0.0


def summarise(comparison: Comparison, costs: dict[str, float] | None = None) -> list[Row]:
    """The rows of the methods whose trainings are finished.

    Args:
        costs: CPU seconds of a step by a method's key, where they were measured side by side.
    """
    rows = []
    for method in comparison.methods:
        results = [comparison.result(job) for job in comparison.repeats(method)]
        finished = [result for result in results if result is not None]
        rate = comparison.best(method)
        if finished and len(finished) == len(results) and rate is not None:
            rows.append(_row(method, rate, finished, (costs or {}).get(method.key)))
    return rows


def _row(method: Method, rate: float, results: Sequence[Result], cost: float | None) -> Row:
    longest = max(results, key=lambda result: len(result.steps))
    points = len(longest.steps)
    # A training that was given up stays at 0 from then on.
    curves = np.array([result.accuracy + [0.0] * (points - len(result.accuracy)) for result in results], np.float64)
    seconds = np.mean([result.seconds for result in results if len(result.seconds) == points] or [longest.seconds], axis=0)
    grid = RATES[method.optimizer]
    return Row(
        method=method, rate=rate, rates=grid, edge=rate in (grid[0], grid[-1]), steps=np.array(longest.steps, np.float64),
        accuracy=curves.mean(0), low=curves.min(0), high=curves.max(0), seconds=np.asarray(seconds, np.float64),
        final=tuple(result.final for result in results), parameters=results[0].parameters,
        cost=cost if cost is not None else float(seconds[-1] / longest.steps[-1]) if points else float("nan"),
    )  # fmt: skip


def reach(row: Row, level: float) -> tuple[float, float] | None:
    """Steps and CPU seconds after which the mean curve first reaches an accuracy, interpolated; None where it never does."""
    above = np.flatnonzero(row.accuracy >= level)
    if not len(above):
        return None
    i = int(above[0])
    x, y = np.r_[0.0, row.steps], np.r_[0.0, row.accuracy]
    share = (level - y[i]) / (y[i + 1] - y[i]) if y[i + 1] > y[i] else 1.0
    steps = float(x[i] + share * (x[i + 1] - x[i]))
    return steps, steps * row.cost


def target(rows: Sequence[Row], row: Row) -> Row | None:
    """The BN-ResNet that a row is compared with."""
    return next((other for other in rows if other.method == reference_of(row.method)), None)


def final_level(row: Row) -> float:
    """What other methods have to reach: the mean of the final accuracies, on the pictures of the curves and on all of them."""
    return max(row.mean, float(row.accuracy[-1])) if len(row.accuracy) else row.mean


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Everything of the rows, and what they are compared with."""
    found = []
    for row in rows:
        entry = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in asdict(row).items()}
        entry.update(title=row.method.title, mean=row.mean, interval=row.interval)
        reference = target(rows, row)
        if reference is not None:
            reached = reach(row, final_level(reference))
            entry["reference"] = final_level(reference)
            entry["steps_to_reference"], entry["seconds_to_reference"] = reached or (None, None)
            entry["cost_over_reference"] = row.cost / reference.cost
        found.append(entry)
    return found


NOTES = """Chance: {chance}. Rates are chosen on the first seed among those of the optimiser's grid, the same for every method;
(edge) marks the grid's first or last. The interval is 95 % of the mean of the final accuracies over seeds (Student's t). Steps
and CPU seconds are those after which the mean curve first reaches the final accuracy of the BN-ResNet of the same depth and
optimiser. CPU seconds a step are measured side by side on one thread."""
COLUMNS = (
    "method", "rate", "accuracy at ¼, ½, all steps", "final, interval", "steps to BN-ResNet's final", "CPU s to it",
    "CPU s a step", "over BN", "seeds",
)  # fmt: skip


def markdown(rows: Sequence[Row], title: str, chance: str, command: str, unfinished: int) -> str:
    """The table, with what it needs to be read."""
    lines = [f"# {title}", "", f"`{command}`", "", NOTES.format(chance=chance), "", _line(COLUMNS), _line(["---"] * len(COLUMNS))]
    lines += [_line(_cells(row, target(rows, row))) for row in rows]
    compared = optimizer_lines(rows)
    lines += ["", *compared] if compared else []
    if unfinished:
        lines += ["", f"{unfinished} methods are not finished; the same command goes on."]
    return "\n".join(lines) + "\n"


def optimizer_lines(rows: Sequence[Row]) -> list[str]:
    """For every network that several optimisers trained: steps of each to the last accuracy of the better of SGD and Adam."""
    groups: dict[Method, list[Row]] = {}
    for row in rows:
        groups.setdefault(replace(row.method, optimizer="sgd"), []).append(row)
    lines = []
    for group in groups.values():
        usual = [row for row in group if row.method.optimizer in ("sgd", "adam") and len(row.accuracy)]
        if not usual or len(group) < 2:
            continue
        level = max(float(row.accuracy[-1]) for row in usual)
        said = []
        for row in group:
            reached = reach(row, level)
            steps = "never" if reached is None else f"{reached[0]:.0f} steps, {reached[1]:.1f} CPU s"
            said.append(f"{row.method.optimizer} {steps}")
        name = group[0].method.title.rsplit(",", 1)[0]
        lines.append(f"- {name}, to {level:.3f}, the last accuracy of the better of SGD and Adam: {'; '.join(said)}.")
    return lines


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(row: Row, reference: Row | None) -> list[str]:
    curve, steps, seconds, over = "given up", "–", "–", "–"
    if len(row.steps):
        parts = np.interp(row.steps[-1] * np.array([0.25, 0.5, 1.0]), row.steps, row.accuracy)
        curve = " / ".join(f"{part:.3f}" for part in parts)
    if reference is not None:
        over = f"{row.cost / reference.cost:.2f}"
        reached = reach(row, final_level(reference))
        if reached is not None:
            steps, seconds = f"{reached[0]:.0f} ({reached[0] / row.steps[-1]:.0%})", f"{reached[1]:.1f}"
    rate = f"{row.rate:g}{' (edge)' if row.edge else ''}"
    final = f"{row.mean:.3f} ± {row.interval:.3f}"
    return [row.method.title, rate, curve, final, steps, seconds, f"{row.cost:.4f}", over, str(len(row.final))]
