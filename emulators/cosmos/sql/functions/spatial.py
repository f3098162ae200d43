"""Spatial functions over GeoJSON. Coordinates are longitude and latitude, or plane ones for a Geometry container."""

from __future__ import annotations

from emulators.cosmos.sql.functions.earth import Earth
from emulators.cosmos.sql.functions.geometry import (
    Geometry,
    InvalidGeometry,
    Surface,
    area,
    distance,
    geometry_of,
    intersects,
    within,
)
from emulators.cosmos.sql.functions.plane import Plane
from emulators.cosmos.sql.functions.signatures import Context, Registry
from emulators.cosmos.sql.values import UNDEFINED, Value, number

FUNCTIONS = define = Registry()


_EARTH, _PLANE = Earth(), Plane()


def _surface(context: Context) -> Surface:
    return _PLANE if context.planar else _EARTH


def _both(context: Context, left: Value, right: Value) -> tuple[Geometry, Geometry] | None:
    try:
        one, other = geometry_of(left, planar=context.planar), geometry_of(right, planar=context.planar)
    except InvalidGeometry:
        return None
    return None if one is None or other is None else (one, other)


@define("ST_DISTANCE", "any any", context=True, constant=True)
def st_distance(context: Context, left: Value, right: Value) -> Value:
    """The least distance between two geometries: metres, or units of the plane."""
    both = _both(context, left, right)
    return UNDEFINED if both is None else number(distance(*both, _surface(context)))


@define("ST_WITHIN", "any any", context=True, constant=True)
def st_within(context: Context, inner: Value, outer: Value) -> Value:
    """Whether the first lies in the second, which is a polygon."""
    both = _both(context, inner, outer)
    return UNDEFINED if both is None else within(*both, _surface(context))


@define("ST_INTERSECTS", "any any", context=True, constant=True)
def st_intersects(context: Context, left: Value, right: Value) -> Value:
    """Whether the two share a point."""
    both = _both(context, left, right)
    return UNDEFINED if both is None else intersects(*both, _surface(context))


@define("ST_ISVALID", "any", context=True, constant=True)
def st_is_valid(context: Context, value: Value) -> Value:
    """Whether it is GeoJSON that keeps the rules."""
    detail = st_is_valid_detailed(context, value)
    return UNDEFINED if detail is UNDEFINED else detail["valid"]


@define("ST_ISVALIDDETAILED", "any", context=True, constant=True)
def st_is_valid_detailed(context: Context, value: Value) -> Value:
    """The same with the reason."""
    try:
        found = geometry_of(value, planar=context.planar)
    except InvalidGeometry as invalid:
        return {"valid": False, "reason": str(invalid)}
    return UNDEFINED if found is None else {"valid": True}


@define("ST_AREA", "any", context=True, constant=True)
def st_area(context: Context, value: Value) -> Value:
    """The area of a polygon or several, 0 of anything thinner: square metres, or units of the plane."""
    try:
        found = geometry_of(value, planar=context.planar)
    except InvalidGeometry:
        return UNDEFINED
    return UNDEFINED if found is None else number(area(found, _surface(context)))
