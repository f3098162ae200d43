"""The composition root: the only room that sees the app and all emulators (`python -m local up | demo | replay …`)."""
