"""The query language by itself."""
