"""How well characters are parsed: which of their true strokes, which no painter sees, were painted as strokes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from env.painting.program import Program
from env.painting.strokes import curve

NEAR = 2 / 32
"""Two strokes are one where they are this far apart, in canvas sides: 2 pixels of 32."""
POINTS = 16
"""Of a stroke, equally far apart along it, that are compared."""
_SAMPLES = 24

Values = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Parsed:
    """Figures of parses.

    Attributes:
        found: share of all true strokes that were painted, each by a stroke of its own.
        strokes: painted strokes over true strokes.
    """

    found: float
    strokes: float


def parsed(programs: Sequence[Program], truth: Sequence[Sequence[Values]]) -> Parsed:
    """Compares paintings with the true strokes of their targets.

    A true stroke is found where a painted one is `NEAR` it, in either direction; a painted stroke can be one true one. Where
    several pairs are possible, as many true strokes as can be are counted.

    Args:
        programs: N paintings, a stroke being one that was laid as a whole.
        truth: the strokes of each target, [1 + 3 M, 2].
    """
    found = painted = true = 0
    for program, strokes in zip(programs, truth, strict=True):
        painted, true = painted + len(program), true + len(strokes)
        if program:
            mine = np.stack([spaced(np.array(stroke.points)) for stroke in program])
            found += most_pairs(distances(np.stack([spaced(stroke) for stroke in strokes]), mine) <= NEAR)
    return Parsed(found / true, painted / true)


def spaced(stroke: Values) -> npt.NDArray[np.float64]:
    """[`POINTS`, 2]: points of a stroke, equally far apart along it; all the same one where it has no length."""
    points = curve(stroke.astype(np.float64), _SAMPLES)
    along = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))))
    places = np.linspace(0, along[-1], POINTS)
    return np.stack([np.interp(places, along, points[:, axis]) for axis in range(2)], 1)


def distances(first: Values, second: Values) -> npt.NDArray[np.float64]:
    """[A, B]: mean distances of the points of strokes [A, P, 2] and [B, P, 2], in the better of both directions."""
    ways = [np.hypot(*np.moveaxis(first[:, None] - other[None], -1, 0)).mean(2) for other in (second, second[:, ::-1])]
    return np.minimum(*ways)


def most_pairs(allowed: npt.NDArray[np.bool_]) -> int:
    """How many rows [A, B] can have a column of their own that they allow."""
    # Imported where it is used: most paintings have no strokes to be compared with.
    import networkx

    rows = range(len(allowed))
    graph = networkx.Graph()
    graph.add_nodes_from(rows)
    graph.add_edges_from((row, len(allowed) + column) for row, column in np.argwhere(allowed).tolist())
    return len(networkx.bipartite.hopcroft_karp_matching(graph, rows)) // 2
