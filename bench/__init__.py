"""`make bench`: this engine beside Spleeter's own, and what delivery costs, in one run, on the same files and weights.

`material` makes files and weights, `contenders` are what is measured, each a process of its own, `measure` runs one
and watches its time and memory, `__main__` puts the table together. `delivery` measures the service between a Kafka and
a MinIO of its own (`arena`), on a `backlog` beside what one writes first (`naive`).
"""
