"""Separates music into stems with Spleeter, as a Kafka consumer group.

One record walks one way through six stages, each of which takes a frozen value and returns the next:

    decode      Record            -> SeparationRequest      what the bytes say
    validate    SeparationRequest -> Job                    what may be done
    fetch       Job               -> LocalTrack             the object, pinned to its etag
    separate    LocalTrack        -> Stems                  files in scratch space
    store       Stems             -> StoredStems            objects, then the manifest
    publish     StoredStems       -> Message                a result, in one transaction with the offset

Two more shorten the walk: `recall` finds what this request, and `reuse` what this content, has been answered with.
`app` wires them, `pipeline` runs them, `loop` polls, `committer` commits.
"""
