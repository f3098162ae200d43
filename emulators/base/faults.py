"""Faults are a feature: rules that make an emulator fail the way the cloud does, on purpose and repeatably.

A rule says what it matches (operation, path, container, function …: whatever facts the emulator states about a
request or a delivery), what it does, and how often. The same rules serve our own proofs and any user's tests; see
docs/FAULTS.md. Nothing here knows HTTP routes or error bodies: an emulator turns an `Act` into its own answer.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeVar

from emulators.base.clock import Clock

Answer = TypeVar("Answer")

RULES_MAX = 200
"""Rules in force at once: our choice, so that a forgotten loop in a test cannot slow every request."""
DELAY_SECONDS_MAX = 3600.0
DUPLICATES_MAX = 100
PATTERN_CHARACTERS_MAX = 1024

ACTS = ("status", "delaySeconds", "drop", "duplicate", "holdSeconds")
ACT_DETAILS = ("substatus", "retryAfterSeconds")
"""What an act may say beside one of `ACTS`."""
MATCHES = ("operation", "method", "path", "database", "container", "topic", "subscription", "function", "id")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What rules of one emulator can say: facts it states, acts it obeys, and its operations where they are counted."""

    matches: tuple[str, ...] = MATCHES
    acts: tuple[str, ...] = ACTS
    operations: frozenset[str] = frozenset()


EVERYTHING = Vocabulary()


class FaultRuleError(ValueError):
    """A rule that cannot be obeyed. The text names the member and what it takes."""


@dataclass(frozen=True, slots=True)
class Act:
    """What happens to one request or delivery."""

    status: int | None = None
    substatus: int = 0
    retry_after_seconds: float | None = None
    delay_seconds: float = 0.0
    drop: Literal["before", "after"] | None = None
    """The connection is cut before the work is done, or after it (the answer is lost)."""
    duplicate: int = 0
    """Deliver this many times more."""
    hold_seconds: float = 0.0
    """Keep a delivery back; holding only some of them reorders the rest."""


@dataclass(slots=True)
class Rule:
    """One fault rule and how often it has fired."""

    id: str
    match: Mapping[str, str]
    act: Act
    times: int | None = None
    skip: int = 0
    every: int = 1
    probability: float = 1.0
    until: float | None = None
    dice: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - a repeatable die is the point
    seen: int = 0
    fired: int = 0
    source: Mapping[str, Any] = field(default_factory=dict)

    def fires(self, facts: Mapping[str, str], now: float) -> bool:
        """Whether this rule strikes now; counts the sighting and the strike."""
        if self.times is not None and self.fired >= self.times:
            return False
        if self.until is not None and now >= self.until:
            return False
        if not all(fnmatchcase(facts.get(name, ""), pattern) for name, pattern in self.match.items()):
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.seen - self.skip) % self.every:
            return False
        if self.probability < 1.0 and self.dice.random() >= self.probability:
            return False
        self.fired += 1
        return True


class Faults:
    """The rules in force, first match wins."""

    def __init__(self, clock: Clock, vocabulary: Vocabulary = EVERYTHING) -> None:
        self._clock = clock
        self.vocabulary = vocabulary
        self._rules: dict[str, Rule] = {}
        self._made = 0

    def add(self, document: Mapping[str, Any]) -> Rule:
        """Put a rule in force from its JSON form. Raises FaultRuleError naming what is wrong."""
        if len(self._rules) >= RULES_MAX:
            raise FaultRuleError(f"{RULES_MAX} rules are in force already; delete some first")
        self._made += 1
        rule = parse_rule(document, default_id=f"fault-{self._made}", now=self._clock.now(), vocabulary=self.vocabulary)
        self._rules[rule.id] = rule
        return rule

    def remove(self, rule_id: str) -> bool:
        """Take one rule out of force; False when there is none of that id."""
        return self._rules.pop(rule_id, None) is not None

    def clear(self) -> None:
        """Take all rules out of force."""
        self._rules.clear()

    def describe(self) -> list[dict[str, Any]]:
        """The rules as they were given, with `seen` and `fired` counts."""
        return [{**rule.source, "id": rule.id, "seen": rule.seen, "fired": rule.fired} for rule in self._rules.values()]

    @property
    def are_set(self) -> bool:
        """Whether any rule is in force; where there is none, nobody need gather facts for `strike`."""
        return bool(self._rules)

    def strike(self, **facts: str) -> Act | None:
        """What, if anything, happens to a request or delivery of which these facts hold."""
        if not self._rules:
            return None
        now = self._clock.now()
        return next((rule.act for rule in self._rules.values() if rule.fires(facts, now)), None)


