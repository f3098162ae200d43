"""`python -m tests.fuzz [TARGET …]`: feed parsers for so many seconds each, and keep what breaks them.

With atheris in the environment (`python -m uv pip install atheris`: it is for Linux and no dependency of ours) coverage
leads the way; without it, or with --by-chance, mutations of the examples are drawn from a seed.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.mutation import mutate
from tests.fuzz.targets import BYTES_MAX, SECONDS_MAX, TARGETS, Target

FOUND = Path("fuzz-findings")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when nothing broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of: {', '.join(TARGETS)} (all)")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations by chance (default %(default)s)")
    parser.add_argument("--by-chance", action="store_true", help="without atheris, though it is there")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.targets) - set(TARGETS):
        parser.error(f"there is no target {min(unknown)!r}; there are {', '.join(TARGETS)}")
    names = chosen.targets or list(TARGETS)
    led = not chosen.by_chance and importlib.util.find_spec("atheris") is not None
    outcomes = [_run_led(name, chosen.seconds) if led else _run(name, chosen.seconds, chosen.seed) for name in names]
    return 0 if all(outcomes) else 1


def _run(name: str, seconds: float, seed: int) -> bool:
    """Mutations by chance; whether nothing broke."""
    target, dice = TARGETS[name], random.Random(f"{seed} {name}")
    until, inputs = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        data = mutate(dice, target.examples, BYTES_MAX)
        inputs += 1
        if (broke := _broken(target, data)) is not None:
            print(f"{name}: {broke} after {inputs} inputs, kept in {_keep(name, data)}", flush=True)
            return False
    print(f"{name}: {inputs} inputs, nothing broke", flush=True)
    return True


def _broken(target: Target, data: bytes) -> str | None:
    began = time.monotonic()
    try:
        target.take(data)
    except Exception as failure:  # noqa: BLE001 - whatever it is, it is the finding
        return f"{type(failure).__name__}: {failure}"
    took = time.monotonic() - began
    return f"{took:.1f} s" if took > SECONDS_MAX else None


def _keep(name: str, data: bytes) -> Path:
    FOUND.mkdir(exist_ok=True)
    kept = FOUND / f"{name.replace(' ', '-')}-{time.time_ns()}"
    kept.write_bytes(data)
    return kept


def _run_led(name: str, seconds: float) -> bool:
    """A process for the target: libFuzzer ends the one that it runs in."""
    FOUND.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.led", name, str(seconds), str(FOUND)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    done = next((line for line in reversed(run.stderr.splitlines()) if line.startswith("Done")), "")
    print(f"{name}: {'nothing broke' if run.returncode == 0 else 'broke'} {done}", flush=True)
    if run.returncode != 0:
        print(run.stdout[-4000:], run.stderr[-4000:], sep="\n", file=sys.stderr)
    return run.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
