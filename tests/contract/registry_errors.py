"""The errors that Confluent's documentation of its registry's API knows, each with its HTTP status."""

CODES = {
    40301: 403, 40401: 404, 40402: 404, 40403: 404, 40404: 404, 40405: 404, 40406: 404, 40407: 404, 40408: 404,
    40409: 404, 409: 409, 42201: 422, 42202: 422, 42203: 422, 42204: 422, 42205: 422, 42206: 422, 42207: 422,
    42208: 422, 50001: 500, 50002: 500, 50003: 500, 50004: 500,
    # Its framework's, for what is asked in a way that it does not know, or by somebody that it does not know.
    400: 400, 401: 401, 403: 403, 404: 404, 405: 405, 406: 406, 408: 408, 415: 415, 422: 422, 429: 429, 500: 500,
    503: 503, 40101: 401, 50302: 503,
}  # fmt: skip
