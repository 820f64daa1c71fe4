"""Songs made from nothing but a seed: voices, drums, bass, piano and more, with their true stems."""

from demo.songs.song import STEMS, Song, make_song

__all__ = ["STEMS", "Song", "make_song"]
