"""The last hour of the service, as operators see it plotted: the lag and replicas as sampled, outcomes by the log."""
