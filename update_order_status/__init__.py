"""The write side: decides what a command does to an order, commits it with its event, and publishes the event."""
