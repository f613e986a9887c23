"""Training of runs, alone or as a stack, and their scores."""
