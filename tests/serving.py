"""Serves an emulator's `Application` on a free port of this process, so that sync and async SDKs can both call it."""

from emulators.pytest_plugin.servers import served

__all__ = ["served"]
