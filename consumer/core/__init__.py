"""Values and Protocols: what travels between the rooms, and what the rooms need from the world."""
