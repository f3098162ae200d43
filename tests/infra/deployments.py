"""infra/ as deployments: each combination of the parameters that change what is made."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from local.bicep import Deployed, deploy
from local.bicep_topology import PARAMETERS

ROOT = Path(__file__).parent.parent.parent
INFRA = ROOT / "infra"
MAIN = INFRA / "main.bicep"
VARIANTS: dict[str, dict[str, Any]] = {
    "usual": {},
    "first": {"functionsDeployed": False},
    "autoscale": {"capacity": "autoscale", "replicaLocations": "elsewhere"},
    "split": {"splitApps": True},
    "private": {"privateNetworking": True},
    "operated": {"principalId": "someone", "alertEmail": "someone@example.com", "alwaysReadyInstances": 2},
    "everything": {
        "splitApps": True,
        "privateNetworking": True,
        "capacity": "autoscale",
        "principalId": "someone",
        "replicaLocations": "elsewhere,far-away",
    },
}


@cache
def deployment(variant: str) -> Deployed:
    """What main.bicep makes in a variant."""
    return deploy(MAIN, {**PARAMETERS, **VARIANTS[variant]})
