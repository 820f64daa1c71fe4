"""Whose fault each answer of a schema registry is, at each request of a job: every code and status, before a real one.

What is expected is written down here by hand and short: only those codes of the registry's own, each with its status,
are answers. Whatever else comes is trouble, which waits, and never a dead letter.
"""

import itertools
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
import pytest

from consumer.adapters.avro.codec import AvroCodec, load_schema
from consumer.adapters.registry import ConfluentRegistry
from consumer.core.errors import Code, RegistryMisconfigured, RegistryUnavailable, Rejected
from harness.fakes import a_request
from harness.store_faults import Fault, Request, StoreFaults
from tests.contract.registry_errors import BODIES, CODES, IMPOSTORS, JSON

WHOLE = load_schema("separation_request")
UNKNOWN, MISCONFIGURED, TROUBLE, FINE = Code.SCHEMA_UNKNOWN, "ours to mend", "trouble", "as if nothing were there"
Outcome = str


@dataclass(frozen=True, slots=True)
class Job:
    """What a job asks a registry for. `value` was written with a schema whose types lie in two other subjects."""

    url: str
    subject: str
    value: bytes
    schema_id: int
    _made: dict[str, ConfluentRegistry] = field(default_factory=dict)

    def registry(self, subject: str = "value", **options: Any) -> ConfluentRegistry:
        """The registry as the service sees it; the same one until `forget`."""
        if (key := f"{subject} {options}") not in self._made:
            subjects = {"separation_request": f"{self.subject}-{subject}"}
            self._made[key] = ConfluentRegistry(self.url, subjects, **options)
        return self._made[key]

    def forget(self) -> None:
        """Whatever the service may remember of the registry."""
        for registry in self._made.values():
            registry.close()
        self._made.clear()


@dataclass(frozen=True, slots=True)
class Step:
    """A request of a job: which it is, what makes it, and what the registry's own codes come to there."""

    fits: Callable[[Request, Job], bool]
    run: Callable[[Job], object]
    answers: Mapping[int, Outcome]


def is_(method: str, ending: str) -> Callable[[Request, Job], bool]:
    """Of the job's subject S and id I; what stands behind `?` is not looked at."""
    return lambda request, job: (request.method, request.key) == (
        method, "ccompat/v7/" + ending.replace("S", job.subject).replace("I", str(job.schema_id))
    )  # fmt: skip


def decode(job: Job) -> object:
    return job.registry().schema(job.schema_id)


def encode(job: Job) -> object:
    return job.registry().id_of("separation_request", WHOLE)


def encode_and_register(job: Job) -> object:
    return job.registry(registers=True).id_of("separation_request", WHOLE)


def check(job: Job) -> None:
    job.registry().check()


def check_what_is_known(job: Job) -> None:
    job.registry()._ids["separation_request"] = job.schema_id
    check(job)


def list_all(job: Job) -> object:
    return job.registry().versions("separation_request")


GONE = dict.fromkeys((40401, 40402, 40403, 40404, 40406, 42202), UNKNOWN)
STEPS = {
    "the schema of an id": Step(is_("GET", "schemas/ids/I"), decode, {40403: UNKNOWN}),
    "a reference": Step(is_("GET", "subjects/S-x.Extra/versions/1"), decode, GONE),
    "a reference's reference": Step(is_("GET", "subjects/S-separation.v1.Mood/versions/1"), decode, GONE),
    "look up": Step(
        is_("POST", "subjects/S-value"), encode, dict.fromkeys((40401, 40404, 40403), MISCONFIGURED)
    ),
    "list the versions": Step(
        is_("GET", "subjects/S-value/versions"), encode,
        dict.fromkeys((40401, 40402, 40403, 40404, 40406, 42202), MISCONFIGURED),
    ),
    "look up before registering": Step(
        is_("POST", "subjects/S-value"), encode_and_register, dict.fromkeys((40401, 40404, 40403), FINE)
    ),
    "register": Step(
        is_("POST", "subjects/S-value/versions"), encode_and_register,
        dict.fromkeys((403, 409, 40301, 42201, 42205, 42207, 42208), MISCONFIGURED),
    ),
    "a check": Step(
        is_("GET", "subjects/S-value/versions"), check, dict.fromkeys((40401, 40404), FINE)
    ),
    "a check of an id": Step(is_("GET", "schemas/ids/I"), check_what_is_known, {}),
    "all versions": Step(
        is_("GET", "subjects/S-value/versions"), list_all,
        dict.fromkeys((40401, 40402, 40403, 40404, 40406, 42202), FINE),
    ),
}  # fmt: skip
EACH = pytest.mark.parametrize("name", STEPS)


