"""The page that shows the OpenAPI document, with what it is drawn by.

swagger_ui/ holds files of swagger-ui-dist 5.35.0 as they were released, with their licence; see docs/http.md.
"""
