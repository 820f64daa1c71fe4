"""The Compose file is understood, pins what it runs, and gives no password away."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from consumer.settings import JobSettings, MinioSettings
from consumer.settings.variables import parse_duration_s
from consumer.webhooks.endpoints import FollowedEndpoints
from tests.deploy.compose import DEVELOPMENT, FILE, OURS, PROXIED, ROOT, config, services
from tests.deploy.settings import missing, unknown
from tests.monitoring.conftest import Promtool
from tests.monitoring.conftest import promtool as promtool


def test_development_is_complete() -> None:
    """With the development file nothing is left to be set, and all parts are there."""
    assert services().keys() == {
        "kafka", "minio", "topics", "buckets", "consumer", "lag", "gateway", "webhooks", "registry",
        "clamd", "prometheus", "grafana",
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
    """`up --wait` waits for each; the consumers' and MinIO's stand in the images that are built here."""
    once = {"topics", "buckets"}
    without = {name for name, service in services().items() if "healthcheck" not in service} - once
    assert without == {"consumer", "minio"}
    for recipe in ("Dockerfile", "minio.Dockerfile"):
        assert "\nHEALTHCHECK " in (ROOT / "deploy/docker" / recipe).read_text()


def test_variables_are_settings() -> None:
    """Each variable of the consumers, the exporter and the gateway is read by somebody; each that must be set is."""
    for name in ("consumer", "gateway"):
        environment = services()[name]["environment"]
        assert unknown(environment) == set()
        assert missing(environment) == set()
    for name in ("lag", "webhooks"):
        assert unknown(services()[name]["environment"]) == set()


def test_the_lag_is_told_of_the_consumers_group() -> None:
    """Its exporter asks the same brokers, topics, group and registry as the consumers do."""
    consumer, lag = services()["consumer"]["environment"], services()["lag"]
    assert lag["command"] == ["lag", "--serve"]
    assert {name: consumer.get(name) for name in lag["environment"]} == lag["environment"]
    shared = [name for name in consumer if name.startswith(("KAFKA_", "TOPIC_", "SCHEMA_", "RETRY_"))]
    assert set(shared) == lag["environment"].keys()


@pytest.mark.parametrize("name", ["consumer", "gateway", "webhooks"])
def test_it_has_time_to_finish(name: str) -> None:
    """It is killed later than it gives up by itself."""
    service = services()[name]
    grace_s = parse_duration_s(service["environment"]["SHUTDOWN_GRACE_S"])
    assert parse_duration_s(service["stop_grace_period"]) > grace_s + 10


def test_the_gateway_serves_the_consumers_group() -> None:
    """The same brokers, topics, registry and buckets; keys of its own for the store, and one for its callers."""
    consumer, gateway = services()["consumer"]["environment"], services()["gateway"]["environment"]
    assert services()["gateway"]["command"] == ["api"]
    own = {"MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "MINIO_PUBLIC_ENDPOINT", "SPLEETER_API_KEY", "INDEX_DIR"}
    own |= {"MINIO_LINKS_ACCESS_KEY", "MINIO_LINKS_SECRET_KEY"}
    assert {name: consumer.get(name) for name in gateway.keys() - own} == {
        name: value for name, value in gateway.items() if name not in own
    }
    assert gateway["MINIO_ACCESS_KEY"] != consumer["MINIO_ACCESS_KEY"]
    [published] = services()["minio"]["ports"]
    assert gateway["MINIO_PUBLIC_ENDPOINT"] == f"{published['host_ip']}:{published['published']}"
    assert gateway["INDEX_DIR"] in [volume["target"] for volume in services()["gateway"]["volumes"]]


def test_links_are_signed_by_the_key_that_is_made_for_them(tmp_path: Path) -> None:
    """Where one is given, the gateway has the one that `buckets` makes; else it has none, and signs by its own."""
    path = tmp_path / "env"
    path.write_text(f"{DEVELOPMENT.read_text()}LINKS_ACCESS_KEY=links\nLINKS_SECRET_KEY=links-development\n")
    ran = config(path)
    assert ran.returncode == 0, ran.stderr
    given = {name: service.get("environment", {}) for name, service in json.loads(ran.stdout)["services"].items()}
    for name, value in (("ACCESS_KEY", "links"), ("SECRET_KEY", "links-development")):
        assert given["buckets"][f"LINKS_{name}"] == given["gateway"][f"MINIO_LINKS_{name}"] == value
        assert services()["gateway"]["environment"][f"MINIO_LINKS_{name}"] == ""
    commented = (ROOT / "deploy/compose/example.env").read_text()
    assert "#LINKS_ACCESS_KEY=" in commented
    assert "#LINKS_SECRET_KEY=" in commented


def test_without_a_key_of_their_own_links_are_signed_by_the_gateways(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the Compose file gives it, which is empty where none is set."""
    for name, value in services()["gateway"]["environment"].items():
        monkeypatch.setenv(name, value)
    assert MinioSettings.load().links_keys() is None


