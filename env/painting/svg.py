"""Programs of strokes as SVG, for browsers and vector editors."""

from itertools import pairwise

import numpy as np

from env.painting.program import Program, Stroke
from env.painting.strokes import RADIUS_AT_NO_PRESSURE, curve

_PARTS = 16
"""Straight parts of a Bézier piece whose width changes."""


def to_svg(program: Program, side: int = 512) -> str:
    """A program as an SVG of side x side; widths and opacities are those of the embedded brush."""
    strokes = "\n".join(_stroke(stroke) for stroke in program)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}" viewBox="0 0 1 1">\n'
        '<rect width="1" height="1" fill="#fff"/>\n'
        f'<g fill="none" stroke-linecap="round" stroke-linejoin="round">\n{strokes}\n</g>\n</svg>\n'
    )


def _stroke(stroke: Stroke) -> str:
    colour = "#" + "".join(f"{round(255 * part):02x}" for part in stroke.colour)
    start, end = stroke.pressure
    # A group's opacity applies once to all that is in it, as a stroke's does.
    opacity = 1 - (1 - (start + end) / 2) ** 3
    look = f'<g stroke="{colour}" opacity="{opacity:.4g}">'
    if start == end:
        x, y = stroke.points[0]
        numbers = " ".join(f"{number:.6g}" for point in stroke.points[1:] for number in point)
        return f'{look}<path d="M{x:.6g} {y:.6g}C{numbers}" stroke-width="{_width(stroke, start):.5g}"/></g>'
    points = curve(np.array(stroke.points), _PARTS)
    parts = []
    for index, ((x, y), (u, v)) in enumerate(pairwise(points)):
        pressure = start + (end - start) * (index + 0.5) / (len(points) - 1)
        parts.append(f'<path d="M{x:.6g} {y:.6g}L{u:.6g} {v:.6g}" stroke-width="{_width(stroke, pressure):.5g}"/>')
    return f"{look}{''.join(parts)}</g>"


def _width(stroke: Stroke, pressure: float) -> float:
    return 2 * stroke.radius * (RADIUS_AT_NO_PRESSURE + (1 - RADIUS_AT_NO_PRESSURE) * pressure)
