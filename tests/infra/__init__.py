"""What infra/ says is what the code reads and what local provisions."""
