"""Measures in a plane, for containers whose geospatialConfig says Geometry. Knows no GeoJSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, float]
Ring = tuple[Point, ...]
Edge = tuple[Point, Point]


class Plane:
    """Straight lines between points of two coordinates."""

    @staticmethod
    def distance(left: Point, right: Point) -> float:
        """How far apart two points are."""
        return math.dist(left, right)

    @staticmethod
    def foot(point: Point, edge: Edge) -> Point:
        """The nearest place on an edge to a point."""
        (x1, y1), (x2, y2) = edge
        dx, dy = x2 - x1, y2 - y1
        length = dx * dx + dy * dy
        along = 0.0 if not length else ((point[0] - x1) * dx + (point[1] - y1) * dy) / length
        along = min(max(along, 0.0), 1.0)
        return x1 + along * dx, y1 + along * dy

    @staticmethod
    def middle(edge: Edge) -> Point:
        """Half way along an edge."""
        (x1, y1), (x2, y2) = edge
        return (x1 + x2) / 2, (y1 + y2) / 2

    @staticmethod
    def lies_on(point: Point, edge: Edge) -> bool:
        """Whether a point lies on an edge, its ends included."""
        (x1, y1), (x2, y2) = edge
        in_box = min(x1, x2) <= point[0] <= max(x1, x2) and min(y1, y2) <= point[1] <= max(y1, y2)
        return in_box and _side(*edge, point) == 0

    @staticmethod
    def cross(one: Edge, other: Edge) -> bool:
        """Whether two edges cross between their ends."""
        a, b = _side(*one, other[0]), _side(*one, other[1])
        c, d = _side(*other, one[0]), _side(*other, one[1])
        return a * b < 0 and c * d < 0

    @staticmethod
    def encloses(ring: Ring, point: Point) -> bool:
        """Whether a point that is not on the ring lies inside it, whichever way it runs."""
        x, y = point
        inside = False
        for (x1, y1), (x2, y2) in pairwise(ring):
            if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
                inside = not inside
        return inside

    @staticmethod
    def area(ring: Sequence[Point]) -> float:
        """The area inside a ring, whichever way it runs."""
        return abs(math.fsum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise(ring))) / 2


def _side(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
