"""How long whoever waits without saying for how long does so."""

RESULT_S = 600.0  # a wait that nobody bounds ends nevertheless
