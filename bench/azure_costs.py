"""`python -m bench.azure_costs`: what the design needs and costs on Azure at some rates, on paper, as Markdown.

Nothing is measured here: inputs are the figures of docs/GUARANTEES.md (request units), measured CPU per command, the
documented limits and the prices below; the arithmetic is in `estimate`. `--write` puts the tables into
docs/PERFORMANCE.md.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass

from bench import page

RATES = (1_000, 10_000)
"""Commands per second, around the clock: the worst month, not the usual one."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A number from outside: its unit and where it is from."""

    value: float
    unit: str
    source: str


PRICES = {
    "Cosmos DB, provisioned throughput": Fact(
        0.008, "USD per 100 RU/s and hour", "azure.microsoft.com/pricing/details/cosmos-db, one region, one writer"
    ),
    "Cosmos DB, storage": Fact(0.25, "USD per GB and month", "learn.microsoft.com, Understand your Cosmos DB bill"),
    "Event Grid, operations": Fact(0.60, "USD per million", "azure.microsoft.com/pricing/details/event-grid"),
    "Flex Consumption, active memory": Fact(
        0.000026, "USD per GB-second", "azure.microsoft.com/pricing/details/functions, East US, on demand"
    ),
    "Flex Consumption, executions": Fact(0.40, "USD per million", "the same"),
}
"""List prices in US dollars as published in 2025, without free grants, reservations or discounts. Check them before
they are budgeted with: one table, so that it is one edit."""

LIMITS = {
    "a physical partition's throughput": Fact(10_000, "RU/s", "Cosmos DB, service quotas"),
    "a physical partition's storage": Fact(50, "GB", "Cosmos DB, service quotas"),
    "publishing to one topic": Fact(5_000, "events/s", "Event Grid, quotas and limits"),
    "instances of one Flex Consumption app": Fact(1_000, "instances", "Azure Functions, Flex Consumption plan"),
}

NEW_ORDER_SHARE = 0.25
"""Of all commands: an order has four changes in its life (the real orders of local replay: 3.6)."""
UNITS = {
    "a new order": 30.0,
    "a change of status": 34.0,
    "an order's first event": 16.0,
    "a later event": 19.0,
}
"""Request units at most, from docs/GUARANTEES.md (a test compares)."""
APP_CPU_SECONDS = 0.006
"""Of one command and its projection; `python -m bench.order_service`, rounded up. An instance's core is taken for one
of ours, which has to be measured there before it is believed."""
INSTANCE_GB, INSTANCE_CORES = 2.0, 1.0
"""The instance size of infra/main.bicep."""
UTILISATION = 0.6
"""How full instances and partitions are run: the rest is for peaks, hot partitions and retries."""
EVENT_GRID_OPERATIONS = 2
"""Per event: taken in, delivered once. Requests do not count, events do (each up to 64 KB)."""
EXECUTIONS = 2
"""Per command: the command, the projection."""
STORED_KB = 1.6
"""Per command, kept: the event (0.7 KB) and the step of the history (0.5 KB), with what Cosmos adds and indexes."""
KEPT_DAYS = 30
"""How long orders and events are kept: `python -m operations retain`."""
HOURS, SECONDS = 730.0, 730.0 * 3600
"""Of a month."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one rate of commands takes, and its month in US dollars."""

    rate: int
    write_units: float
    read_units: float
    provisioned_units: int
    write_partitions: int
    read_partitions: int
    topics: int
    instances: int
    stored_gb: float
    dollars: dict[str, float]

    @property
    def total(self) -> float:
        """US dollars a month."""
        return sum(self.dollars.values())


def estimate(rate: int) -> Estimate:
    """The arithmetic."""

    def mix(first: str, later: str) -> float:
        return rate * (NEW_ORDER_SHARE * UNITS[first] + (1 - NEW_ORDER_SHARE) * UNITS[later])

    write, read = mix("a new order", "a change of status"), mix("an order's first event", "a later event")
    provisioned = sum(100 * math.ceil(units / UTILISATION / 100) for units in (write, read))
    stored = rate * 24 * 3600 * KEPT_DAYS * STORED_KB / 1e6
    instances = math.ceil(rate * APP_CPU_SECONDS / (UTILISATION * INSTANCE_CORES))
    per_month = rate * SECONDS / 1e6
    bought = {
        "Cosmos DB, provisioned throughput": provisioned / 100 * HOURS,
        "Cosmos DB, storage": stored,
        "Event Grid, operations": per_month * EVENT_GRID_OPERATIONS,
        "Flex Consumption, active memory": instances * INSTANCE_GB * SECONDS,
        "Flex Consumption, executions": per_month * EXECUTIONS,
    }
    return Estimate(
        rate,
        write,
        read,
        provisioned,
        _partitions(write, stored / 2),
        _partitions(read, stored / 2),
        math.ceil(rate / UTILISATION / LIMITS["publishing to one topic"].value),
        instances,
        stored,
        {name: quantity * PRICES[name].value for name, quantity in bought.items()},
    )


def _partitions(units: float, gigabytes: float) -> int:
    """As many as throughput and storage ask for, whichever is more."""
    by_units = units / UTILISATION / LIMITS["a physical partition's throughput"].value
    by_storage = gigabytes / LIMITS["a physical partition's storage"].value
    return math.ceil(max(by_units, by_storage))


def markdown() -> str:
    """The tables of the page."""
    estimates = [estimate(rate) for rate in RATES]

    def line(name: str, *cells: object) -> str:
        return f"| {name} | {' | '.join(str(cell) for cell in cells)} |"

    def row(name: str, form: str, of: str) -> str:
        return line(name, *(format(getattr(each, of), form) for each in estimates))

    needs = [
        line("", *(f"{each.rate:,} commands/s" for each in estimates)),
        line("---", *("---:" for _ in estimates)),
        row("request units/s used by the write side", ",.0f", "write_units"),
        row("request units/s used by the read side", ",.0f", "read_units"),
        row("RU/s provisioned", ",d", "provisioned_units"),
        row("physical partitions of orders-write", "d", "write_partitions"),
        row("physical partitions of orders-read", "d", "read_partitions"),
        row("Event Grid topics", "d", "topics"),
        row("instances of the app (2 GB)", "d", "instances"),
        row(f"GB kept ({KEPT_DAYS} days)", ",.0f", "stored_gb"),
    ]
    needs += [
        line(f"USD a month: {name}", *(f"{each.dollars[name]:,.0f}" for each in estimates))
        for name in estimates[0].dollars
    ]
    needs.append(line("**USD a month**", *(f"**{each.total:,.0f}**" for each in estimates)))
    needs.append(
        line("USD per million commands", *(f"{each.total / (each.rate * SECONDS / 1e6):.2f}" for each in estimates))
    )
    prices = ["| price or limit | value | unit | source |", "|---|---:|---|---|"]
    prices += [
        f"| {name} | {_plain(fact.value)} | {fact.unit} | {fact.source} |" for name, fact in (PRICES | LIMITS).items()
    ]
    return "\n".join([*needs, "", *prices])


def _plain(value: float) -> str:
    return f"{value:,.6f}".rstrip("0").rstrip(".")


def main() -> int:
    """Print the tables, or put them into the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.azure_costs", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put them into docs/PERFORMANCE.md")
    if parser.parse_args().write:
        page.put("azure costs", markdown())
    else:
        print(markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main())
