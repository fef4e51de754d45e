"""Find out who asks: a Unix user, known from the kernel, or a client, known by its API key.

On the socket, the peer's user (SO_PEERCRED, unix(7)) counts as a client of that name, unless a key is sent;
on TCP a key is required. Root and the daemon's own user are admins, because they can read the database
anyway.
"""

import os
import pwd
import socket
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from aiohttp import web

from voicegate.adapters.http import problems
from voicegate.adapters.http.acceptor import peer_uid
from voicegate.adapters.http.doors import CREDENTIALS, Door
from voicegate.adapters.http.problems import Facts, Refused
from voicegate.application.clients import Clients
from voicegate.domain.client import Principal, Scope

_ALL: Final = frozenset(Scope)


def own_uids() -> frozenset[int]:
    """Return the users who are admins: the daemon's own user and root."""
    return frozenset({os.getuid(), 0})


def peers_of(uids: Iterable[int]) -> Mapping[int, Principal]:
    """Return what each of these Unix users may do, by user id; their names are looked up now."""
    admins = own_uids()
    return {uid: Principal(_user_name(uid), _ALL if uid in admins else _ALL - {Scope.ADMIN}) for uid in uids}


class Identity:
    """Finds out who asks."""

    def __init__(self, clients: Clients, peers: Mapping[int, Principal]) -> None:
        self._clients = clients
        self._peers = peers

    def take_peers(self, peers: Mapping[int, Principal]) -> None:
        """Let these Unix users ask from now on, and no others."""
        self._peers = peers

    async def of(self, request: web.Request, door: Door, request_id: str) -> Principal:
        """Return who asks, without reading the body.

        Raises:
            Refused: a user who is not allowed, an invalid key, or no key where one is required.
        """
        peer = self._peer(request)
        credentials = door.read_key(request)
        if credentials is None and peer is not None:
            return replace(peer, request_id=request_id)
        facts = Facts(headers={"WWW-Authenticate": door.scheme})
        if credentials is None:
            raise Refused(problems.KEY_MISSING, facts=facts)
        if credentials.is_signed:
            principal = await self._clients.named(credentials.client or "", request_id)
        else:
            principal = await self._clients.authenticate(credentials.key, request_id, credentials.client)
        if principal is None:
            raise Refused(problems.KEY_WRONG, facts=facts)
        request[CREDENTIALS] = credentials
        return principal

    def _peer(self, request: web.BaseRequest) -> Principal | None:
        """Return the Unix user; None: the request came by TCP.

        Raises:
            Refused: the user is not allowed.
        """
        transport = request.transport
        connection: socket.socket | None = transport.get_extra_info("socket") if transport else None
        if connection is None or connection.family is not socket.AF_UNIX:
            return None
        uid = peer_uid(connection)
        if uid not in self._peers:
            raise Refused(problems.PEER_NOT_ALLOWED)
        return self._peers[uid]


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's user need not have a name
        return f"uid:{uid}"
