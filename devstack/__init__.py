"""Real Kafka, real MinIO and others as plain processes, for the tests and for `make stack-up`.

`build` obtains them once and keeps them in a cache; `kafka`, `minio`, ... say how each is started and when it is ready;
`service` starts and ends one of them; `__main__` is the pair on its usual ports.
"""
