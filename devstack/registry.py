"""One schema registry, Apicurio, that speaks Confluent's API and keeps its schemas in memory."""

from pathlib import Path

from devstack import build, system
from devstack.asking import is_well
from devstack.service import Service


def registry(folder: Path, port: int) -> Service:
    """A registry without schemas; its address for SCHEMA_REGISTRY_URL is `url(port)`."""
    system.provide({"java": "openjdk-17-jre-headless"})
    [app] = build.registry_app().glob("*-runner.jar")
    return Service(
        name="the schema registry",
        command=["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-jar", str(app)],
        folder=folder,
        is_ready=lambda: is_well(f"{url(port)}/subjects"),
        environment={"QUARKUS_HTTP_PORT": str(port), "QUARKUS_HTTP_HOST": "127.0.0.1"},
    )


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}/apis/ccompat/v7"
