"""GeoJSON as the spatial functions see it: taken apart, found valid or not, and measured on the WGS84 ellipsoid.

Distances between points are geodesics (Vincenty's method); from a point to an edge and between edges the plane that
touches the earth nearby stands in for it, good to a few parts in ten thousand over hundreds of kilometres.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from emulators.cosmos.sql.limits import GEOMETRY_POINTS_MAX
from emulators.cosmos.sql.values import Value, is_number

Point = tuple[float, float]
Ring = tuple[Point, ...]
Edge = tuple[Point, Point]

_EQUATOR_METRES = 6_378_137.0
_FLATTENING = 1 / 298.257223563
_POLE_METRES = _EQUATOR_METRES * (1 - _FLATTENING)
"""WGS84 (EPSG:4326)."""
_ITERATIONS_MAX = 200
_DEPTHS = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}


class InvalidGeometry(ValueError):
    """GeoJSON that breaks a rule; the text is what ST_ISVALIDDETAILED says."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """Points, lines and polygons (each an outer ring and its holes)."""

    points: tuple[Point, ...] = ()
    lines: tuple[Ring, ...] = ()
    polygons: tuple[tuple[Ring, ...], ...] = ()

    def vertices(self) -> Iterator[Point]:
        """Every point that it is made of."""
        yield from self.points
        for line in self.lines:
            yield from line
        for polygon in self.polygons:
            for ring in polygon:
                yield from ring

    def edges(self) -> Iterator[Edge]:
        """Every straight piece."""
        for line in self.lines:
            yield from pairwise(line)
        for polygon in self.polygons:
            for ring in polygon:
                yield from pairwise(ring)


def geometry_of(value: Value, *, planar: bool) -> Geometry | None:
    """The geometry that a GeoJSON object says, None when it is no GeoJSON at all. Raises InvalidGeometry."""
    if not isinstance(value, dict) or value.get("type") not in _DEPTHS or "coordinates" not in value:
        return None
    kind, coordinates = value["type"], value["coordinates"]
    if not _nested(coordinates, _DEPTHS[kind]):
        return None
    match kind:
        case "Point":
            return Geometry(points=(_point(coordinates, planar),))
        case "MultiPoint":
            return Geometry(points=_points(coordinates, planar))
        case "LineString":
            return Geometry(lines=(_line(coordinates, planar),))
        case "MultiLineString":
            return Geometry(lines=tuple(_line(each, planar) for each in coordinates))
        case "Polygon":
            return Geometry(polygons=(_polygon(coordinates, planar),))
    return Geometry(polygons=tuple(_polygon(each, planar) for each in coordinates))


def _nested(value: Value, depth: int) -> bool:
    if not isinstance(value, list):
        return False
    if depth == 0:
        return 2 <= len(value) <= 3 and all(map(is_number, value))
    return all(_nested(each, depth - 1) for each in value)


def _point(position: Sequence[float], planar: bool) -> Point:
    x, y = float(position[0]), float(position[1])
    if not planar and not -90 <= y <= 90:
        raise InvalidGeometry("Latitude values must be between -90 and 90 degrees.")
    if not planar and not -180 <= x <= 180:
        raise InvalidGeometry("Longitude values must be between -180 and 180 degrees.")
    return x, y


def _points(positions: Sequence[Sequence[float]], planar: bool) -> Ring:
    if len(positions) > GEOMETRY_POINTS_MAX:
        raise InvalidGeometry(f"A geometry may have {GEOMETRY_POINTS_MAX} points.")
    return tuple(_point(each, planar) for each in positions)


def _line(positions: Sequence[Sequence[float]], planar: bool) -> Ring:
    if len(positions) < 2:
        raise InvalidGeometry("A LineString must have at least two points.")
    return _points(positions, planar)


def _polygon(rings: Sequence[Sequence[Sequence[float]]], planar: bool) -> tuple[Ring, ...]:
    if not rings:
        raise InvalidGeometry("A Polygon must have at least one ring.")
    found = tuple(_points(ring, planar) for ring in rings)
    for ring in found:
        if len(ring) < 4 or ring[0] != ring[-1]:
            raise InvalidGeometry(
                "The Polygon input is not valid because the start and end points of the ring number 1 are not the "
                "same. Each ring of a polygon must have the same start and end points."
            )
    return found


def point_distance(left: Point, right: Point, *, planar: bool) -> float:
    """Metres along the ellipsoid, or units in the plane."""
    return math.dist(left, right) if planar else _vincenty(left, right)


def _vincenty(left: Point, right: Point) -> float:
    if left == right:
        return 0.0
    turn = math.radians(right[0] - left[0])
    u1 = math.atan((1 - _FLATTENING) * math.tan(math.radians(left[1])))
    u2 = math.atan((1 - _FLATTENING) * math.tan(math.radians(right[1])))
    sin1, cos1, sin2, cos2 = math.sin(u1), math.cos(u1), math.sin(u2), math.cos(u2)
    angle = turn
    for _ in range(_ITERATIONS_MAX):
        sin_sigma = math.hypot(cos2 * math.sin(angle), cos1 * sin2 - sin1 * cos2 * math.cos(angle))
        if sin_sigma == 0:
            return 0.0
        cos_sigma = sin1 * sin2 + cos1 * cos2 * math.cos(angle)
        sigma = math.atan2(sin_sigma, cos_sigma)
        sin_alpha = cos1 * cos2 * math.sin(angle) / sin_sigma
        cos_squared = 1 - sin_alpha**2
        middle = cos_sigma - 2 * sin1 * sin2 / cos_squared if cos_squared else 0.0
        c = _FLATTENING / 16 * cos_squared * (4 + _FLATTENING * (4 - 3 * cos_squared))
        before = angle
        angle = turn + (1 - c) * _FLATTENING * sin_alpha * (
            sigma + c * sin_sigma * (middle + c * cos_sigma * (2 * middle**2 - 1))
        )
        if abs(angle - before) < 1e-12:
            return _arc(cos_squared, sin_sigma, cos_sigma, sigma, middle)
    return math.pi * _POLE_METRES  # nearly opposite ends of the earth, where the method does not settle


def _arc(cos_squared: float, sin_sigma: float, cos_sigma: float, sigma: float, middle: float) -> float:
    u = cos_squared * (_EQUATOR_METRES**2 - _POLE_METRES**2) / _POLE_METRES**2
    a = 1 + u / 16384 * (4096 + u * (-768 + u * (320 - 175 * u)))
    b = u / 1024 * (256 + u * (-128 + u * (74 - 47 * u)))
    inner = cos_sigma * (2 * middle**2 - 1) - b / 6 * middle * (4 * sin_sigma**2 - 3) * (4 * middle**2 - 3)
    return _POLE_METRES * a * (sigma - b * sin_sigma * (middle + b / 4 * inner))


def distance(left: Geometry, right: Geometry, *, planar: bool) -> float:
    """The least distance between two geometries; 0 where they touch."""
    if intersects(left, right):
        return 0.0
    best = math.inf
    for one, other in ((left, right), (right, left)):
        for vertex in one.vertices():
            best = min(best, min(point_distance(vertex, each, planar=planar) for each in other.vertices()))
            for edge in other.edges():
                foot = _foot(vertex, edge, planar=planar)
                best = min(best, point_distance(vertex, foot, planar=planar))
    return best


def _foot(point: Point, edge: Edge, *, planar: bool) -> Point:
    """The nearest place on an edge to a point."""
    (x1, y1), (x2, y2) = edge
    shrink = 1.0 if planar else math.cos(math.radians(point[1]))
    dx, dy = (x2 - x1) * shrink, y2 - y1
    length = dx * dx + dy * dy
    along = 0.0 if not length else ((point[0] - x1) * shrink * dx + (point[1] - y1) * dy) / length
    along = min(max(along, 0.0), 1.0)
    return x1 + along * (x2 - x1), y1 + along * (y2 - y1)


def intersects(left: Geometry, right: Geometry) -> bool:
    """Whether they share a point."""
    if any(_covers(right, vertex) for vertex in left.vertices()):
        return True
    if any(_covers(left, vertex) for vertex in right.vertices()):
        return True
    return any(_cross(one, other) for one in left.edges() for other in right.edges())


def within(inner: Geometry, outer: Geometry) -> bool:
    """Whether all of `inner` lies in the polygons of `outer`."""
    if not outer.polygons:
        return False
    corners = list(inner.vertices())
    middles = [((x1 + x2) / 2, (y1 + y2) / 2) for (x1, y1), (x2, y2) in inner.edges()]
    if not all(any(_in_polygon(corner, polygon) for polygon in outer.polygons) for corner in corners + middles):
        return False
    return not any(_cross_properly(one, other) for one in inner.edges() for other in outer.edges())


def _covers(geometry: Geometry, point: Point) -> bool:
    return (
        point in geometry.points
        or any(_in_polygon(point, polygon) for polygon in geometry.polygons)
        or any(_on(point, edge) for edge in geometry.edges())
    )


def _in_polygon(point: Point, polygon: tuple[Ring, ...]) -> bool:
    outer, *holes = polygon
    if any(_on(point, edge) for ring in polygon for edge in pairwise(ring)):
        return True
    return _in_ring(point, outer) and not any(_in_ring(point, hole) for hole in holes)


def _in_ring(point: Point, ring: Ring) -> bool:
    x, y = point
    inside = False
    for (x1, y1), (x2, y2) in pairwise(ring):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside


def _side(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _on(point: Point, edge: Edge) -> bool:
    (x1, y1), (x2, y2) = edge
    within_box = min(x1, x2) <= point[0] <= max(x1, x2) and min(y1, y2) <= point[1] <= max(y1, y2)
    return within_box and _side(*edge, point) == 0


def _cross_properly(one: Edge, other: Edge) -> bool:
    a, b = _side(*one, other[0]), _side(*one, other[1])
    c, d = _side(*other, one[0]), _side(*other, one[1])
    return a * b < 0 and c * d < 0


def _cross(one: Edge, other: Edge) -> bool:
    return _cross_properly(one, other) or any(
        (_on(one[0], other), _on(one[1], other), _on(other[0], one), _on(other[1], one))
    )
