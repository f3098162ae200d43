"""Measures on the WGS 84 ellipsoid (EPSG:4326). Points are (longitude, latitude) in degrees. Knows no GeoJSON.

Lengths and areas are geodesic. What crosses, touches and encloses what is decided with vectors from the earth's
centre, an edge being the shorter arc in the plane of its ends: so the date line and the poles are nothing special.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from geographiclib.geodesic import Geodesic

from emulators.cosmos.sql.functions.plane import Edge, Plane, Point, Ring

_ELLIPSOID = Geodesic.WGS84
_POLE_RATIO = (1 - _ELLIPSOID.f) ** 2
"""tan of a geocentric latitude to tan of the geodetic one."""
_TOUCHING = 1e-12
"""In radians: a few micrometres, below which rounding decides."""
_VECTORS_KEPT = 16_384
_FOOT_STEPS = 3
"""Each step makes the foot's error about the square of what it was: our choice."""

Vector = tuple[float, float, float]


class Earth:
    """Geodesics between longitudes and latitudes."""

    @staticmethod
    def distance(left: Point, right: Point) -> float:
        """Metres along the ellipsoid."""
        metres: float = _ELLIPSOID.Inverse(left[1], left[0], right[1], right[0], Geodesic.DISTANCE)["s12"]
        return metres

    @staticmethod
    def foot(point: Point, edge: Edge) -> Point:
        """The nearest place on an edge to a point."""
        line = _ELLIPSOID.InverseLine(edge[0][1], edge[0][0], edge[1][1], edge[1][0])
        near = Plane.foot(_beside(point), (_beside(edge[0]), _beside(edge[1])))
        along = min(max(Earth.distance(edge[0], near), 0.0), line.s13)
        here: dict[str, float] = line.Position(along)
        for _ in range(_FOOT_STEPS):
            way = _ELLIPSOID.Inverse(here["lat2"], here["lon2"], point[1], point[0])
            ahead = way["s12"] * math.cos(math.radians(way["azi1"] - here["azi2"]))
            along = min(max(along + ahead, 0.0), line.s13)
            here = line.Position(along)
        return here["lon2"], here["lat2"]

    @staticmethod
    def middle(edge: Edge) -> Point:
        """Half way along an edge."""
        line = _ELLIPSOID.InverseLine(edge[0][1], edge[0][0], edge[1][1], edge[1][0])
        here = line.Position(line.s13 / 2)
        return here["lon2"], here["lat2"]

    @staticmethod
    def lies_on(point: Point, edge: Edge) -> bool:
        """Whether a point lies on an edge, its ends included."""
        if point in edge:
            return True
        a, b, p = _vector(edge[0]), _vector(edge[1]), _vector(point)
        across = _cross(a, b)
        if abs(_dot(across, p)) > _TOUCHING:
            return False
        reach = _dot(a, b) - _TOUCHING
        return _dot(a, p) >= reach and _dot(b, p) >= reach

    @staticmethod
    def cross(one: Edge, other: Edge) -> bool:
        """Whether two edges cross between their ends."""
        a, b, c, d = _vector(one[0]), _vector(one[1]), _vector(other[0]), _vector(other[1])
        first, second = _cross(a, b), _cross(c, d)
        from_c, from_d, from_a, from_b = _dot(first, c), _dot(first, d), _dot(second, a), _dot(second, b)
        if from_c * from_d >= 0 or from_a * from_b >= 0:
            return False
        return from_c * from_a < 0  # else they cross at the other end of the earth

    @staticmethod
    def encloses(ring: Ring, point: Point) -> bool:
        """Whether a point that is not on the ring lies to its left: a ring that runs clockwise encloses the rest."""
        return (_turns_around(ring, point) > 0) if _runs_left(ring) else not _turns_around(ring[::-1], point) > 0

    @staticmethod
    def area(ring: Sequence[Point]) -> float:
        """Square metres to the left of a ring."""
        polygon = _ELLIPSOID.Polygon()
        for longitude, latitude in ring[:-1]:
            polygon.AddPoint(latitude, longitude)
        square_metres: float = polygon.Compute(False, False)[2]
        return square_metres


def _beside(point: Point) -> Point:
    """A point in a plane that will do to begin with."""
    return point[0] * math.cos(math.radians(point[1])), point[1]


@lru_cache(_VECTORS_KEPT)
def _vector(point: Point) -> Vector:
    longitude, latitude = math.radians(point[0]), math.radians(point[1])
    centric = math.atan2(_POLE_RATIO * math.sin(latitude), math.cos(latitude))
    return math.cos(centric) * math.cos(longitude), math.cos(centric) * math.sin(longitude), math.sin(centric)


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _turns_around(ring: Ring, point: Point) -> int:
    """How often a ring runs around a point to the left, seen from above it, and not around what is opposite."""
    p = _vector(point)
    if sum(_dot(p, _vector(each)) for each in ring) < 0 and not any(_dot(p, _vector(each)) > 0 for each in ring):
        return 0
    total = 0.0
    for start, end in pairwise(ring):
        u, v = _cross(p, _vector(start)), _cross(p, _vector(end))
        total += math.atan2(_dot(p, _cross(u, v)), _dot(u, v))
    return round(total / math.tau)


def _runs_left(ring: Ring) -> bool:
    """Whether the smaller side of a ring is its left."""
    start = _vector(ring[0])
    excess = 0.0
    for one, other in pairwise(ring[1:]):
        a, b = _vector(one), _vector(other)
        excess += math.atan2(_dot(start, _cross(a, b)), 1 + _dot(start, a) + _dot(a, b) + _dot(start, b))
    return excess > 0
