"""`make demo`: a song with known true stems through the whole service, on embedded servers.

`songs` makes the song, `training` made the weights in `weights`, `servers` are the broker and the object store,
`__main__` leads the song through.
"""
