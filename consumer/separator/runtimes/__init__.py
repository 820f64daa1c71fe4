"""What computes the networks: one vendor a module."""
