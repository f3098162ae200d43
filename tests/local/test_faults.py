"""Fault rules that a topology file puts in force."""

from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from emulators.base.control import CONTROL_HEADER
from local.provision import ProvisioningFailed
from local.stack import Options, free_ports, running_stack
from local.topology import Fault, read_topology

ONLY_COSMOS = frozenset({"azurite", "eventgrid", "functions"})


def options(data: Path, *faults: Fault) -> Options:
    return Options(
        data, ports=free_ports(), without=ONLY_COSMOS, quiet=True, topology=replace(read_topology(), faults=faults)
    )


async def test_fault_rules_of_the_topology_are_in_force(tmp_path: Path) -> None:
    """From the start on, each at its service, and what is provisioned does not suffer from them."""
    rule = {"match": {"operation": "docs.create"}, "act": {"status": 429}, "every": 10}
    mine, other = Fault("cosmos", rule), Fault("eventgrid", {"match": {}, "act": {"status": 503}})
    async with running_stack(options(tmp_path, mine, other)) as stack:
        url = f"{stack.url('cosmos')}/_emulator/faults"
        async with aiohttp.ClientSession(headers={CONTROL_HEADER: "1"}) as session, session.get(url) as answer:
            (found,) = (await answer.json())["rules"]
    assert {name: found[name] for name in rule} == rule


async def test_a_rule_that_cannot_be_obeyed_stops_the_start(tmp_path: Path) -> None:
    """With what is wrong with it."""
    wrong = Fault("cosmos", {"match": {}, "act": {"status": 200}})
    with pytest.raises(ProvisioningFailed, match="status takes a number from 400 to 599"):
        async with running_stack(options(tmp_path, wrong)):
            pass


def test_a_topology_file_may_hold_fault_rules(tmp_path: Path) -> None:
    """They are read as they are written."""
    file = tmp_path / "topology.toml"
    rules = '[[faults]]\nservice = "cosmos"\nmatch = { operation = "docs.*" }\nact = { drop = "after" }\n'
    text = Path("local/topology.toml").read_text(encoding="utf-8")
    file.write_text(text + rules, encoding="utf-8")
    assert read_topology(file).faults == (
        Fault("cosmos", {"match": {"operation": "docs.*"}, "act": {"drop": "after"}}),
    )
