"""What can be seen of a replica: metrics, probes, traces, logs."""
