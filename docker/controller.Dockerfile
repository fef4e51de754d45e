# Voicegate's daemon, and for a trial its lab's carrier (--target lab). Build from the checkout's root:
#   docker build -f docker/controller.Dockerfile -t voicegate .
# For a service of another name than "Voicegate", with engines that say it (45 MB), unless you have it recorded:
#   docker build -f docker/controller.Dockerfile -t voicegate --build-arg ENGINES="flite espeak-ng" .
# With the prompts at 16 kHz (21 MB), for `audio.format = "wav16"`: --build-arg LEFT_OUT=none
# DEBIAN may be a base pinned by its digest: --build-arg DEBIAN=debian@sha256:...
ARG DEBIAN=debian:12-slim
ARG ENGINES=""
ARG LEFT_OUT=wav16

# Holds the network that a controller and its Asterisk share. An image of its own, which no upgrade changes: Compose
# would make its container anew, and leave whoever is not made anew with it in the network of the old one.
FROM ${DEBIAN} AS net
USER 65534
ENTRYPOINT ["sleep", "infinity"]

FROM ${DEBIAN} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3-venv ca-certificates binutils \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# First what changes seldom: the versions that were tested, each file checked by its hash.
COPY requirements requirements
RUN python3 -m venv /opt/voicegate \
 && /opt/voicegate/bin/pip install --no-cache-dir --no-compile --require-hashes -r requirements/daemon.txt \
 && find /opt/voicegate -type d \( -name tests -o -name testing -o -path '*/numpy/f2py' -o -path '*/numpy/distutils' \) \
      -prune -exec rm -r {} + \
 && find /opt/voicegate -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.[cha]' \) -delete \
 # Not what stands in *.libs: wheels' shared libraries were moved about, and do not bear it.
 && find /opt/voicegate -name '*.so' -not -path '*.libs/*' -exec strip --strip-unneeded {} +
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY voicegate voicegate
COPY dialplan dialplan
COPY sounds sounds
COPY config config
RUN /opt/voicegate/bin/pip install --no-cache-dir --no-compile --no-deps .

FROM build AS installed
ARG LEFT_OUT
# Bytecode only of what a daemon imports: of all it would be 50 MB.
RUN /opt/voicegate/bin/pip uninstall --yes --quiet setuptools pip \
 && /opt/voicegate/bin/python -c 'import voicegate.bootstrap, voicegate.cli.main, voicegate.cli.serve' \
 && find /opt/voicegate -name "*.$LEFT_OUT" -delete

# What the lab's carrier needs beside: the ear that hears which key is asked for.
FROM build AS build-lab
RUN awk '/^[a-z]/ { wanted = /^(pocketsphinx|sounddevice)==/ } wanted' requirements/tests.txt > lab.txt \
 && /opt/voicegate/bin/pip install --no-cache-dir --no-deps --require-hashes -r lab.txt

FROM ${DEBIAN} AS system
# TTS engines say the service's name; all other words are recorded. The numbers are the same in both images:
# Asterisk reads the calls' sounds as a member of voicegate-audio, backends open the API's socket as voicegate-clients.
ARG ENGINES
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 ${ENGINES} \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /usr/lib/python3*/lib2to3 /usr/lib/python3*/pydoc_data \
 && groupadd --gid 2000 voicegate && groupadd --gid 2001 voicegate-audio && groupadd --gid 2002 voicegate-clients \
 && useradd --uid 2000 --gid 2000 --groups 2001,2002 --home-dir /var/lib/voicegate voicegate \
 && install -d -o 2000 -g 2000 -m 0700 /var/lib/voicegate \
 && install -d -o 2000 -g 2000 -m 0755 /run/voicegate \
 && install -d -o 2000 -g 2001 -m 2750 /run/voicegate-audio
ENV PATH=/opt/voicegate/bin:$PATH
COPY docker/healthy.py docker/secrets.sh /usr/local/lib/voicegate/

FROM system AS lab
# The carrier is an Asterisk of the lab's own, which the lab fetches; its telephones speak by these engines.
ENV XDG_CACHE_HOME=/opt/voicegate-lab XDG_STATE_HOME=/var/lib/voicegate
COPY --from=build-lab /opt/voicegate /opt/voicegate
RUN apt-get update \
 && apt-get install -y --no-install-recommends flite espeak-ng \
 && python3 -c 'from voicegate.lab.packages import ensure_asterisk; ensure_asterisk()' \
 && rm -rf /var/lib/apt/lists/*
USER 2000
ENTRYPOINT ["voicegate", "lab"]
CMD ["carrier"]

# What the base has for other programs: Perl, glibc's converters (Python has its own), time zones that count leap seconds.
FROM system AS trimmed
RUN rm -rf /usr/bin/perl* /usr/share/perl* /usr/lib/*/perl* /usr/lib/*/libperl.so* /usr/lib/*/gconv \
      /usr/share/zoneinfo/right /usr/share/zoneinfo/posix

# From nothing: what a layer of the base holds, no later layer makes smaller.
FROM scratch AS controller
COPY --from=trimmed / /
ENV PATH=/opt/voicegate/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
COPY --from=installed /opt/voicegate /opt/voicegate
# For a key file that several controllers share.
RUN install -d -o 2000 -g 2000 -m 0700 /run/secrets/voicegate-keys
# By number, so that whoever runs it can see that it is not root.
USER 2000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python3", "/usr/local/lib/voicegate/healthy.py"]
ENTRYPOINT ["voicegate"]
CMD ["serve"]
