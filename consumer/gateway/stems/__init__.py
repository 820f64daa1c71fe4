"""A job's stems by HTTP: each for itself, in part, and all as one archive."""
