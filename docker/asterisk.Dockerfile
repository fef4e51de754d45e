# Asterisk 22 with Voicegate's dialplan and only the modules that it needs. Build from the checkout's root:
#   docker build -f docker/asterisk.Dockerfile -t voicegate-asterisk .
# Debian 12 and 13 have no package of it; forky has. DEBIAN may be pinned by its digest.
ARG DEBIAN=debian:forky-slim
FROM ${DEBIAN}
# Its number is chosen here, before the package would: the secret's file is for it.
RUN groupadd --gid 2003 asterisk && groupadd --gid 2001 voicegate-audio \
 && useradd --uid 2003 --gid 2003 --groups 2001 --home-dir /run/asterisk asterisk \
 && apt-get update \
 && apt-get install -y --no-install-recommends asterisk \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /etc/asterisk/* \
 && install -d -o 2003 -g 2003 -m 0755 /run/asterisk
COPY docker/asterisk dialplan/asterisk/voicegate.conf dialplan/asterisk/extensions.conf dialplan/asterisk/manager.conf /etc/asterisk/
COPY sounds /usr/share/voicegate/sounds
# Its secret is in no image and in no other file.
RUN sed -i '/^secret = /c #include "/run/secrets/voicegate/manager-secret.conf"' /etc/asterisk/manager.conf
USER 2003
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["asterisk", "-rx", "core waitfullybooted"]
ENTRYPOINT ["asterisk", "-f"]
