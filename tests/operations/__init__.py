"""The operator's commands, against the order service on served emulators."""
