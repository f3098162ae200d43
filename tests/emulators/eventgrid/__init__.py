"""The Event Grid emulator through its public doors: HTTP, the official SDK, the command line."""
