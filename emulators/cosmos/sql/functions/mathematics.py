"""Mathematical functions over doubles. Out of their domain, or beyond a double, they are undefined."""

from __future__ import annotations

import math
from collections.abc import Callable

from emulators.cosmos.sql.functions.signatures import Context, Registry
from emulators.cosmos.sql.values import UNDEFINED, Value, finite, number

FUNCTIONS = define = Registry()


def _partial(function: Callable[[float], float]) -> Callable[[float], Value]:
    def apply(value: float) -> Value:
        try:
            return finite(function(value))
        except (ArithmeticError, ValueError):
            return UNDEFINED

    return apply


for _name, _function in (
    ("ACOS", math.acos),
    ("ASIN", math.asin),
    ("ATAN", math.atan),
    ("COS", math.cos),
    ("COT", lambda value: 1 / math.tan(value)),
    ("DEGREES", math.degrees),
    ("EXP", math.exp),
    ("LOG10", math.log10),
    ("RADIANS", lambda value: value * math.pi / 180),  # in this order, by its reference page's digits
    ("SIN", math.sin),
    ("SQRT", math.sqrt),
    ("SQUARE", lambda value: float(value) * float(value)),
    ("TAN", math.tan),
):
    define(_name, "number")(_partial(_function))


def _rounder(function: Callable[[float], int]) -> Callable[[float], float]:
    return lambda value: number(function(value)) if math.isfinite(value) else value


define("CEILING", "number")(_rounder(math.ceil))
define("FLOOR", "number")(_rounder(math.floor))
define("TRUNC", "number")(_rounder(math.trunc))


@define("ABS", "number")
def absolute(value: float) -> float:
    """The value without its sign."""
    return number(abs(value))


@define("ATN2", "number number")
def arc_tangent(y: float, x: float) -> float:
    """The angle of the point (x, y): y comes first."""
    return number(math.atan2(y, x))


@define("LOG", "number number?")
def logarithm(value: float, base: float = math.e) -> Value:
    """The logarithm, natural unless a base is given."""
    if value <= 0 or base <= 0 or base == 1:
        return UNDEFINED
    if base in (2, 10):  # exact where the quotient of two logarithms is not
        return finite(math.log2(value) if base == 2 else math.log10(value))
    return finite(math.log(value) if base == math.e else math.log(value) / math.log(base))


@define("PI")
def pi() -> float:
    """The constant."""
    return math.pi


@define("POWER", "number number")
def power(value: float, exponent: float) -> Value:
    """`value` to the power of `exponent`."""
    try:
        return finite(math.pow(value, exponent))
    except (OverflowError, ValueError):
        return UNDEFINED


@define("RAND", context=True)
def rand(context: Context) -> float:
    """A number in [0, 1), another one for each call."""
    return context.chance()


@define("ROUND", "number integer?")
def round_half_away(value: float, digits: int = 0) -> float:
    """The nearest whole number (or with that many digits), halves away from zero."""
    if not math.isfinite(value) or (digits == 0 and float(value).is_integer()):
        return value
    if not -308 <= digits <= 308:
        return value if digits > 0 else 0
    scale = 10.0**digits
    scaled = abs(value) * scale
    if not math.isfinite(scaled):
        return value
    floor = math.floor(scaled)
    whole = floor + 1 if scaled - floor >= 0.5 else floor
    return number(math.copysign(whole / scale, value))


@define("SIGN", "number")
def sign(value: float) -> float:
    """-1, 0 or 1."""
    return (value > 0) - (value < 0)


@define("NumberBin", "number number?")
def number_bin(value: float, size: float = 1) -> Value:
    """`value` rounded down to a multiple of `size`."""
    if size == 0 or not math.isfinite(value) or not math.isfinite(size):
        return UNDEFINED
    # Through the decimal texts, or 155.23 with bins of 0.01 would fall to 155.22.
    quotient = value / size
    if not math.isfinite(quotient):
        return UNDEFINED
    nearest = round(quotient)
    count = nearest if math.isclose(quotient, nearest, rel_tol=1e-12, abs_tol=0) else math.floor(quotient)
    return number(float(f"{count * size:.15g}"))
