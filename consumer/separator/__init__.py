"""The separator: a process of its own that turns one local audio file into stem files.

It decodes with ffmpeg, separates segment by segment with Spleeter's networks, and encodes with ffmpeg. It knows
nothing of Kafka or object storage and holds no credentials; it may be killed at any moment with nothing lost.
`client` and `protocol` are the parent's side and import neither numpy nor TensorFlow.
"""
