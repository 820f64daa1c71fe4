"""How many examples each target is given: enough for `make test`, or HYPOTHESIS_PROFILE=fuzz, by `make fuzz`."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("quick", max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fuzz", settings.get_profile("quick"), max_examples=100_000)
settings.load_profile("fuzz" if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else "quick")
