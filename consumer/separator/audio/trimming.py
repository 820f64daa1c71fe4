"""Which samples of a decoder's are the sound, told to ffmpeg in place of what it would leave out by itself."""


def trim(*, first: int, count: int | None, rate_hz: int) -> str:
    """ffmpeg's filter that leaves so many samples from `first` on alone, where none is missing between them; None for
    all to the end.
    """
    # The end by its time behind the first sample: packets may be missing between them, which leave a gap.
    end = "" if count is None else f":duration={count / rate_hz:.6f}"
    return f"atrim=start_sample={first}{end}"


def trimmed(args: list[str], trim: str) -> list[str]:
    """ffmpeg's options with this filter in front of others, and with a decoder that leaves nothing out by itself."""
    if "-af" in args:
        place = args.index("-af") + 1
        args = [*args[:place], f"{trim},{args[place]}", *args[place + 1 :]]
    else:
        args = [*args, "-af", trim]
    return ["-flags2:a", "+skip_manual", *args]
