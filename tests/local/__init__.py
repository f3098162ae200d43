"""The composition root, through its command line."""
