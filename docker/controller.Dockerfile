# Voicegate's daemon. Build from the checkout's root:
#   docker build -f docker/controller.Dockerfile -t voicegate .
FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv flite espeak-ng \
 && rm -rf /var/lib/apt/lists/*
# The same number in both images: Asterisk reads the calls' sounds as a member of this group.
RUN groupadd --gid 2001 voicegate-audio \
 && useradd --system --home-dir /var/lib/voicegate --create-home --groups voicegate-audio voicegate
RUN install -d -o voicegate -m 0755 /run/voicegate \
 && install -d -o voicegate -g voicegate-audio -m 0750 /run/voicegate-audio
COPY pyproject.toml README.md LICENSE NOTICE /src/
COPY voicegate /src/voicegate
COPY dialplan /src/dialplan
COPY sounds /src/sounds
COPY config /src/config
RUN python3 -m venv /opt/voicegate && /opt/voicegate/bin/pip install --no-cache-dir /src && rm -rf /src
ENV PATH=/opt/voicegate/bin:$PATH
USER voicegate
ENTRYPOINT ["voicegate"]
CMD ["--config", "/etc/voicegate/voicegate.toml", "serve"]