@pytest.fixture(scope="module")
def faults(registry: str) -> Iterator[StoreFaults]:
    """A proxy as a store's, which speaks HTTP and nothing more."""
    with StoreFaults(registry.removeprefix("http://").partition("/")[0]) as proxy:
        yield proxy


@pytest.fixture
def job(registry: str, faults: StoreFaults) -> Iterator[Job]:
    """Of subjects of its own: in S-value lies nothing yet, but for a schema that is not ours."""
    faults.fault = lambda request: None
    subject = f"s{uuid.uuid4().hex[:8]}"
    [source] = [field["type"] for field in WHOLE["fields"] if field["name"] == "source"]
    mood = {"type": "enum", "name": "Mood", "namespace": "separation.v1", "symbols": ["calm"]}
    extra = {"type": "record", "name": "x.Extra", "fields": [{"name": "mood", "type": "separation.v1.Mood"}]}
    fields = [{**field, "type": "SourceObject"} if field["name"] == "source" else field for field in WHOLE["fields"]]
    written = {**WHOLE, "fields": [*fields, {"name": "extra", "type": "x.Extra"}]}

    def register(name: str, schema: Any, *names: str) -> int:
        references = [{"name": full, "subject": f"{subject}-{full}", "version": 1} for full in names]
        body = {"schema": json.dumps(schema), "references": references}
        answer = httpx2.post(f"{registry}/subjects/{subject}-{name}/versions", json=body, timeout=60)
        return int(answer.raise_for_status().json()["id"])

    register("separation.v1.SourceObject", {**source, "namespace": "separation.v1"})
    register("separation.v1.Mood", mood)
    register("x.Extra", extra, "separation.v1.Mood")
    schema_id = register("request", written, "separation.v1.SourceObject", "x.Extra")
    register("value", {"type": "enum", "name": "Other", "symbols": ["a"]})
    value = b"\0" + schema_id.to_bytes(4, "big") + AvroCodec().encode(a_request())[10:] + b"\0"  # the extra field's
    job = Job(f"http://{faults.endpoint}/apis/ccompat/v7", subject, value, schema_id)
    yield job
    job.forget()


def outcome(step: Step, job: Job) -> Outcome:
    """Whose fault an error is, or that there was none. What was trouble must not be remembered; all else may be."""
    try:
        step.run(job)
    except Rejected as rejected:
        found: Outcome = rejected.code
    except RegistryMisconfigured:
        found = MISCONFIGURED
    except RegistryUnavailable:
        return TROUBLE
    else:
        found = FINE
    job.forget()
    return found


def the(faults: StoreFaults, step: Step, job: Job, fault: Fault) -> None:
    faults.fault = lambda request: fault if step.fits(request, job) else None


def registry_error(status: int, code: int) -> Fault:
    return Fault(status=status, body=json.dumps({"error_code": code, "message": "x"}).encode(), headers=JSON)


@EACH
def test_each_step_is_one(job: Job, faults: StoreFaults, name: str) -> None:
    """Without a fault the request is made, and nothing is trouble: the table is about requests that there are."""
    faults.seen.clear()
    assert outcome(STEPS[name], job) in (FINE, MISCONFIGURED)
    assert [request for request in faults.seen if STEPS[name].fits(request, job)]


@EACH
def test_every_code_has_its_owner(job: Job, faults: StoreFaults, name: str) -> None:
    """Each error that a registry has a code for, with the status that goes with it, at this request."""
    step = STEPS[name]
    wrong = {}
    for code, status in CODES.items():
        the(faults, step, job, registry_error(status, code))
        if (found := outcome(step, job)) != step.answers.get(code, TROUBLE):
            wrong[code] = found
    assert wrong == {}


