"""Buckets, and an access key that may read the sources and write the stems, and nothing else. Run again: no harm."""

import os
import sys

from minio import Minio
from minio.credentials import StaticProvider
from minio.minioadmin import MinioAdmin

POLICY = "separation"


def policy(sources: list[str], output: str) -> dict[str, object]:
    """What a consumer does: reads sources; looks for, reads, writes and (parts of uploads) removes stems."""
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
                "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
                "Resource": [f"arn:aws:s3:::{name}" for name in (*sources, output)],
            },
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
                "Resource": [f"arn:aws:s3:::{output}/*"],
            },
        ],
    }


def main() -> None:
    environment = os.environ
    endpoint, secure = environment["MINIO_ENDPOINT"], environment["MINIO_SECURE"] == "true"
    user, password = environment["MINIO_ROOT_USER"], environment["MINIO_ROOT_PASSWORD"]
    sources, output = environment["ALLOWED_SOURCE_BUCKETS"].split(","), environment["OUTPUT_BUCKET"]
    # Models, where they come from a bucket.
    sources += [word.removeprefix("s3://").partition("/")[0] for word in environment["MODEL_SOURCES"].split(",")
                if word.startswith("s3://")]  # fmt: skip
    store = Minio(endpoint, user, password, secure=secure)
    for name in (*sources, output):
        if not store.bucket_exists(name):
            store.make_bucket(name)
    admin = MinioAdmin(endpoint=endpoint, credentials=StaticProvider(user, password), secure=secure)
    admin.policy_add(POLICY, policy=policy(sources, output))
    key = environment["MINIO_ACCESS_KEY"]
    admin.user_add(key, environment["MINIO_SECRET_KEY"])
    admin.policy_set(POLICY, user=key)
    sys.stdout.write(f"buckets: {', '.join((*sources, output))}; {key} may use them\n")


if __name__ == "__main__":
    main()
