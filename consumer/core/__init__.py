"""Values and Protocols: what travels between the stages, and what the stages need from the world."""