@EACH
def test_a_status_alone_is_never_an_answer(job: Job, faults: StoreFaults, name: str) -> None:
    """Whatever stands under a status that is none of success, if it is not a code of the registry's: trouble."""
    step = STEPS[name]
    wrong = {}
    for status, body in zip(range(300, 600), itertools.cycle(BODIES)):
        filled = b"" if status == 304 else body.replace(b"{}9", b"%d9" % status).replace(b": {}", b": %d" % status)
        kind = {"Content-Type": "text/html"} if status % 2 else JSON
        the(faults, step, job, Fault(status=status, body=filled, headers=kind))
        if (found := outcome(step, job)) != TROUBLE:
            wrong[status, filled] = found
    assert wrong == {}


@EACH
def test_not_found_is_the_registrys_to_say(job: Job, faults: StoreFaults, name: str) -> None:
    """A 404 without its code is a wrong address or somebody on the way."""
    for body in BODIES:
        the(faults, STEPS[name], job, Fault(status=404, body=body.replace(b"{}9", b"4049"), headers=JSON))
        assert outcome(STEPS[name], job) == TROUBLE, body


@EACH
def test_a_code_needs_its_status(job: Job, faults: StoreFaults, name: str) -> None:
    """A code of the registry's under another status, or in a page that says that it is no JSON, is not believed."""
    step = STEPS[name]
    for code in step.answers:
        status = CODES[code]
        for other in {200, 302, 400, 403, 404, 409, 422, 500, 502} - {status}:
            the(faults, step, job, registry_error(other, code))
            assert outcome(step, job) == TROUBLE, (code, other)
        page = Fault(status=status, body=registry_error(status, code).body, headers={"Content-Type": "text/html"})
        the(faults, step, job, page)
        assert outcome(step, job) == TROUBLE, code


@EACH
def test_who_is_no_registry_is_not_believed(job: Job, faults: StoreFaults, name: str) -> None:
    """A page that some proxy sends with a status of success is neither a schema nor an id; nobody is followed."""
    step = STEPS[name]
    faults.seen.clear()
    for fault in IMPOSTORS:
        the(faults, step, job, fault)
        assert outcome(step, job) == TROUBLE, fault
    assert not [request for request in faults.seen if "elsewhere" in request.bucket]


def all_of_it(registry: ConfluentRegistry, job: Job) -> None:
    registry.check()
    registry.versions("separation_request")
    codec = AvroCodec(registry)
    codec.decode_request(job.value)
    codec.encode(a_request())


@EACH
def test_trouble_passes(job: Job, faults: StoreFaults, name: str) -> None:
    """Nothing of it is remembered: the same registry object does what it could not do as soon as that is over."""
    step, registry = STEPS[name], job.registry(registers=True)
    for fault in (Fault(status=404), Fault(status=200, body=b'{"please": "log in"}'), Fault(status=503)):
        the(faults, step, job, fault)
        assert outcome(replace(step, run=lambda job: all_of_it(registry, job)), job) == TROUBLE
    faults.fault = lambda request: None
    assert AvroCodec(registry).decode_request(job.value) == a_request()
    assert AvroCodec(registry).decode_request(AvroCodec(registry).encode(a_request())) == a_request()


@pytest.mark.parametrize("registers", [False, True])
def test_a_registry_that_can_only_be_read_serves_what_it_has(
    registry: str, job: Job, faults: StoreFaults, registers: bool
) -> None:
    """Whoever may not register needs not to: what was registered before is found, in whichever words it lies there."""
    body = {"schema": json.dumps({**WHOLE, "doc": "Earlier words."}, indent=2)}
    registered = httpx2.post(f"{registry}/subjects/{job.subject}-own/versions", json=body, timeout=60)
    faults.fault = lambda request: (
        Fault(status=403) if request.method == "POST" and request.key.endswith("/versions") else None
    )
    own = job.registry("own", writes=("separation_request",), registers=registers)
    own.check()
    codec = AvroCodec(own)
    value = codec.encode(a_request())
    assert int.from_bytes(value[1:5], "big") == registered.json()["id"]
    assert codec.decode_request(value) == a_request()
