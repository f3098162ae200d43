"""Runs the samples in azure-cosmos's source distribution, unmodified, against a Cosmos DB emulator over https.

A sample passes when it ends well, says what it is to say and nothing that it is not: they catch most of their errors.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import requests

from emulators.base.tls import authority_directory, certificate_file
from emulators.cosmos.account import WELL_KNOWN_KEY
from tests.conformance.cosmos_sdk.suite import prepared_samples
from tests.conformance.emulator import running

RESULTS = Path(__file__).resolve().parents[1] / "results" / "cosmos_samples"
SAMPLE_SECONDS_MAX = 120
CAUGHT = "has caught an error"


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample, what it says when all went well, and what it would say otherwise. `twin`: there is an async one."""

    name: str
    says: str
    never_says: str = CAUGHT
    twin: bool = True

    @property
    def files(self) -> list[str]:
        """Its file and its async twin's."""
        return [f"{self.name}.py", *([f"{self.name}_async.py"] if self.twin else [])]


SAMPLES = (
    Sample(
        "access_cosmos_with_resource_token", "Error in upserting item with id '3'", "Error in deleting item with id"
    ),
    Sample("autoscale_throughput_management", "New maximum throughput: 6000 RU/s"),
    Sample("change_feed_management", "'operationType': 'delete'"),
    Sample("client_user_configs", "Client initialized with custom retry options"),
    Sample("compact_utf8_item_writes", "Round trip preserved content: True"),
    Sample("concurrency_sample", "End of the test. Read 6000 items.", twin=False),
    Sample("container_management", "Provisioned Throughput is now"),
    Sample("cosmos_responses_management", "Container throughput changed to 600 RU/s"),
    Sample("database_management", "was deleted"),
    Sample("diagnostics_filter_sample", "", twin=False),
    Sample("excluded_locations", "", twin=False),
    Sample("feed_range_management", "This should equal the total number of items in the container"),
    Sample("index_management", "11. Container created with full text policy"),
    Sample("read_items_sample", "Successfully read 1100 items."),
    Sample("throughput_bucket_management", "run_sample done"),
    Sample("transactional_batch", "All operations have been rolled back."),
    Sample("user_agent_management", "Sample completed!"),
)
"""Those that are not here need what is not (Entra's client secrets, Fabric, several regions) or fail in the service
too: `examples` read with one key of three, and in a database that they have deleted; `document_management` sends a
batch that has to fail and reads a file that is nowhere; `session_token_management` makes a database as an identity;
`tracing_open_telemetry` imports a package of its own."""


def main() -> int:
    """Run all samples; 0 when each passes."""
    folder = prepared_samples()
    RESULTS.mkdir(parents=True, exist_ok=True)
    failed = 0
    with running("cosmos", RESULTS / "emulator.log", https=True, flags=("--all-versions",)) as endpoint:
        for sample in SAMPLES:
            for file in sample.files:
                problem = _problem(endpoint, folder, file, sample)
                failed += bool(problem)
                print(f"{'FAILED ' + problem if problem else 'passed'}: samples/{file}")
    return int(failed > 0)


def _problem(endpoint: str, folder: Path, file: str, sample: Sample) -> str:
    """What is wrong with a sample's run on an empty account; empty when nothing is."""
    authority = certificate_file(authority_directory())
    requests.post(
        f"{endpoint}_emulator/reset", headers={"x-emulator-control": "1"}, verify=str(authority), timeout=10
    ).raise_for_status()
    settings = {
        "ACCOUNT_HOST": endpoint,
        "ACCOUNT_URI": endpoint,
        "ACCOUNT_KEY": WELL_KNOWN_KEY,
        "CONN_STR": f"AccountEndpoint={endpoint};AccountKey={WELL_KNOWN_KEY};",
        "COSMOS_DATABASE": "samples",
        "COSMOS_CONTAINER": "items",
        "COSMOS_CONTAINER_MH": "hierarchical",
        "PYTHONWARNINGS": "ignore",
    }
    with (RESULTS / f"{file}.log").open("w", encoding="utf-8") as log:
        try:
            code = subprocess.run(
                [sys.executable, file],
                cwd=folder,
                env={**os.environ, **settings},
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=SAMPLE_SECONDS_MAX,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            return f"after {SAMPLE_SECONDS_MAX} s"
    said = Path(log.name).read_text(encoding="utf-8")
    if code or sample.says not in said:
        return f"with exit code {code} and without {sample.says!r}"
    return f"with {sample.never_says!r}" if sample.never_says in said else ""


if __name__ == "__main__":
    sys.exit(main())
