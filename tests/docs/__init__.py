"""What the documentation tells people to type works as it is written."""
