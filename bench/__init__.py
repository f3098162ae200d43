"""Benchmarks: ratios against references that are started in the same run, never absolute claims."""