async def suffer(
    act: Act,
    clock: Clock,
    work: Callable[[], Awaitable[Answer]],
    refuse: Callable[[Act], Answer],
    drop: Callable[[], Answer],
) -> Answer:
    """Do `work` under `act`: late, refused with a status, or with the connection cut before or after it."""
    if act.delay_seconds:
        await clock.sleep(act.delay_seconds)
    if act.status is not None:
        return refuse(act)
    if act.drop == "before":
        return drop()
    answer = await work()
    return drop() if act.drop == "after" else answer


def parse_rule(
    document: Mapping[str, Any], *, default_id: str, now: float, vocabulary: Vocabulary = EVERYTHING
) -> Rule:
    """A rule from its JSON form: `{id?, match{…}, act{…}, times?, skip?, every?, probability?, seed?, forSeconds?}`."""
    known = {"id", "match", "act", "times", "skip", "every", "probability", "seed", "forSeconds"}
    if unknown := set(document) - known:
        raise FaultRuleError(f"unknown member {sorted(unknown)[0]!r}; a rule has {sorted(known)}")
    window = document.get("forSeconds")
    if window is not None:
        window = _number(document, "forSeconds", 0.0, 0.0, float("inf"))
    return Rule(
        id=str(document.get("id") or default_id),
        match=_parse_match(document.get("match", {}), vocabulary),
        act=_parse_act(document.get("act"), vocabulary),
        times=None if document.get("times") is None else int(_number(document, "times", 0, 1, 10**9)),
        skip=int(_number(document, "skip", 0, 0, 10**9)),
        every=int(_number(document, "every", 1, 1, 10**9)),
        probability=_number(document, "probability", 1.0, 0.0, 1.0),
        until=None if window is None else now + window,
        dice=random.Random(int(_number(document, "seed", 0, 0, 2**63))),  # noqa: S311 - repeatable by seed
        source=dict(document),
    )


def _parse_match(document: object, vocabulary: Vocabulary) -> Mapping[str, str]:
    if not isinstance(document, Mapping):
        raise FaultRuleError("match takes an object of glob patterns, for example {'operation': 'docs.*'}")
    for name, pattern in document.items():
        if name not in vocabulary.matches:
            raise FaultRuleError(f"match.{name} is not known; a rule matches on {list(vocabulary.matches)}")
        if not isinstance(pattern, str) or len(pattern) > PATTERN_CHARACTERS_MAX:
            raise FaultRuleError(f"match.{name} takes a glob pattern of up to {PATTERN_CHARACTERS_MAX} characters")
    operations = vocabulary.operations
    if operations and not any(fnmatchcase(each, document.get("operation", "*")) for each in operations):
        raise FaultRuleError(f"match.operation fits none of the operations: {', '.join(sorted(operations))}")
    return dict(document)


def _parse_act(document: object, vocabulary: Vocabulary) -> Act:
    acts = vocabulary.acts
    if not isinstance(document, Mapping) or not set(document) & set(acts):
        raise FaultRuleError(f"act takes an object with at least one of {list(acts)}")
    if unknown := set(document) - {*acts, *ACT_DETAILS}:
        raise FaultRuleError(f"act.{min(unknown)} is not known; an act has {[*acts, *ACT_DETAILS]}")
    drop = document.get("drop")
    if drop not in (None, "before", "after"):
        raise FaultRuleError("act.drop takes 'before' (the work is not done) or 'after' (the answer is lost)")
    status = document.get("status")
    retry_after = document.get("retryAfterSeconds")
    return Act(
        status=None if status is None else int(_number(document, "status", 0, 400, 599)),
        substatus=int(_number(document, "substatus", 0, 0, 99999)),
        retry_after_seconds=None
        if retry_after is None
        else _number(document, "retryAfterSeconds", 0.0, 0.0, DELAY_SECONDS_MAX),
        delay_seconds=_number(document, "delaySeconds", 0.0, 0.0, DELAY_SECONDS_MAX),
        drop=drop,
        duplicate=int(_number(document, "duplicate", 0, 0, DUPLICATES_MAX)),
        hold_seconds=_number(document, "holdSeconds", 0.0, 0.0, DELAY_SECONDS_MAX * 24),
    )


def _number(document: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    value = document.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise FaultRuleError(f"{name} takes a number from {low:g} to {high:g}, got {value!r}")
    return value
