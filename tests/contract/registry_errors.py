"""What a schema registry may answer, and what others may say in its place."""

from harness.store_faults import Fault

JSON = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
# The errors that Confluent's documentation of its registry's API knows, each with its HTTP status.
CODES = {
    40301: 403, 40401: 404, 40402: 404, 40403: 404, 40404: 404, 40405: 404, 40406: 404, 40407: 404, 40408: 404,
    40409: 404, 409: 409, 42201: 422, 42202: 422, 42203: 422, 42204: 422, 42205: 422, 42206: 422, 42207: 422,
    42208: 422, 50001: 500, 50002: 500, 50003: 500, 50004: 500,
    # Its framework's, for what is asked in a way that it does not know, or by somebody that it does not know.
    400: 400, 401: 401, 403: 403, 404: 404, 405: 405, 406: 406, 408: 408, 415: 415, 422: 422, 429: 429, 500: 500,
    503: 503, 40101: 401, 50302: 503,
}  # fmt: skip
# What somebody says who is no registry, or a registry that is out of order; {} stands for the status.
BODIES = (
    b"", b"<html>no</html>", b"\xff\xfe", b'{"error_code": 404', b"{}", b"[]", b"null", b'"40403"',
    b'{"error_code": "40403"}', b'{"error_code": 40403.0}', b'{"error_code": null}', b'{"error_code": true}',
    b'{"message": "Not Found", "status": {}}', b'{"error_code": {}99999}', b'{"error_code": 1}',
)  # fmt: skip

IMPOSTORS = [
    Fault(status=200), Fault(status=204), Fault(status=200, body=b"<html>sign in</html>"),
    Fault(status=200, body=b"{"), Fault(status=200, body=b"{}"), Fault(status=200, body=b"null"),
    Fault(status=200, body=b'{"id": "7", "schema": 7}'), Fault(status=200, body=b'["a"]'),
    Fault(status=200, body=b"\xff\xfe\x00"), Fault(status=200, body=b'{"please": "log in"}'),
    Fault(status=200, body=b"{}", headers={"Content-Type": "text/html"}),
    Fault(status=302, headers={"Location": "/elsewhere"}),
    Fault(status=307, headers={"Location": "http://127.0.0.1:1/elsewhere"}),
]  # fmt: skip
