"""The pytest plugin, used from here as from another project."""
