"""How long a job that has not ended will take, told from what the topics tell of others; or that it is not known."""
