"""Settings of which some are wrong: all that is right can be used, as `doctor` does."""

import pytest

from consumer.core.errors import SettingsError
from consumer.settings import GROUPS, JobSettings, KafkaSettings, ScannerSettings


def test_a_group_can_be_used_as_far_as_it_is_right(environment: pytest.MonkeyPatch) -> None:
    """All that is wrong is told, what is right is there, and what is wrong is named by whoever asks for it."""
    environment.delenv("OUTPUT_BUCKET")
    environment.setenv("MAX_JOB_S", "soon")
    environment.setenv("MAX_OBJECT_BYTES", "1 KiB")
    job, problem = JobSettings.load_usable()
    assert problem
    assert str(problem).startswith("OUTPUT_BUCKET must be set; MAX_JOB_S: ")
    assert problem.variables == ("OUTPUT_BUCKET", "MAX_JOB_S")
    assert (job.allowed_source_buckets, job.max_object_bytes, job.output_prefix) == (("in",), 1024, "stems/")
    for field, variable in (("output_bucket", "OUTPUT_BUCKET"), ("max_job_s", "MAX_JOB_S")):
        with pytest.raises(SettingsError, match=f"^{variable} ") as caught:
            getattr(job, field)
        assert caught.value.variables == (variable,)


def test_what_rests_on_a_wrong_setting_names_it(environment: pytest.MonkeyPatch) -> None:
    """So does a property that is made of it; a group that is wrong as a whole has nothing that can be used."""
    environment.setenv("CLAMD_ADDRESS", "nowhere")
    with pytest.raises(SettingsError, match=r"^CLAMD_ADDRESS "):
        _ = ScannerSettings.load_usable()[0].places
    environment.delenv("KAFKA_BOOTSTRAP_SERVERS")
    environment.setenv("KAFKA_ENABLE_AUTO_COMMIT", "true")
    kafka, problem = KafkaSettings.load_usable()
    assert problem
    assert problem.variables == ("KAFKA_BOOTSTRAP_SERVERS", "KAFKA_ENABLE_AUTO_COMMIT")
    with pytest.raises(SettingsError, match=r"^KAFKA_ENABLE_AUTO_COMMIT "):
        _ = kafka.group_id


def test_a_group_that_is_right_is_as_it_would_be_loaded() -> None:
    """Nothing is wrong with it, and nothing is left out."""
    for group in GROUPS:
        loaded, problem = group.load_usable()
        assert problem is None
        assert loaded.model_dump() == group.load().model_dump()
