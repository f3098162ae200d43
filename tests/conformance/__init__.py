"""Suites that others wrote, run against the emulators: downloaded, never committed."""
