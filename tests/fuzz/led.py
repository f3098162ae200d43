"""One target under atheris, in a process of its own: libFuzzer ends the process that it runs in.

`python -m tests.fuzz.led TARGET SECONDS FINDINGS`; `python -m tests.fuzz` calls it. Only what is ours is instrumented:
the parsers of libraries are their authors' to fuzz, and the start would take minutes.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]  # only where one put it

OURS = ["emulators", "order_events", "update_order_status", "update_order_status_read_model"]


def main(name: str, seconds: float, findings: str) -> None:
    """Fuzz until the seconds are over or something breaks."""
    with atheris.instrument_imports(include=OURS):
        from tests.fuzz.targets import BYTES_MAX, SECONDS_MAX, TARGETS
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as corpus:
        for number, example in enumerate(target.examples):
            (Path(corpus) / str(number)).write_bytes(example)
        bounds = {"max_total_time": max(1, round(seconds)), "timeout": round(SECONDS_MAX), "max_len": BYTES_MAX}
        options = [f"-{option}={value}" for option, value in bounds.items()]
        prefix = f"-artifact_prefix={findings}{os.sep}{name.replace(' ', '-')}-"
        atheris.Setup([sys.argv[0], *options, prefix, corpus], target.take)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3])
