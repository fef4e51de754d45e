# Debian's PostgreSQL for Voicegate's controllers on the same host, reached by its Unix socket alone. From the checkout's root:
#   docker build -f docker/postgresql.Dockerfile -t voicegate-postgresql .
ARG DEBIAN=debian:12-slim
FROM ${DEBIAN}
# 2000 is the daemon's user: the server lets it in by that, and nobody by a password.
RUN groupadd --gid 2000 voicegate && useradd --uid 2000 --gid 2000 voicegate \
 && groupadd --gid 2004 postgres && useradd --uid 2004 --gid 2004 --home-dir /var/lib/postgresql postgres \
 && mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf \
 && apt-get update \
 && apt-get install -y --no-install-recommends postgresql-15 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt \
 && install -d -o 2004 -g 2004 -m 0700 /var/lib/postgresql/data \
 && install -d -o 2004 -g 2004 -m 0755 /run/postgresql
ENV PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/var/lib/postgresql/data
COPY docker/postgresql/start.sh /usr/local/lib/voicegate/
USER 2004
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["pg_isready", "--quiet", "--host=/run/postgresql", "--dbname=voicegate"]
# Smart shutdown would wait for the controllers' connections.
STOPSIGNAL SIGINT
ENTRYPOINT ["sh", "/usr/local/lib/voicegate/start.sh"]
