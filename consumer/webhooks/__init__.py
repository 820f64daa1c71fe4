"""Tells tenants' endpoints of outcomes, in the format of Standard Webhooks: `spleeter-consumer webhooks`.

Each endpoint has a consumer group of its own, so that what one of them does holds up no other.
"""
