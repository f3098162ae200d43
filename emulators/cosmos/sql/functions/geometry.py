"""GeoJSON as the spatial functions see it: taken apart, found valid or not, and put in relation on a surface.

The surface says what a distance, an area and a crossing is: `plane` or `earth`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from emulators.cosmos.sql.functions.plane import Edge, Point, Ring
from emulators.cosmos.sql.limits import GEOMETRY_POINTS_MAX
from emulators.cosmos.sql.values import Value, is_number

_DEPTHS = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}


class InvalidGeometry(ValueError):
    """GeoJSON that breaks a rule; the text is what ST_ISVALIDDETAILED says."""


class Surface(Protocol):
    """What points, edges and rings mean to each other."""

    def distance(self, left: Point, right: Point) -> float: ...  # noqa: D102 - said where it is done
    def foot(self, point: Point, edge: Edge) -> Point: ...  # noqa: D102
    def middle(self, edge: Edge) -> Point: ...  # noqa: D102
    def lies_on(self, point: Point, edge: Edge) -> bool: ...  # noqa: D102
    def cross(self, one: Edge, other: Edge) -> bool: ...  # noqa: D102
    def encloses(self, ring: Ring, point: Point) -> bool: ...  # noqa: D102
    def area(self, ring: Sequence[Point]) -> float: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Geometry:
    """Points, lines and polygons (each an outer ring and its holes)."""

    points: tuple[Point, ...] = ()
    lines: tuple[Ring, ...] = ()
    polygons: tuple[tuple[Ring, ...], ...] = ()

    @property
    def is_point(self) -> bool:
        """Whether it is one point and nothing else."""
        return len(self.points) == 1 and not self.lines and not self.polygons

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


def distance(left: Geometry, right: Geometry, surface: Surface) -> float:
    """The least distance between two geometries; 0 where they touch."""
    if left.is_point and right.is_point:
        return surface.distance(left.points[0], right.points[0])
    if intersects(left, right, surface):
        return 0.0
    best = math.inf
    for one, other in ((left, right), (right, left)):
        for vertex in one.vertices():
            best = min([best, *(surface.distance(vertex, each) for each in other.points)])
            for edge in other.edges():
                best = min(best, surface.distance(vertex, surface.foot(vertex, edge)))
    return best


def intersects(left: Geometry, right: Geometry, surface: Surface) -> bool:
    """Whether they share a point."""
    if any(_covers(right, vertex, surface) for vertex in left.vertices()):
        return True
    if any(_covers(left, vertex, surface) for vertex in right.vertices()):
        return True
    return any(surface.cross(one, other) for one in left.edges() for other in right.edges())


def within(inner: Geometry, outer: Geometry, surface: Surface) -> bool:
    """Whether all of `inner` lies in the polygons of `outer`."""
    if not outer.polygons:
        return False
    places = [*inner.vertices(), *(surface.middle(edge) for edge in inner.edges())]
    if not all(any(_in_polygon(place, polygon, surface) for polygon in outer.polygons) for place in places):
        return False
    return not any(surface.cross(one, other) for one in inner.edges() for other in outer.edges())


def area(geometry: Geometry, surface: Surface) -> float:
    """The area of its polygons, their holes left out."""
    return math.fsum(
        surface.area(outer) - math.fsum(min(surface.area(hole), surface.area(hole[::-1])) for hole in holes)
        for outer, *holes in geometry.polygons
    )


def _covers(geometry: Geometry, point: Point, surface: Surface) -> bool:
    return (
        point in geometry.points
        or any(_in_polygon(point, polygon, surface) for polygon in geometry.polygons)
        or any(surface.lies_on(point, edge) for edge in geometry.edges())
    )


def _in_polygon(point: Point, polygon: tuple[Ring, ...], surface: Surface) -> bool:
    if any(surface.lies_on(point, edge) for ring in polygon for edge in pairwise(ring)):
        return True
    outer, *holes = polygon
    return surface.encloses(outer, point) and not any(_in_hole(point, hole, surface) for hole in holes)


def _in_hole(point: Point, hole: Ring, surface: Surface) -> bool:
    """A hole may run either way: it is its smaller side."""
    return surface.encloses(hole if surface.area(hole) <= surface.area(hole[::-1]) else hole[::-1], point)
