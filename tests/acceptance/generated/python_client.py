"""A generated client calls and checks; the folder of that client is in PYTHONPATH."""

import sys

import httpx
from native import Client
from native.api.verifications import check_passcode, create_verification, get_verification
from native.models import CreatedVerification, Guess, Judgement, NewVerification, Problem, VerificationView

socket, number, code = sys.argv[1:]
client = Client("http://voicegate", httpx_args={"transport": httpx.HTTPTransport(uds=socket)})
with client:
    refused = create_verification.sync(client=client, body=NewVerification(destination="+442079460101"))
    assert isinstance(refused, Problem), refused
    print(refused.title)
    created = create_verification.sync(client=client, body=NewVerification(destination=number))
    assert isinstance(created, CreatedVerification), created
    since = 0
    while True:
        seen = get_verification.sync(created.id, client=client, wait_s=10, since=since)
        assert isinstance(seen, VerificationView), seen
        if seen.status != "delivering":
            break
        since = seen.revision
    print(seen.status)
    judgement = check_passcode.sync(created.id, client=client, body=Guess(passcode=code))
    assert isinstance(judgement, Judgement), judgement
    print(judgement.status)
