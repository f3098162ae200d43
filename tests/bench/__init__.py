"""What the benchmarks compute from their figures; the measuring itself is not a test."""
