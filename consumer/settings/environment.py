"""What of this process's environment the separator may see."""

import os
import re


def environment_without_secrets() -> dict[str, str]:
    """This process's environment for the one that touches untrusted bytes.

    Of other object stores than MinIO no setting is seen there either whose name begins with OBJECT_STORE_.
    """
    secret = ("KAFKA_", "MINIO_", "OBJECT_STORE_", "AWS_", "SPLEETER_API_KEY", "MANIFEST_KEY", "SCHEMA_REGISTRY_")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(secret) and not re.fullmatch(r"OTEL_\w*_HEADERS", name)
    }
