"""Which records are ours, whose turn it is, and what may be committed."""
