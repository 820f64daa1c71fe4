"""Sound files of every kind that strangers send, each with what it truly holds, and other decoders beside our own."""
