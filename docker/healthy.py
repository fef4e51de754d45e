"""For HEALTHCHECK: exit code 0 while the daemon answers on its socket."""

import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as client:
    client.settimeout(4)
    client.connect(os.environ.get("VOICEGATE_SOCKET", "/run/voicegate/voicegate.sock"))
    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: voicegate\r\nConnection: close\r\n\r\n")
    sys.exit(not client.recv(12).endswith(b" 200"))
