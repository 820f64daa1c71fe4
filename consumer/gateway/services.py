"""What the routes use, made once at the start."""

from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request

from consumer.gateway.access.principal import Principal
from consumer.gateway.events.streams import EventStreams
from consumer.gateway.finding import Finder
from consumer.gateway.forgetting import Forgetting
from consumer.gateway.index.job_index import JobIndex
from consumer.gateway.operating import Operating
from consumer.gateway.problems import Problem
from consumer.gateway.requests import SourceRules
from consumer.gateway.sending import Submission
from consumer.gateway.stems.content import StemStore
from consumer.gateway.stems.links import StemLinks
from consumer.gateway.trail import Trail
from consumer.gateway.uploads.asking import Asking
from consumer.settings import JobSettings


@dataclass(frozen=True, slots=True)
class LinksElsewhere:
    """Where operators look further. traces: one trace's address, with {trace_id} in it, or that of all."""

    grafana: str | None = None
    traces: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Belongs to one event loop. can_forget: None where the store can take nothing away for good."""

    index: JobIndex
    finder: Finder
    submission: Submission
    asking: Asking
    streams: EventStreams
    sources: SourceRules
    stems: StemStore
    links: StemLinks
    operating: Operating
    links_elsewhere: LinksElsewhere
    trail: Trail
    can_forget: Forgetting | None
    jobs: JobSettings

    def forgetting(self) -> Forgetting:
        """Raises Problem, 501."""
        if self.can_forget is None:
            raise Problem(HTTPStatus.NOT_IMPLEMENTED, "FORGETTING_UNAVAILABLE", "this store can take nothing away")
        return self.can_forget


def services_of(request: Request) -> Services:
    """For the routes, as a dependency."""
    found: Services = request.app.state.services
    return found


def principal_of(request: Request) -> Principal:
    """Who asks: known before a route is reached."""
    found: Principal = request.scope["state"]["principal"]
    return found
