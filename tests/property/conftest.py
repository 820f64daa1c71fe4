import os

from hypothesis import HealthCheck, Phase, settings

# The machines that run this differ a lot in speed: what counts is that a property holds, not how fast.
settings.register_profile("moderate", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# For hundreds of runs whose only question is whether they fail: the same few examples each time, none made smaller.
settings.register_profile(
    "trial",
    settings.get_profile("moderate"),
    max_examples=25,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "moderate"))
