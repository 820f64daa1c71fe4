"""Streams of what happens to a tenant's jobs, which any replica resumes where another one ended."""
