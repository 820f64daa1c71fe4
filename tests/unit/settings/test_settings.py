import socket
from pathlib import Path

import pytest

from consumer.core.errors import SettingsError
from consumer.settings import (
    GROUPS,
    Group,
    JobSettings,
    KafkaSettings,
    LogSettings,
    MinioSettings,
    ScannerSettings,
    SchemaSettings,
    SeparatorSettings,
    ServiceSettings,
    Settings,
    TopicSettings,
    environment_without_secrets,
    variable_of,
)
from tests.unit.settings.conftest import MINIMAL


def load_all() -> None:
    for group in GROUPS:
        group.load()


def test_defaults_are_the_documented_ones() -> None:
    """With the required variables alone, every group loads with the defaults of the public contract."""
    kafka, job, service = KafkaSettings.load(), JobSettings.load(), ServiceSettings.load()
    assert (kafka.group_id, kafka.properties) == ("spleeter-consumer", {})
    topics = TopicSettings.load()
    assert topics.model_dump() == {
        "requests": "separation.requests", "results": "separation.results", "dead_letter": "separation.dead-letter",
        "progress": "separation.progress", "control": "separation.control", "audit": "separation.audit",
    }  # fmt: skip
    assert topics.retry(2) == "separation.requests.retry-2"
    assert SchemaSettings.load().schema_registry_url is None
    assert MinioSettings.load().secure is True
    assert (job.output_prefix, job.max_object_bytes, job.max_audio_seconds) == ("stems/", 512 * 1024**2, 7200)
    assert job.max_job_s == 1800
    separator = SeparatorSettings.load()
    assert (str(separator.model_path), separator.separator_processes) == ("pretrained_models", 1)
    assert separator.separator_runtime == "auto"
    assert (service.http_host, service.http_port, service.shutdown_grace_s) == ("127.0.0.1", 8080, 30)
    assert list(service.retry_delays) == [10, 60, 600]
    assert service.instance_id == socket.gethostname()
    assert not service.is_static_member
    assert LogSettings.load().model_dump() == {"level": "INFO", "format": "json"}


@pytest.mark.parametrize("name", MINIMAL)
@pytest.mark.parametrize("value", [None, ""], ids=["unset", "empty"])
def test_what_must_be_set_is_asked_for_by_name(environment: pytest.MonkeyPatch, name: str, value: str | None) -> None:
    """A required variable that is missing or empty ends in one line that names it."""
    if value is None:
        environment.delenv(name)
    else:
        environment.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name} must be set$"):
        load_all()


WRONG = [
    ("KAFKA_GROUP_PROTOCOL", "raft"),
    ("MINIO_ENDPOINT", "https://store:9000"),
    ("MINIO_ENDPOINT", "store:9000/path"),
    ("MINIO_ENDPOINT", "store:99999"),
    ("MINIO_ENDPOINT", "store:0"),
    ("MINIO_ENDPOINT", "store:abc"),
    ("MINIO_ENDPOINT", "us er:9000"),
    ("MINIO_ENDPOINT", ":9000"),
    ("MINIO_ENDPOINT", "[::1:9000"),
    ("MINIO_ENDPOINT", "user:hunter2@store:9000"),
    ("MINIO_ENDPOINT", "https://user:hunter2@store:9000"),
    ("MINIO_SECURE", "perhaps"),
    ("MINIO_REGION", "eu central"),
    ("MINIO_REGION", "-eu"),
    ("MINIO_CA_FILE", "/no/such/file"),
    ("MINIO_CA_FILE", __file__),
    ("SCHEMA_REGISTRY_AUTO_REGISTER", "perhaps"),
    ("SCHEMA_REGISTRY_URL", "registry:8081"),
    ("SCHEMA_REGISTRY_URL", "registry"),
    ("SCHEMA_REGISTRY_URL", "http://"),
    ("SCHEMA_REGISTRY_URL", "http://registry:99999"),
    ("SCHEMA_REGISTRY_URL", "http://user:hunter2@registry:port"),
    ("SCHEMA_REGISTRY_URL", "ftp://user:hunter2@registry"),
    ("SCHEMA_REGISTRY_URL", "http://user:hunter2@regi\u2100stry"),
    ("SCHEMA_REGISTRY_URL", "http://registry,other:8081"),
    ("ALLOWED_SOURCE_BUCKETS", " , "),
    ("MAX_OBJECT_BYTES", "much"),
    ("MAX_AUDIO_SECONDS", "0"),
    ("MAX_AUDIO_SECONDS", "-1"),
    ("MAX_AUDIO_SECONDS", "long"),
    ("MAX_JOB_S", "0s"),
    ("MAX_JOB_S", "soon"),
    ("SEPARATOR_PROCESSES", "0"),
    ("SEPARATOR_PROCESSES", "1000"),
    ("SEPARATOR_PROCESSES", "one"),
    ("SEPARATOR_RUNTIME", "abacus"),
    ("INSTANCE_ID", "a b"),
    ("INSTANCE_ID", "x" * 201),
    ("HTTP_PORT", "65536"),
    ("HTTP_PORT", "-1"),
    ("HTTP_PORT", "http"),
    ("RETRY_DELAYS", "10s,soon"),
    ("SHUTDOWN_GRACE_S", "-1"),
    ("LOG_LEVEL", "loud"),
    ("LOG_FORMAT", "xml"),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=lambda word: word[:20])
