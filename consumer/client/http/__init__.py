"""The client by HTTP: the same values and errors as over Kafka, with nothing but the gateway's address and a key.

with HttpClient.from_env() as client:
    job = client.separate("music/song.mp3", model="4stems", format="flac")
    result = job.result(timeout_s=600)
    job.download("out")

AsyncHttpClient is the same for asyncio.
"""

from consumer.client.http.aio import AsyncHttpClient
from consumer.client.http.client import HttpClient
from consumer.client.http.credentials import Credentials, api_key, bearer_token
from consumer.client.http.documents import JobView
from consumer.client.http.job import AsyncHttpJob, HttpJob
from consumer.client.http.patience import Patience

__all__ = [
    "AsyncHttpClient",
    "AsyncHttpJob",
    "Credentials",
    "HttpClient",
    "HttpJob",
    "JobView",
    "Patience",
    "api_key",
    "bearer_token",
]
