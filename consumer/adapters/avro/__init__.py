"""Events in Avro, by fastavro, and how their schemas may change."""
