"""Files and records of somebody who means it. `python -m harness.hostile FOLDER` writes them all.

None of them may end otherwise than a song that can't be read: with its outcome, within time and memory, without a
connection, without a file outside the track's folder, and without a word to the next song.
"""
