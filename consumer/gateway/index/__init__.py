"""What the gateway knows of jobs: read from the topics, kept on disk beside the process, rebuilt at each start."""
