"""Buckets and their lifecycle rules, set up once by an operator."""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from xml.etree import ElementTree as ET

import urllib3
from minio import Minio
from minio.helpers import check_bucket_name

from consumer.adapters.network_errors import reason_of
from consumer.adapters.s3.answers import Refused, error_of
from consumer.adapters.s3.client import StoreAccess, make_clients
from consumer.adapters.s3.credentials import FoundKeys, SetKeys
from consumer.core.errors import StoreMisconfigured, StoreUnavailable
from consumer.settings import MinioSettings, credential_sources

OURS = "spleeter-"  # what the ids of our rules begin with; all others are somebody else's
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
# How stores say that they know no such rule; MinIO has no rule for abandoned uploads, and removes them by itself.
_NO_SUCH_RULE = frozenset({"InvalidArgument", "MalformedXML", "NotImplemented", "InvalidRequest"})

Query = dict[str, str | list[str] | tuple[str]]  # as minio-py has it
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleRule:
    """One rule: what is below the prefix goes after so many days. is_abandoned: parts of unfinished uploads alone."""

    name: str
    prefix: str
    days: int
    is_abandoned: bool = False


class BucketSetup:
    """Every method raises StoreUnavailable, or its kinds, where the store does not do what it was asked for."""

    def __init__(self, client: Minio, region: str | None) -> None:
        self._client, self._region = client, region

    def create(self, bucket: str) -> bool:
        """Whether it was made now; False: it was there."""

        def make() -> bool:
            try:
                self._client.make_bucket(bucket, location=self._region)
            except Refused as refused:
                if refused.code == "BucketAlreadyOwnedByYou":  # somebody else was quicker
                    return False
                raise
            return True

        return not _ask(bucket, lambda: self._is_there(bucket)) and bool(_ask(bucket, make))

    def _is_there(self, bucket: str) -> bool:
        check_bucket_name(bucket, strict=True)
        # A HEAD request would not be told why it is refused.
        self._client._execute("GET", bucket, query_params={"location": ""})  # noqa: SLF001
        return True

    def set_rules(self, bucket: str, rules: Sequence[LifecycleRule]) -> list[LifecycleRule]:
        """Make these our rules of the bucket, and leave all others as they are; returns those that the store keeps.

        Those of ours that are not asked for any more are taken away.
        """
        kept = self._rules(bucket)
        foreign = [rule for rule in kept if not _id(rule).startswith(OURS)]
        wanted = list(rules)
        if {_meaning(rule) for rule in kept} != {_meaning(rule) for rule in (*foreign, *map(_as_xml, wanted))}:
            try:
                self._put(bucket, [*foreign, *map(_as_xml, wanted)])
            except StoreUnavailable as error:
                refused = error.__cause__
                if not isinstance(refused, Refused) or refused.code not in _NO_SUCH_RULE:
                    raise
                wanted = [rule for rule in wanted if not rule.is_abandoned]
                self._put(bucket, [*foreign, *map(_as_xml, wanted)])
        there = {_meaning(rule) for rule in self._rules(bucket)}
        return [rule for rule in wanted if _meaning(_as_xml(rule)) in there]

    def _rules(self, bucket: str) -> list[ET.Element]:
        """All of the bucket's, as the store has them: none of their words is lost on the way."""

        def get() -> list[ET.Element]:
            try:
                # minio-py's own method leaves out of a rule what it does not know.
                response = self._client._execute("GET", bucket, query_params={"lifecycle": ""})  # noqa: SLF001
            except Refused as refused:
                if refused.code == "NoSuchLifecycleConfiguration":
                    return []
                raise
            return [element for element in ET.fromstring(response.data) if _plain(element.tag) == "Rule"]  # noqa: S314 - of our own store

        found = _ask(bucket, get)
        if found is None:
            raise StoreUnavailable(f"there is no bucket {bucket}")
        return found

    def _put(self, bucket: str, rules: Sequence[ET.Element]) -> None:
        def put() -> None:
            query: Query = {"lifecycle": ""}
            if not rules:
                self._client._execute("DELETE", bucket, query_params=query)  # noqa: SLF001 - as in _rules
                return
            root = ET.Element(f"{{{_NAMESPACE}}}LifecycleConfiguration")
            root.extend(_in_namespace(rule) for rule in rules)
            body = ET.tostring(root, default_namespace=_NAMESPACE)
            md5 = b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
            self._client._execute(  # noqa: SLF001
                "PUT", bucket, body=body, headers={"Content-MD5": md5}, query_params=query
            )

        _ask(bucket, put)


def make_bucket_setup() -> BucketSetup:
    """Of the store that MINIO_* describe. Raises SettingsError."""
    settings = MinioSettings.load()
    keys = settings.keys()
    credentials = SetKeys(keys) if keys else FoundKeys(credential_sources())
    access = StoreAccess(credentials=credentials, region=settings.region, ca_file=settings.ca_file)
    clients = make_clients(settings.endpoint, credentials, access, secure=settings.secure)
    return BucketSetup(clients.plain, settings.region)


def _as_xml(rule: LifecycleRule) -> ET.Element:
    element = ET.Element("Rule")
    if rule.is_abandoned:
        ET.SubElement(ET.SubElement(element, "AbortIncompleteMultipartUpload"), "DaysAfterInitiation").text = str(
            rule.days
        )
    else:
        ET.SubElement(ET.SubElement(element, "Expiration"), "Days").text = str(rule.days)
    ET.SubElement(element, "ID").text = f"{OURS}{rule.name}"
    ET.SubElement(ET.SubElement(element, "Filter"), "Prefix").text = rule.prefix
    ET.SubElement(element, "Status").text = "Enabled"
    return element


def _plain(tag: str) -> str:
    return tag.rpartition("}")[2]


def _in_namespace(element: ET.Element) -> ET.Element:
    copy = ET.Element(f"{{{_NAMESPACE}}}{_plain(element.tag)}", element.attrib)
    copy.text = element.text
    copy.extend(_in_namespace(child) for child in element)
    return copy


def _meaning(element: ET.Element) -> object:
    """The same for two rules that say the same, in whichever order and namespace."""
    children = frozenset(_meaning(child) for child in element)
    return _plain(element.tag), (element.text or "").strip(), children


def _id(rule: ET.Element) -> str:
    return next((child.text or "" for child in rule if _plain(child.tag) == "ID"), "")


def _ask(bucket: str, request: Callable[[], T]) -> T | None:
    """The answer, or None where there is no such thing."""
    try:
        return request()
    except Refused as refused:
        if error := error_of(refused, bucket):
            raise error from refused
        return None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        told = f"MINIO_ENDPOINT, MINIO_SECURE: object storage can't be reached ({reason_of(error)})"
        raise StoreUnavailable(told) from error
    except (ValueError, ET.ParseError) as error:  # a name that can't be a bucket's, or an answer that can't be read
        raise StoreMisconfigured(f"bucket {bucket}: {error}") from error
