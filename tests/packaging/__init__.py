"""The project as others get it: the emulators' wheel, workflows, examples."""
