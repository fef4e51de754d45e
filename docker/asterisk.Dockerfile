# Asterisk 22 with Voicegate's dialplan, for the trial. Build from the checkout's root:
#   docker build -f docker/asterisk.Dockerfile -t voicegate-asterisk .
# Debian 12 and 13 have no asterisk package; forky has.
FROM debian:forky-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends asterisk \
 && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 2001 voicegate-audio && usermod --append --groups voicegate-audio asterisk
COPY dialplan/asterisk/voicegate.conf dialplan/asterisk/extensions.conf /etc/asterisk/
COPY sounds /usr/share/voicegate/sounds
# As many ports as compose.yaml publishes: 50 calls at once.
RUN printf '[general]\nrtpstart=10000\nrtpend=10100\n' > /etc/asterisk/rtp.conf
USER asterisk
ENTRYPOINT ["asterisk", "-f"]