def test_minio_is_reached_by_its_proxy_alone() -> None:
    """With the file for it: MinIO publishes nothing and shares a network with the proxy only, which has its name and
    port where all others look for it, and waits for it.
    """
    found, before = services(PROXIED), services()
    assert found.keys() - before.keys() == {"proxy"}
    minio, proxy = found["minio"], found["proxy"]
    assert minio.get("ports", []) == []
    assert {name for name, service in found.items() if "behind" in service.get("networks", {"default": None})} == {
        "minio", "proxy"
    }  # fmt: skip
    assert minio["networks"].keys() == {"behind"}
    assert proxy["networks"]["default"]["aliases"] == ["minio"]
    assert proxy["ports"] == before["minio"]["ports"]
    for name in ("buckets", "consumer", "gateway"):
        assert found[name]["environment"] == before[name]["environment"]
        assert found[name]["depends_on"].items() > before[name]["depends_on"].items()
        assert found[name]["depends_on"]["proxy"]["condition"] == "service_healthy"
    [port] = proxy["ports"]
    assert found["consumer"]["environment"]["MINIO_ENDPOINT"] == f"minio:{port['target']}"


def test_the_proxy_is_restricted() -> None:
    """As what is ours; it writes to /tmp alone."""
    proxy = services(PROXIED)["proxy"]
    assert (proxy["read_only"], proxy["cap_drop"]) == (True, ["ALL"])
    assert proxy["security_opt"] == ["no-new-privileges:true"]
    assert proxy["user"] not in ("", "0", "root")
    mounts = {mount["target"]: mount for mount in proxy["volumes"]}
    assert all(mount["read_only"] for mount in mounts.values())
    assert {Path(mount["source"]).relative_to(ROOT).as_posix() for mount in mounts.values()} == {
        "deploy/nginx/minio.conf", "deploy/compose/nginx.conf"
    }  # fmt: skip


def test_webhooks_tell_of_the_consumers_outcomes() -> None:
    """By the same brokers, topics and registry; the folder with its file is mounted where it is looked for."""
    consumer, webhooks = services()["consumer"]["environment"], services()["webhooks"]
    assert webhooks["command"] == ["webhooks"]
    file = Path(webhooks["environment"]["WEBHOOKS_FILE"])
    shared = {name: value for name, value in webhooks["environment"].items() if name != "WEBHOOKS_FILE"}
    assert {name: consumer.get(name) for name in shared} == shared
    [mount] = webhooks["volumes"]
    assert (Path(mount["target"]), mount["read_only"]) == (file.parent, True)
    shipped = Path(mount["source"]) / file.name
    assert FollowedEndpoints(shipped, allow_http=False).now() == {}


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
    """Its configuration is valid beside our rules, and asks for the services' names and their port."""
    for path in (ROOT / "deploy/compose/prometheus.yml", ROOT / "deploy/prometheus/alerts.yml"):
        shutil.copy(path, tmp_path)
    promtool("check", "config", str(tmp_path / "prometheus.yml"))
    jobs = yaml.safe_load((tmp_path / "prometheus.yml").read_text())["scrape_configs"]
    discoveries = {job["job_name"]: job["dns_sd_configs"] for job in jobs}
    assert {name: found[0]["names"] for name, found in discoveries.items()} == {
        "spleeter-consumer": ["consumer"], "spleeter-consumer-lag": ["lag"],
        "spleeter-consumer-gateway": ["gateway"], "spleeter-consumer-webhooks": ["webhooks"],
    }  # fmt: skip
    assert {service for [found] in discoveries.values() for service in found["names"]} <= services().keys()
    assert {found["port"] for [found] in discoveries.values()} == {8080}


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


def scanner_settings() -> dict[str, str]:
    lines = (ROOT / "deploy/compose/clamd.conf").read_text().splitlines()
    return dict(line.split() for line in lines if line[0] != "#")


def test_the_scanner_reads_nothing_as_root() -> None:
    """It is started as another user, without a capability, and gives root up by itself where it is started as root."""
    clamd = services()["clamd"]
    assert clamd["user"] == scanner_settings()["User"] == "clamav"
    assert clamd["entrypoint"] == ["/init-unprivileged"]  # the usual one needs root, for owners of folders
    assert clamd["cap_drop"] == ["ALL"]
    assert clamd["security_opt"] == ["no-new-privileges:true"]


def test_the_scanner_makes_the_socket_that_its_image_waits_for() -> None:
    """Its entry point, and the one that stands in for it here, ends the container without it."""
    socket = scanner_settings()["LocalSocket"]
    assert socket == "/tmp/clamd.sock"
    assert socket in (ROOT / "devstack/images/clamd/init-unprivileged.sh").read_text()
    assert scanner_settings()["TCPSocket"] == "3310"  # which its health check asks


def test_the_scanner_takes_what_consumers_send() -> None:
    """The scanner's limits are above the largest object that is fetched, and what is beyond them is told."""
    limits = scanner_settings()
    largest_bytes = JobSettings.model_fields["max_object_bytes"].default
    for name in ("StreamMaxLength", "MaxFileSize", "MaxScanSize"):
        assert int(limits[name].removesuffix("M")) << 20 > largest_bytes, name
    assert limits["AlertExceedsMax"] == "yes"
