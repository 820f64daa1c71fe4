"""Limits that more than one room holds to."""

# Without a sign of life from whoever gives one all the time. Rebalances and requests may take some of that, nothing
# takes all of it.
MAX_SILENCE_S = 40.0
