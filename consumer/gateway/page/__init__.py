"""The page: a song in, its stems to be heard; and for operators, what waits. Its files, as browsers run them."""
