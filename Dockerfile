# The image of sse-serve: an unprivileged user, a root file system that may be read-only, a health check.
# Its steps are scripts, which scripts/test-package runs, too.
#
#   docker build -t sse-server .
#   docker run --read-only --tmpfs /tmp --tmpfs /run/sse-serve -v sse:/var/lib/sse-serve -p 127.0.0.1:8080:8080 sse-server --insecure
FROM debian:bookworm-slim AS build
COPY . /usr/src/sse-server
RUN /usr/src/sse-server/scripts/setup && /usr/src/sse-server/scripts/setup --package && /usr/src/sse-server/scripts/package

FROM debian:bookworm-slim
COPY --from=build /usr/src/sse-server/build/dist/packages/sse-server_*.deb /packages/
COPY scripts/packaging/image-install /packages/
RUN /packages/image-install /packages && rm -r /packages
ENV SSE_SERVE_LISTEN=0.0.0.0:8080 SSE_SERVE_DB=/var/lib/sse-serve/pending.db SSE_SERVE_ADMIN=unix:/run/sse-serve/admin.sock
USER sse-serve
VOLUME /var/lib/sse-serve
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s \
  CMD ["ssectl", "status"]
ENTRYPOINT ["sse-serve"]
