"""Limits that more than one room holds to."""

# Without a sign of life from whoever gives one all the time. Rebalances and requests may take some of that, nothing
# takes all of it.
MAX_SILENCE_S = 40.0

# The spans of a track that can be asked for: below, not every rate has a sample in it; above, no clock counts on.
SHORTEST_SPAN_S, LONGEST_SPAN_S = 0.001, 1e9
HIGHEST_TRACK = 999  # ffmpeg opens a thousand streams of a file

# What a sound file can have; no converter and no format of ours has more.
MOST_CHANNELS, MOST_RATE_HZ = 64, 768_000
# A manifest, an entry of an index, or another document of the service's own: the largest have some 100 KB.
MOST_DOCUMENT_BYTES = 4 << 20
