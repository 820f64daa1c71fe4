"""Which right a request to the store needs, in the words of its policies."""

from collections.abc import Collection

# By method, and by what the query asks for; the first that fits. Of an object:
_OF_OBJECTS = (
    ("GET", "uploadId", "s3:ListMultipartUploadParts"),
    ("DELETE", "uploadId", "s3:AbortMultipartUpload"),
    ("DELETE", "versionId", "s3:DeleteObjectVersion"),
    ("DELETE", "", "s3:DeleteObject"),
    ("PUT", "", "s3:PutObject"),
    ("POST", "", "s3:PutObject"),
)
# Of a bucket:
_OF_BUCKETS = (
    ("GET", "location", "s3:GetBucketLocation"),
    ("GET", "lifecycle", "s3:GetLifecycleConfiguration"),
    ("PUT", "lifecycle", "s3:PutLifecycleConfiguration"),
    ("DELETE", "lifecycle", "s3:PutLifecycleConfiguration"),
    ("GET", "uploads", "s3:ListBucketMultipartUploads"),
    ("GET", "versions", "s3:ListBucketVersions"),
    ("GET", "", "s3:ListBucket"),
    ("HEAD", "", "s3:ListBucket"),
    ("PUT", "", "s3:CreateBucket"),
)
_COPIED_FROM = "x-amz-copy-source"


def action_of(method: str, *, is_of_object: bool, query: Collection[str], headers: Collection[str] = ()) -> str:
    """The action that a policy has to allow for it, such as s3:PutObject; "" for what is none of ours.

    query, headers: their names. Without the right to list a bucket what is not there is refused like what is, so that
    reading an object may lack either.
    """
    if "tagging" in query:
        return f"s3:{method.title()}Object{'Version' if 'versionId' in query else ''}Tagging"
    if is_of_object and method in ("GET", "HEAD") and "uploadId" not in query:
        read = "s3:GetObjectVersion" if "versionId" in query else "s3:GetObject"
        return f"{read} (or s3:ListBucket, if there is no such object)"
    if method == "PUT" and _COPIED_FROM in {name.lower() for name in headers}:
        return "s3:PutObject (or s3:GetObject on what is copied)"
    rules = _OF_OBJECTS if is_of_object else _OF_BUCKETS
    return next((action for used, word, action in rules if used == method and (not word or word in query)), "")
