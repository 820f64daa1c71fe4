"""Changes the product one small way at a time and looks whether the tests notice. See `python -m tests.mutation -h`."""
