"""The native door's part for admins: clients and their keys, and the audit.

Each handler reads the request, calls one use case, and writes the answer, as in `verifications`.
"""

from datetime import timedelta
from typing import assert_never

from aiohttp import web

from voicegate.adapters.http import fields, problems, request_parsing
from voicegate.adapters.http.doors import PRINCIPAL
from voicegate.adapters.http.native.admin_schemas import (
    AuditList,
    AuditQuery,
    AuditView,
    ClientList,
    ClientView,
    GivenKey,
    KeyView,
    NewClient,
    Revoked,
    Rotation,
)
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.problems import Refused
from voicegate.adapters.http.responses import json_response, unknown
from voicegate.application.audit import Audit
from voicegate.application.audit_entry import AuditEntry
from voicegate.application.clients import ClientExists, ClientRevoked, Clients, NewKey
from voicegate.application.listing import AuditFilter
from voicegate.application.store_port import ClientRecord
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.client import Scope


class AdminDoor:
    """The handlers for admins."""

    def __init__(self, clients: Clients, audit: Audit, body_timeout: timedelta) -> None:
        self._clients = clients
        self._audit = audit
        self._body_timeout = body_timeout

    @Operation(
        method="GET",
        path="/v1/clients",
        name="listClients",
        scope=Scope.ADMIN,
        text="List the clients that ask by key, revoked ones too.",
        success=Success(200, ClientList, "The clients, by name."),
        refusals=problems.STORED,
    )
    async def list(self, _request: web.Request) -> web.Response:
        """List clients."""
        records = await self._clients.list()
        return json_response(ClientList(clients=[_client(record) for record in records]))

    @Operation(
        method="GET",
        path="/v1/audit",
        name="listAudit",
        scope=Scope.ADMIN,
        text="List who asked for what and what was decided, newest first; no codes, masked numbers.",
        query=AuditQuery,
        success=Success(200, AuditList, "A page of entries."),
        refusals=(problems.INVALID, *problems.STORED),
    )
    async def audit(self, request: web.Request) -> web.Response:
        """List who asked for what, newest first."""
        query = request_parsing.read_query(request, AuditQuery)
        fitting = AuditFilter(
            client=query.client,
            action=query.action,
            decision=query.decision,
            subject=query.subject,
            subscriber=query.subscriber,
            reference=query.reference,
            trunk=query.trunk,
            after=query.since,
            before=query.until,
            behind=query.before,
        )
        entries = await self._audit.entries(query.limit, fitting, number=fields.read_number(query.number))
        is_full = len(entries) == query.limit
        return json_response(
            AuditList(entries=[_entry(entry) for entry in entries], next=entries[-1].id if is_full else None)
        )

    @Operation(
        method="POST",
        path="/v1/clients",
        name="addClient",
        scope=Scope.ADMIN,
        text="Add a client. Its key is in this answer and nowhere else.",
        body=NewClient,
        success=Success(201, GivenKey, "The client's key."),
        refusals=(*request_parsing.REFUSALS, problems.CLIENT_EXISTS, *problems.STORED),
    )
    async def add(self, request: web.Request) -> web.Response:
        """Add a client and show its key."""
        body = await request_parsing.read_body(request, NewClient, self._body_timeout)
        added = await self._clients.add(request[PRINCIPAL], body.name, frozenset(body.scopes))
        match added:
            case ClientExists():
                raise Refused(problems.CLIENT_EXISTS)
            case NewKey():
                return json_response(_given(added), status=201)
            case _:
                assert_never(added)

    @Operation(
        method="POST",
        path="/v1/clients/{name}/keys",
        name="rotateKey",
        scope=Scope.ADMIN,
        text="Give a client another key. Its present ones end, after `grace_s` seconds if given.",
        body=Rotation,
        success=Success(201, GivenKey, "The client's new key."),
        refusals=(*request_parsing.REFUSALS, problems.NOT_FOUND, *problems.STORED),
    )
    async def rotate(self, request: web.Request) -> web.Response:
        """Give a client another key and show it."""
        body = await request_parsing.read_body(request, Rotation, self._body_timeout)
        name = request.match_info["name"]
        given = await self._clients.rotate(request[PRINCIPAL], name, timedelta(seconds=body.grace_s))
        match given:
            case NotFound():
                raise unknown("client", name)
            case NewKey():
                return json_response(_given(given), status=201)
            case _:
                assert_never(given)

    @Operation(
        method="DELETE",
        path="/v1/clients/{name}",
        name="revokeClient",
        scope=Scope.ADMIN,
        text="Revoke a client at once and permanently. Its verifications, calls and factors are kept.",
        success=Success(200, Revoked, "The client, revoked."),
        refusals=(problems.NOT_FOUND, *problems.STORED),
    )
    async def revoke(self, request: web.Request) -> web.Response:
        """Revoke a client."""
        name = request.match_info["name"]
        answer = await self._clients.revoke(request[PRINCIPAL], name)
        match answer:
            case NotFound():
                raise unknown("client", name)
            case ClientRevoked(client):
                revoked_at = client.revoked_at or client.created_at
                return json_response(Revoked(name=client.name, revoked_at=revoked_at))
            case _:
                assert_never(answer)


def _given(given: NewKey) -> GivenKey:
    return GivenKey(name=given.client.name, scopes=sorted(given.client.scopes), key=given.key)


def _client(record: ClientRecord) -> ClientView:
    client = record.client
    return ClientView(
        name=client.name,
        scopes=sorted(client.scopes),
        created_at=client.created_at,
        revoked_at=client.revoked_at,
        keys=[
            KeyView(id=key.id, created_at=key.created_at, expires_at=key.expires_at) for key in record.keys
        ],
    )


def _entry(entry: AuditEntry) -> AuditView:
    return AuditView(
        id=entry.id,
        at=entry.at,
        client=entry.client,
        request_id=entry.request_id,
        action=entry.action,
        decision=entry.decision,
        rule=entry.rule,
        reason=entry.reason,
        subject=entry.subject,
        number=entry.number,
        subscriber=entry.subscriber,
        reference=entry.reference,
        trunk=entry.trunk,
    )
