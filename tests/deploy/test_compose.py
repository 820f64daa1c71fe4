"""The Compose file is understood, pins what it runs, and gives no password away."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from consumer.settings import JobSettings
from consumer.settings.variables import parse_duration_s
from tests.deploy.compose import DEVELOPMENT, FILE, ROOT, config, services
from tests.deploy.settings import missing, unknown
from tests.monitoring.conftest import Promtool
from tests.monitoring.conftest import promtool as promtool

OURS = ("topics", "buckets", "consumer")


def test_development_is_complete() -> None:
    """With the development file nothing is left to be set, and all parts are there."""
    assert services().keys() == {
        "kafka", "minio", "topics", "buckets", "consumer", "registry", "clamd", "prometheus", "grafana",
    }  # fmt: skip


def test_without_profiles_only_the_servers_run() -> None:
    """`make stack-up` starts Kafka and MinIO alone."""
    assert {name for name, service in services().items() if not service.get("profiles")} == {"kafka", "minio"}


def variables(path: Path) -> dict[str, str]:
    pairs = [line.partition("=") for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in pairs}


@pytest.mark.parametrize("name", sorted(variables(DEVELOPMENT)))
def test_no_password_but_the_developer_s(name: str, tmp_path: Path) -> None:
    """Without any one of the secrets Compose refuses the file, in a line that names it."""
    path = tmp_path / "env"
    path.write_text("".join(f"{n}={v}\n" for n, v in variables(DEVELOPMENT).items() if n != name))
    ran = config(path)
    assert ran.returncode != 0
    assert name in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


def test_example_names_every_secret() -> None:
    """What an operator fills in is what the development file gives, and has no values."""
    example = variables(ROOT / "deploy/compose/example.env")
    assert {name for name, value in example.items() if not value} == variables(DEVELOPMENT).keys()


def test_images_are_pinned() -> None:
    """Each image of others is of a version; ours are named by IMAGE and TAG."""
    for name, service in services().items():
        tag = service["image"].rpartition(":")[2]
        assert (name in OURS) or re.search(r"\d+\.\d+\.\d+|RELEASE\.\d{4}-", tag), service["image"]


def test_ours_are_restricted() -> None:
    """No capability, nothing to gain, a root file system that is read-only."""
    for name in OURS:
        service = services()[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_what_stays_up_has_a_health_check() -> None:
    """`up --wait` waits for each; the consumers' stands in their image."""
    for name, service in services().items():
        assert ("healthcheck" in service) or name in OURS


def test_variables_are_settings() -> None:
    """Each variable of the consumers is read by somebody, and each that must be set is."""
    environment = services()["consumer"]["environment"]
    assert unknown(environment) == set()
    assert missing(environment) == set()


def test_consumer_has_time_to_finish() -> None:
    """It is killed later than it gives up by itself."""
    consumer = services()["consumer"]
    assert (
        parse_duration_s(consumer["stop_grace_period"])
        > parse_duration_s(consumer["environment"]["SHUTDOWN_GRACE_S"]) + 10
    )


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("condition: service_healthy}", "condition: healthy}"),
        ("restart: unless-stopped", "restrat: unless-stopped"),
        ("interval: 5s", "interval: five"),
        ("replicas: 3", "replicas: three"),
        ("minio: {condition", "mimio: {condition"),
        ("KAFKA_PORT:-9092}:9092", "KAFKA_PORT:-9092}:909200"),
        ("  signatures:\n", "  signature:\n"),
        ("<<: *restricted", "<<: *restrited"),
        ("profiles: [service]", "profiles: service"),
        ("cap_drop: [ALL]", "cap_drop: ALL"),
    ],
)  # fmt: skip
def test_broken_files_are_refused(right: str, wrong: str) -> None:
    """Ten mistakes, each of which Compose sees."""
    text = FILE.read_text()
    assert right in text
    assert config(DEVELOPMENT, text=text.replace(right, wrong, 1)).returncode != 0


def test_prometheus_of_compose_finds_the_consumers(promtool: Promtool, tmp_path: Path) -> None:
    """Its configuration is valid beside our rules, and asks for the service's name and port."""
    for path in (ROOT / "deploy/compose/prometheus.yml", ROOT / "deploy/prometheus/alerts.yml"):
        shutil.copy(path, tmp_path)
    promtool("check", "config", str(tmp_path / "prometheus.yml"))
    [job] = yaml.safe_load((tmp_path / "prometheus.yml").read_text())["scrape_configs"]
    [discovery] = job["dns_sd_configs"]
    assert discovery["names"] == ["consumer"]
    assert discovery["port"] == 8080


def test_grafana_is_given_our_dashboard() -> None:
    """What is mounted lies where its provisioning looks, and the data source is the Prometheus beside it."""
    mounts = {mount["target"]: Path(mount["source"]) for mount in services()["grafana"]["volumes"]}
    [provider] = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/separation.yml").read_text())[
        "providers"
    ]
    inside = [target for target in mounts if target.startswith(provider["options"]["path"])]
    assert [json.loads(mounts[target].read_text())["uid"] for target in inside] == ["separation"]
    [source] = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    assert source["url"] == "http://prometheus:9090"
    assert (source["type"], source["isDefault"]) == ("prometheus", True)


def test_the_scanner_takes_what_consumers_send() -> None:
    """The scanner's limits are above the largest object that is fetched, and what is beyond them is told."""
    limits = dict(
        line.split() for line in (ROOT / "deploy/compose/clamd.conf").read_text().splitlines() if line[0] != "#"
    )
    largest_bytes = JobSettings.model_fields["max_object_bytes"].default
    for name in ("StreamMaxLength", "MaxFileSize", "MaxScanSize"):
        assert int(limits[name].removesuffix("M")) << 20 > largest_bytes, name
    assert limits["AlertExceedsMax"] == "yes"