def test_a_wrong_value_is_told_of_in_one_line(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A value that can't be is a SettingsError of one line that begins with the variable's name."""
    environment.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_all()
    assert str(caught.value).startswith(f"{name}: ")
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


RIGHT = [
    (JobSettings, "ALLOWED_SOURCE_BUCKETS", " a, b ,", "allowed_source_buckets", ("a", "b")),
    (JobSettings, "ALLOWED_FORMATS", "mp3,wav", "allowed_formats", ("mp3", "wav")),
    (JobSettings, "MAX_OBJECT_BYTES", "1 GiB", "max_object_bytes", 1024**3),
    (JobSettings, "MAX_JOB_S", "5m", "max_job_s", 300),
    (JobSettings, "MAX_JOB_S", "90", "max_job_s", 90),
    (ServiceSettings, "RETRY_DELAYS", "250ms, 2m", "retry_delays", (0.25, 120)),
    (ServiceSettings, "RETRY_DELAYS", ",", "retry_delays", ()),
    (ServiceSettings, "HTTP_PORT", "0", "http_port", 0),
    (ServiceSettings, "INSTANCE_ID", "replica-0", "is_static_member", True),
    (MinioSettings, "MINIO_ENDPOINT", "store.example", "endpoint", "store.example"),
    (MinioSettings, "MINIO_ENDPOINT", "[::1]:9000", "endpoint", "[::1]:9000"),
    (SchemaSettings, "SCHEMA_REGISTRY_URL", "https://u:p@a/b, http://c:1", "schema_registry_url",
     "https://u:p@a/b, http://c:1"),
    (MinioSettings, "MINIO_SECURE", "false", "secure", False),
    (MinioSettings, "MINIO_REGION", "eu-central-1", "region", "eu-central-1"),
    (MinioSettings, "MINIO_REGION", "", "region", None),
    (SchemaSettings, "SCHEMA_REGISTRY_AUTO_REGISTER", "true", "schema_registry_auto_register", True),
    (SeparatorSettings, "MODELS", "2stems,5stems", "models", ("2stems", "5stems")),
]  # fmt: skip


@pytest.mark.parametrize(("group", "name", "value", "field", "wanted"), RIGHT)
def test_values_are_parsed(
    environment: pytest.MonkeyPatch, group: type[Group], name: str, value: str, field: str, wanted: object
) -> None:
    """Lists, sizes and durations may be written as people write them."""
    environment.setenv(name, value)
    assert getattr(group.load(), field) == wanted


def test_any_librdkafka_property_can_be_set(environment: pytest.MonkeyPatch) -> None:
    """KAFKA_<PROPERTY> becomes the property of that name, at each load anew; an empty one counts as unset."""
    environment.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    environment.setenv("KAFKA_SSL_CA_LOCATION", "")
    assert KafkaSettings.load().properties == {"security.protocol": "SASL_SSL"}
    environment.delenv("KAFKA_SECURITY_PROTOCOL")
    assert KafkaSettings.load().properties == {}
    assert variable_of("security.protocol") == "KAFKA_SECURITY_PROTOCOL"


@pytest.mark.parametrize(
    "name",
    [
        "ENABLE_AUTO_COMMIT",
        "ENABLE_AUTO_OFFSET_STORE",
        "ISOLATION_LEVEL",
        "TRANSACTIONAL_ID",
        "GROUP_INSTANCE_ID",
        "METADATA_RECOVERY_STRATEGY",
    ],
)
def test_what_the_delivery_promise_rests_on_is_refused(environment: pytest.MonkeyPatch, name: str) -> None:
    """A property that would break exactly-one-outcome is an error that names its variable."""
    environment.setenv(f"KAFKA_{name}", "x")
    with pytest.raises(SettingsError, match=f"^KAFKA_{name}: is set by the consumer itself"):
        KafkaSettings.load()


def test_what_kubernetes_sets_for_a_service_is_no_property(environment: pytest.MonkeyPatch) -> None:
    """The variables that a Kubernetes service whose name begins with kafka brings along are left alone."""
    for service in ("KAFKA", "KAFKA_BROKER", "KAFKA_0"):
        for name in (
            "SERVICE_HOST",
            "SERVICE_PORT",
            "SERVICE_PORT_CLIENT",
            "PORT",
            "PORT_9092_TCP",
            "PORT_9092_TCP_ADDR",
        ):
            environment.setenv(f"{service}_{name}", "tcp://10.0.0.1:9092")
    environment.setenv("KAFKA_PROPERTIES", "no property either")
    environment.setenv("KAFKA_DELIVERY_REPORT_ONLY_ERROR", "true")
    assert KafkaSettings.load().properties == {"delivery.report.only.error": "true"}


def test_secrets_are_never_shown(environment: pytest.MonkeyPatch) -> None:
    """Neither a group's text nor its dump holds a password."""
    environment.setenv("KAFKA_SASL_PASSWORD", "hunter2")
    environment.setenv("SCHEMA_REGISTRY_URL", "https://user:hunter2@registry")
    for group in GROUPS:
        loaded = group.load()
        assert "hunter2" not in f"{loaded!r} {loaded}"
    assert "hunter2" not in f"{KafkaSettings.load().model_dump()} {MinioSettings.load().model_dump()}"
    assert KafkaSettings.load().properties == {"sasl.password": "hunter2"}
    assert MinioSettings.load().secret_key.get_secret_value() == "hunter2"


def test_settings_are_frozen() -> None:
    """Nobody changes a setting after it was read."""
    with pytest.raises(ValueError, match="frozen"):
        JobSettings.load().output_bucket = "elsewhere"


def test_the_separator_process_gets_no_credentials(environment: pytest.MonkeyPatch) -> None:
    """What the process that reads untrusted bytes sees of the environment holds no credential of ours."""
    for name in (
        "KAFKA_SASL_PASSWORD", "AWS_SECRET_ACCESS_KEY", "SPLEETER_API_KEY", "SCHEMA_REGISTRY_URL",
        "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OBJECT_STORE_PASSWORD",
    ):  # fmt: skip
        environment.setenv(name, "hunter2")
    environment.setenv("LANG", "C.UTF-8")
    left = environment_without_secrets()
    assert "hunter2" not in left.values()
    assert left["LANG"] == "C.UTF-8"
    assert "PATH" in left


@pytest.mark.attack
@pytest.mark.parametrize(
    "name",
    [
        "HTTPS_PROXY", "https_proxy", "VAULT_TOKEN", "DATABASE_URL", "MODEL_SOURCES", "SSH_AUTH_SOCK", "GITHUB_TOKEN",
        "TF_VAR_PASSWORD", "TF_TOKEN_app_terraform_io", "LC_TOKEN_1", "PATH_TO_SECRET", "PYTHONSECRET", "MY_PATH",
        "SPLEETER_KEYS", "CLAMD_ADDRESS", "WEBHOOK_SECRET", "HOME", "OTEL_EXPORTER_OTLP_ENDPOINT", "KUBERNETES_PORT",
    ],
)  # fmt: skip
def test_secrets_of_any_name_stay_out_of_the_separator(environment: pytest.MonkeyPatch, name: str) -> None:
    """Whatever an operator calls a variable, one that isn't known to be needed is not handed on."""
    environment.setenv(name, "hunter2")
    assert "hunter2" not in environment_without_secrets().values()


@pytest.mark.parametrize("name", ["PATH", "LANG", "LC_ALL", "TZ", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"])
def test_what_the_separator_works_by_reaches_it(environment: pytest.MonkeyPatch, name: str) -> None:
    """What an operator tunes it with goes on having its effect."""
    environment.setenv(name, "2")
    assert environment_without_secrets()[name] == "2"


def test_each_variable_is_described() -> None:
    """Each environment variable has a line that says what it means, and belongs to one group."""
    described = [item for group in GROUPS for item in group.variables().items() if item[0] != "KAFKA_PROPERTIES"]
    assert all(meaning for _, meaning in described)
    assert len({name for name, _ in described}) == len(described)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("clamd:3310", ("clamd", 3310)), ("10.0.0.1:1", ("10.0.0.1", 1)), ("[::1]:3310", ("::1", 3310)),
        ("/run/clamav/clamd.ctl", Path("/run/clamav/clamd.ctl")), ("", None),
    ],
)  # fmt: skip
def test_a_scanner_listens_on_a_port_or_a_socket(
    environment: pytest.MonkeyPatch, text: str, place: tuple[str, int] | Path | None
) -> None:
    """Both forms are understood, IPv6 too; unset and empty mean that there is no scanner."""
    environment.setenv("CLAMD_ADDRESS", text)
    assert ScannerSettings.load().places == (() if place is None else (place,))


def test_scanners_may_be_several(environment: pytest.MonkeyPatch) -> None:
    """Each in one of both forms; one that is wrong is enough to end the start."""
    environment.setenv("CLAMD_ADDRESS", "clamd:3310, /run/clamd,[::1]:3310,")
    assert ScannerSettings.load().places == (("clamd", 3310), Path("/run/clamd"), ("::1", 3310))
    for wrong in ("clamd:3310,clamd", " , "):
        environment.setenv("CLAMD_ADDRESS", wrong)
        with pytest.raises(SettingsError, match=r"^CLAMD_ADDRESS: must "):
            ScannerSettings.load()


@pytest.mark.attack
def test_a_start_without_the_scanner_that_is_required(environment: pytest.MonkeyPatch) -> None:
    """A variable that got lost is no reason to read anything unscanned; nor is an empty one."""
    environment.setenv("CLAMD_REQUIRED", "true")
    for address in (None, ""):
        if address is not None:
            environment.setenv("CLAMD_ADDRESS", address)
        with pytest.raises(SettingsError, match=r"^CLAMD_ADDRESS: must be set where CLAMD_REQUIRED is true$"):
            Settings.load()
    environment.setenv("CLAMD_ADDRESS", "clamd:3310")
    assert Settings.load().scanner.required


def test_a_quarantine_to_move_to_has_a_bucket(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CLAMD_QUARANTINE", "move")
    with pytest.raises(SettingsError, match=r"^CLAMD_QUARANTINE_BUCKET: must be set where CLAMD_QUARANTINE is move$"):
        ScannerSettings.load()


@pytest.mark.parametrize("text", ["clamd", "clamd:", "clamd:0", "clamd:65536", ":3310", "tcp://clamd:3310", "a b:1"])
def test_a_scanners_address_that_is_none_is_named(environment: pytest.MonkeyPatch, text: str) -> None:
    """What is neither of the two stops the start with the variable's name, and nothing is left unscanned by mistake."""
    environment.setenv("CLAMD_ADDRESS", text)
    with pytest.raises(SettingsError, match=r"^CLAMD_ADDRESS: must be host:port"):
        ScannerSettings.load()
