"""Fetches azure-cosmos's source distribution and prepares the tests in it: nothing is edited but where they connect."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

VERSION = "4.17.1"
SHA256 = "d692928a54d88163e96d41d8f899229ca2f6a6bf21973ece2bfc1f72d4b4edd8"
HERE = Path(__file__).resolve().parent
SUITE = HERE.parent / "suite" / f"azure-cosmos-{VERSION}"
SAMPLES = HERE.parent / "suite" / f"azure-cosmos-{VERSION}-samples"

_LOCAL_HOST = "    local_host = 'https://localhost:8081/'\n"
_GIVEN_HOST = "    local_host = os.getenv('ACCOUNT_HOST', 'https://localhost:8081/')\n"
_PYTEST_INI = "[pytest]\naddopts = -p no:cacheprovider -p no:randomly -p no:xdist\nasyncio_mode = strict\n"


class SuiteError(Exception):
    """The suite could not be fetched or is not the one we know. The text says what to do."""


def prepared() -> Path:
    """The folder with the suite, fetched on first use."""
    if not (SUITE / "pytest.ini").exists():
        shutil.rmtree(SUITE, ignore_errors=True)
        _prepare(SUITE)
    return SUITE


def prepared_samples() -> Path:
    """The folder with the samples of the same distribution, as they are; fetched on first use."""
    if not (SAMPLES / "config.py").exists():
        shutil.rmtree(SAMPLES, ignore_errors=True)
        _extract("samples", SAMPLES)
    return SAMPLES


def _extract(part: str, to: Path) -> None:
    print(f"Fetching the {part} of azure-cosmos {VERSION} (once) …", file=sys.stderr)
    with tempfile.TemporaryDirectory() as scratch:
        archive = _download(Path(scratch))
        if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
            raise SuiteError(f"{archive.name} is not the file that this harness was made for.")
        with tarfile.open(archive) as opened:
            opened.extractall(scratch, filter="data")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(
            Path(scratch) / f"azure_cosmos-{VERSION}" / part, to, ignore=shutil.ignore_patterns("workloads")
        )


def _prepare(suite: Path) -> None:
    _extract("tests", suite)
    (suite / "conftest.py").unlink()
    config = suite / "test_config.py"
    text = config.read_text(encoding="utf-8")
    if text.count(_LOCAL_HOST) != 1:
        raise SuiteError("test_config.py does not name its host where this harness expects it.")
    config.write_text(text.replace(_LOCAL_HOST, _GIVEN_HOST), encoding="utf-8")
    (suite / "pytest.ini").write_text(_PYTEST_INI, encoding="utf-8")


def _download(folder: Path) -> Path:
    """pip knows how to fetch a source distribution; the project's environment has none, so make one for it."""
    venv.create(folder / "pip", with_pip=True)
    python = folder / "pip" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    command: list[str | Path] = [
        python,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary",
        ":all:",
        "--dest",
        folder,
    ]
    if subprocess.run([*command, f"azure-cosmos=={VERSION}"], check=False).returncode:
        raise SuiteError("pip could not download azure-cosmos. Is the package index reachable?")
    return next(folder.glob("azure_cosmos-*.tar.gz"))
