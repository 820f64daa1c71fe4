from hypothesis import HealthCheck, settings

# The machines that run this differ a lot in speed: what counts is that a property holds, not how fast.
settings.register_profile("moderate", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("moderate")
