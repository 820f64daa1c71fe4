"""Separates music into stems with Spleeter, as a Kafka consumer group.

One record walks one way through its stages, each of which takes a frozen value and returns the next:

    decode          Record             -> SeparationRequest    what the bytes say
    validate        SeparationRequest  -> Job                  what may be done
    recall          Job                -> StoredStems          what this request was answered with before, if it was
    fetch           Job                -> LocalTrack           the object, pinned to its etag
    scan            LocalTrack         -> LocalTrack           no malware in it
    reuse           LocalTrack         -> ReusableResult       what this content was answered with before, if it was
    separate        LocalTrack         -> Stems                files in scratch space
    store           Stems              -> StoredStems          objects, then the manifest
    encode outcome  StoredStems        -> Done                 a result, to be committed with the record's offset

`core` holds the values and what is needed of the world, `delivery` reads and commits, `pipeline` leads records through
their stages, `adapters` know a vendor each, `separator` is the process that separates, `app` wires it all.
"""
