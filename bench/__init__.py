"""`make bench`: this engine beside Spleeter's own, in one run, on the same files and weights.

`material` makes files and weights, `contenders` are what is measured, each a process of its own, `measure` runs one
and watches its time and memory, `__main__` puts the table together.
"""
