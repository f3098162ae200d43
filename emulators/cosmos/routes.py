"""Which operation answers which path and verb: the whole surface at a glance, and by name what is not built."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from emulators.base.serving import Request, Response
from emulators.cosmos import errors
from emulators.cosmos.crud import Crud
from emulators.cosmos.errors import Refused
from emulators.cosmos.operations import (
    account,
    batch,
    changes,
    conflicts,
    containers,
    databases,
    deletion,
    feed,
    items,
    offers,
    patch,
    plans,
    query,
    ranges,
    scripts,
)
from emulators.cosmos.operations.encryption_keys import encryption_keys
from emulators.cosmos.operations.permissions import permissions
from emulators.cosmos.operations.triggers import triggered
from emulators.cosmos.operations.users import users
from emulators.cosmos.wire import Call, Target

Operation = Callable[[Call], Awaitable[Response]]


def _feed(crud: Crud) -> Mapping[str, Operation]:
    return {"create": crud.create, "upsert": crud.upsert, "list": crud.list_all, "query": crud.query}


def _resource(crud: Crud) -> Mapping[str, Operation]:
    return {"read": crud.read, "replace": crud.replace, "delete": crud.delete}


ROUTES: Mapping[str, Mapping[str, Operation]] = {
    "": {"read": account.read},
    "dbs": {"create": databases.create, "list": databases.list_all, "query": databases.query},
    "dbs/*": {"read": databases.read, "delete": databases.delete},
    "dbs/*/colls": {"create": containers.create, "list": containers.list_all, "query": containers.query},
    "dbs/*/colls/*": {"read": containers.read, "replace": containers.replace, "delete": containers.delete},
    "dbs/*/colls/*/pkranges": {"list": ranges.read},
    "dbs/*/colls/*/docs": {
        "create": triggered(items.create, "Create"),
        "upsert": triggered(items.upsert, "Upsert"),
        "batch": batch.execute,
        "list": feed.read,
        "changes": changes.read,
        "query": query.execute,
        "plan": plans.read,
    },
    "dbs/*/colls/*/docs/*": {
        "read": items.read,
        "replace": triggered(items.replace, "Replace"),
        "patch": patch.update,
        "delete": triggered(items.delete, "Delete"),
    },
    "dbs/*/colls/*/operations/*": {"execute": deletion.delete_partition},
    "dbs/*/colls/*/conflicts": {"list": conflicts.list_all, "query": conflicts.query},
    "dbs/*/colls/*/conflicts/*": {"read": conflicts.read, "delete": conflicts.read},
    "dbs/*/colls/*/sprocs": _feed(scripts.procedures),
    "dbs/*/colls/*/sprocs/*": {**_resource(scripts.procedures), "execute": scripts.execute},
    "dbs/*/colls/*/triggers": _feed(scripts.triggers),
    "dbs/*/colls/*/triggers/*": _resource(scripts.triggers),
    "dbs/*/colls/*/udfs": _feed(scripts.functions),
    "dbs/*/colls/*/udfs/*": _resource(scripts.functions),
    "dbs/*/clientencryptionkeys": {
        "create": encryption_keys.create,
        "list": encryption_keys.list_all,
        "query": encryption_keys.query,
    },
    "dbs/*/clientencryptionkeys/*": {"read": encryption_keys.read, "replace": encryption_keys.replace},
    "dbs/*/users": _feed(users),
    "dbs/*/users/*": _resource(users),
    "dbs/*/users/*/permissions": _feed(permissions),
    "dbs/*/users/*/permissions/*": _resource(permissions),
    "offers": {"list": offers.list_all, "query": offers.query},
    "offers/*": {"read": offers.read, "replace": offers.replace},
}

NOT_BUILT = (
    "attachments", "media", "schemas", "snapshots", "encryptionscopes", "interopusers",
    "systemdocuments", "roledefinitions", "roleassignments", "authpolicyelements", "topology", "addresses",
    "partitions",
)  # fmt: skip
"""Resource types of the service that this emulator answers with 501."""

_VERBS = {"GET": ("list", "read"), "POST": ("create", "execute"), "PUT": ("", "replace"), "PATCH": ("", "patch"),
          "DELETE": ("", "delete")}  # fmt: skip
"""What a verb asks of a feed, and of a resource."""


_KINDS = frozenset(kind for shape in (*ROUTES, *NOT_BUILT) for kind in shape.split("/"))


OPERATIONS = frozenset(
    f"{shape.removesuffix('/*').rpartition('/')[2] or 'account'}.{action}"
    for shape, actions in ROUTES.items()
    for action in actions
)
"""What `operation_name` calls all that is built."""


def operation_name(target: Target, action: str) -> str:
    """What fault rules and metrics call an operation: `docs.create`, `colls.read`, `account.read`.

    What is no resource type is `unknown`, so that no client makes up names for the counters.
    """
    kind = target.kind if target.kind in _KINDS else "unknown"
    return f"{kind or 'account'}.{action or 'unknown'}"


def route(request: Request, target: Target, action: str) -> Operation:
    """The operation for a request to a path of the service. Raises Refused: 405 wrong verb, 501 not built."""
    known = ROUTES.get(target.shape)
    if known is not None and action in known:
        return known[action]
    if any(kind in NOT_BUILT for kind in target.types):
        raise Refused(
            errors.NOT_BUILT, f"{action or request.method} on {target.shape} is not implemented in this emulator."
        )
    raise Refused(errors.METHOD_NOT_ALLOWED)


def check_path(target: Target) -> None:
    """Raises Refused (400) for what is no path of the service: it cannot tell what such a request had to sign."""
    if target.shape not in ROUTES and not any(kind in NOT_BUILT for kind in target.types):
        raise Refused(errors.BAD_PATH)


def action_of(request: Request, target: Target) -> str:
    """What a request asks for: its verb, made precise by the headers that POST is overloaded with."""
    feed_action, resource_action = _VERBS.get(request.method, ("", ""))
    if not target.is_feed:
        return "read" if not target.types and request.method == "GET" else resource_action
    headers = request.headers
    if request.method != "POST":
        return "changes" if feed_action == "list" and target.kind == "docs" and "a-im" in headers else feed_action
    if headers.get("x-ms-cosmos-is-query-plan-request", "").lower() == "true":
        return "plan"
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if headers.get("x-ms-documentdb-isquery", "").lower() == "true" or content_type in (
        "application/query+json",
        "application/sql",
    ):
        return "query"
    if headers.get("x-ms-cosmos-is-batch-request", "").lower() == "true":
        return "batch"
    return "upsert" if headers.get("x-ms-documentdb-is-upsert", "").lower() == "true" else "create"
