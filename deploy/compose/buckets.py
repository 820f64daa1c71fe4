"""Buckets, and access keys of consumers, gateway and links, that may do what these do. Run again: no harm."""

import os
import sys

from minio import Minio
from minio.credentials import StaticProvider
from minio.minioadmin import MinioAdmin

POLICY, GATEWAY_POLICY, LINKS_POLICY = "separation", "separation-gateway", "separation-links"


# What it takes to leave nothing of a request that is forgotten, in buckets with versions too.
_LIST_ALL = ["s3:ListBucketVersions", "s3:ListBucketMultipartUploads"]
_ERASE = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload"]


def policy(sources: list[str], output: str, prefix: str = "stems/") -> dict[str, object]:
    """What a consumer does: reads sources; looks for, reads and writes stems, and removes those that are forgotten,
    which lie below the prefix.
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:GetObjectVersion"],
                "Resource": [f"arn:aws:s3:::{name}/*" for name in sources],
            },
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": [f"arn:aws:s3:::{name}" for name in (*sources, output)],
            },
            {
                "Effect": "Allow",
                "Action": _LIST_ALL,
                "Resource": [f"arn:aws:s3:::{output}"],
            },
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
                "Resource": [f"arn:aws:s3:::{output}/*"],
            },
            {"Effect": "Allow", "Action": _ERASE, "Resource": [f"arn:aws:s3:::{output}/{prefix}*"]},
        ],
    }


def gateway_policy(sources: list[str], output: str, prefix: str = "stems/") -> dict[str, object]:
    """What a gateway does: looks for and reads sources and stems, puts what is uploaded below `uploads/` of the first
    bucket, and removes stems that are forgotten, which it marks below `forgotten/`.
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:GetObjectVersion"],
                "Resource": [f"arn:aws:s3:::{name}/*" for name in (*sources, output)],
            },
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": [f"arn:aws:s3:::{name}" for name in (*sources, output)],
            },
            {
                "Effect": "Allow",
                "Action": ["s3:PutObject", *_ERASE, "s3:ListMultipartUploadParts"],
                "Resource": [f"arn:aws:s3:::{sources[0]}/uploads/*"],
            },
            {
                "Effect": "Allow",
                "Action": _LIST_ALL,
                "Resource": [f"arn:aws:s3:::{name}" for name in (sources[0], output)],
            },
            {"Effect": "Allow", "Action": _ERASE, "Resource": [f"arn:aws:s3:::{output}/{prefix}*"]},
            {"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": [f"arn:aws:s3:::{output}/forgotten/*"]},
        ],
    }


def links_policy(output: str, prefix: str = "stems/") -> dict[str, object]:
    """What a link to a stem does: reads it. Whoever has the key that signs them reads no more than stems."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [f"arn:aws:s3:::{output}/{prefix}*"]},
        ],
    }


def main() -> None:
    environment = os.environ
    endpoint, secure = environment["MINIO_ENDPOINT"], environment["MINIO_SECURE"] == "true"
    user, password = environment["MINIO_ROOT_USER"], environment["MINIO_ROOT_PASSWORD"]
    sources, output = environment["ALLOWED_SOURCE_BUCKETS"].split(","), environment["OUTPUT_BUCKET"]
    # Models, where they come from a bucket.
    models = [word.removeprefix("s3://").partition("/")[0] for word in environment["MODEL_SOURCES"].split(",")
              if word.startswith("s3://")]  # fmt: skip
    store = Minio(endpoint, user, password, secure=secure)
    for name in (*sources, *models, output):
        if not store.bucket_exists(name):
            store.make_bucket(name)
    admin = MinioAdmin(endpoint=endpoint, credentials=StaticProvider(user, password), secure=secure)
    stems = environment.get("OUTPUT_PREFIX", "stems/")
    keys = {
        "MINIO": (POLICY, policy([*sources, *models], output, stems)),
        "GATEWAY": (GATEWAY_POLICY, gateway_policy(sources, output, stems)),
    }
    if environment.get("LINKS_ACCESS_KEY"):  # optional: else links are signed by the gateway's
        keys["LINKS"] = (LINKS_POLICY, links_policy(output, stems))
    for prefix, (name, allowed) in keys.items():
        key = environment[f"{prefix}_ACCESS_KEY"]
        admin.policy_add(name, policy=allowed)
        admin.user_add(key, environment[f"{prefix}_SECRET_KEY"])
        admin.policy_set(name, user=key)
        sys.stdout.write(f"{key} may use {', '.join((*sources, output))} as {name} says\n")


if __name__ == "__main__":
    main()
