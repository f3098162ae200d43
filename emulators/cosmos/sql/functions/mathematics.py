"""Mathematical functions over doubles. Out of their domain they give NaN, which no result shows."""

from __future__ import annotations

import math
from collections.abc import Callable

from emulators.cosmos.sql.functions.signatures import Context, Registry
from emulators.cosmos.sql.values import UNDEFINED, Value, number

FUNCTIONS = define = Registry()


def _total(function: Callable[[float], float]) -> Callable[[float], float]:
    """`function` with IEEE 754's answers where Python raises."""

    def apply(value: float) -> float:
        try:
            return number(function(value))
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return apply


for _name, _function in (
    ("ACOS", math.acos),
    ("ASIN", math.asin),
    ("ATAN", math.atan),
    ("COS", math.cos),
    ("DEGREES", math.degrees),
    ("EXP", math.exp),
    ("RADIANS", lambda value: value * math.pi / 180),  # in this order, by its reference page's digits
    ("SIN", math.sin),
    ("SQRT", math.sqrt),
    ("TAN", math.tan),
):
    define(_name, "number")(_total(_function))


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


@define("COT", "number")
def cotangent(value: float) -> float:
    """1 / TAN."""
    try:
        return number(1 / math.tan(value))
    except ZeroDivisionError:
        return math.inf
    except ValueError:
        return math.nan


@define("LOG", "number number?")
def logarithm(value: float, base: float = math.e) -> float:
    """The logarithm, natural unless a base is given."""
    natural = _log(value)
    if base == math.e:
        return number(natural)
    if base in (2, 10) and value > 0:  # exact where the quotient of two logarithms is not
        return number(math.log2(value) if base == 2 else math.log10(value))
    divisor = _log(base)
    if divisor == 0:
        return math.nan if natural == 0 else math.copysign(math.inf, natural)
    return number(natural / divisor)


@define("LOG10", "number")
def logarithm10(value: float) -> float:
    """The logarithm to base 10."""
    return number(math.log10(value)) if value > 0 else _log(value)


def _log(value: float) -> float:
    if value == 0:
        return -math.inf
    return math.log(value) if value > 0 else math.nan


@define("PI")
def pi() -> float:
    """The constant."""
    return math.pi


@define("POWER", "number number")
def power(value: float, exponent: float) -> float:
    """`value` to the power of `exponent`."""
    try:
        return number(math.pow(value, exponent))
    except OverflowError:
        return -math.inf if value < 0 and exponent % 2 == 1 else math.inf
    except ValueError:
        return math.inf if value == 0 else math.nan


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


@define("SQUARE", "number")
def square(value: float) -> float:
    """The value times itself."""
    return number(float(value) * float(value))


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
