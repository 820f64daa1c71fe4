"""The stages. Each takes one frozen value and returns the next; none logs, counts, retries or knows a vendor."""
