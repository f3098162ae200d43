"""Which changes of files load the app again, and the waiting for them. Knows no process.

The host's rules (FileMonitoringService, GrpcWorkerChannel): any .py file below the root; host.json, function.json,
proxies.json and what `watchFiles` names, anywhere; anything in a first-level folder that `watchDirectories` names; a
first-level folder that comes or goes; app_offline.htm in the root. Neither local.settings.json nor requirements.txt.
Ours: folders that hold no code of the app (environments, caches, hidden ones) are left alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from emulators.functions_host.limits import WATCH_BURST_MILLISECONDS, WATCH_QUIET_MILLISECONDS
from emulators.functions_host.settings import Configuration

APP_OFFLINE = "app_offline.htm"
WATCHED_FILES = ("host.json", "function.json", "proxies.json")
FOREIGN_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "env"})
TYPES = {"added": "Created", "modified": "Changed", "deleted": "Deleted"}


@dataclass
class WatchRules:
    """Says of a change whether it concerns the app."""

    root: Path
    files: frozenset[str]
    directories: frozenset[str]
    _known: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self._known = self._folders()

    def describe(self, change: str, path: Path) -> str | None:
        """The host's words for a change that loads the app again, or None."""
        inner = path.relative_to(self.root).parts
        if not inner:
            return None
        kind = None
        if len(inner) > 1 and inner[0] in self.directories:
            kind = "Watched directory"
        elif any(is_foreign(part) for part in inner[:-1]):
            return None
        elif path.suffix == ".py" or path.name.lower() in self.files or inner == (APP_OFFLINE,):
            kind = "File"
        elif len(inner) == 1 and self._folders() != self._known:
            self._known = self._folders()
            kind = "Directory"
        return kind and f"{kind} change of type '{TYPES[change]}' detected for '{path}'"

    def _folders(self) -> frozenset[str]:
        return frozenset(each.name for each in self.root.iterdir() if each.is_dir() and not is_foreign(each.name))


def read_rules(root: Path, host: Configuration) -> WatchRules | None:
    """What host.json says of watching; None when `fileWatchingEnabled` is false."""
    if not host.flag("fileWatchingEnabled", default=True):
        return None
    files = frozenset(each.lower() for each in (*WATCHED_FILES, *host.items("watchFiles")))
    return WatchRules(root, files, frozenset(host.items("watchDirectories")))


async def changes(rules: WatchRules) -> AsyncIterator[str]:
    """One sentence each time a burst of changes that concern the app has ended. Raises OSError."""
    from watchfiles import Change, awatch  # takes its time, and the app can be loaded meanwhile

    described: list[str] = []

    def concerns(change: Change, path: str) -> bool:
        sentence = rules.describe(change.raw_str(), Path(path))
        if sentence is not None:
            described.append(sentence)
        return sentence is not None

    async for _ in awatch(
        rules.root, watch_filter=concerns, debounce=WATCH_BURST_MILLISECONDS, step=WATCH_QUIET_MILLISECONDS
    ):
        first = described[0]
        described.clear()
        yield first


def is_foreign(folder: str) -> bool:
    """Whether a folder holds no code of the app: environments, caches, hidden ones."""
    return folder in FOREIGN_FOLDERS or folder.startswith(".")
