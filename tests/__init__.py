"""Behaviours, through public doors: HTTP, the official SDKs, the command line."""
