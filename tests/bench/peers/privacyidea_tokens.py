"""Makes HOTP tokens in a privacyIDEA: `python privacyidea_tokens.py COUNT SECRET-IN-HEX`, in its environment.

The token number N has the serial `BENCHN`; all have the same secret, and no PIN.
"""

import sys

from privacyidea.app import create_app
from privacyidea.lib.token import init_token


def main(count: str, secret: str) -> None:
    with create_app(config_name="production", silent=True).app_context():
        for number in range(int(count)):
            init_token({"type": "hotp", "otpkey": secret, "otplen": 6, "serial": f"BENCH{number}"})


if __name__ == "__main__":
    main(*sys.argv[1:])
