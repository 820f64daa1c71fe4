"""One vendor each. Nothing outside this package imports a vendor's client."""
