"""What ends a command without a result, and what the operator is told to do about it.

Exit codes: 0 done, and both sides the same; 1 done, and something is left (a difference, an unsent event); 2 could not
tell: nothing may be concluded.
"""

from __future__ import annotations

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.cosmos.exceptions import CosmosResourceNotFoundError

from update_order_status import errors as write_errors
from update_order_status_read_model import errors as read_errors

EXIT_DONE = 0
EXIT_LEFT = 1
EXIT_FAILED = 2


class CommandFailed(Exception):
    """The command cannot do what it says. The text tells the operator what to do."""


THROTTLED = (write_errors.StoreThrottled, read_errors.StoreThrottled)
UNAVAILABLE = (write_errors.StoreUnavailable, read_errors.StoreUnavailable)
CONTENDED = (write_errors.Contended, read_errors.Contended)
TRANSIENT = (*THROTTLED, *UNAVAILABLE, *CONTENDED)
EXPECTED = (
    *TRANSIENT,
    write_errors.SettingsWrong,
    read_errors.SettingsWrong,
    CommandFailed,
    AzureError,
)
"""Failures that are the surroundings' and not the program's; whatever else flies is a mistake and shows its trace."""


def advice(failure: BaseException) -> str:
    """What happened, and what to do."""
    text = (str(failure) or type(failure).__name__).partition("\n")[0]
    if isinstance(failure, THROTTLED):
        return (
            f"Cosmos DB is out of throughput ({text}). Raise the containers' RU/s, or run this when there is less load."
        )
    if isinstance(failure, UNAVAILABLE):
        return f"Cosmos DB did not answer: {text}\nCheck the address in CosmosDBConnection and the account's firewall."
    if isinstance(failure, ClientAuthenticationError) and not failure.status_code:
        return f"No identity to sign in with: {text}\nRun `az login`, or give a connection string in the settings."
    if isinstance(failure, HttpResponseError) and failure.status_code in (401, 403):
        return (
            f"Refused ({failure.status_code}): {text}\n"
            "With an identity this takes the data roles Cosmos DB Built-in Data Contributor, EventGrid Data Sender and "
            "Storage Blob Data Contributor; with keys, the right key in the settings."
        )
    if isinstance(failure, CosmosResourceNotFoundError):
        return (
            f"Cosmos DB knows no such database or container: {text}\n"
            "Check OrdersDatabase, OrdersWriteContainer, OrdersReadContainer and OrdersParkedContainer in the settings."
        )
    if isinstance(failure, AzureError):
        return f"A service did not do what was asked: {text}"
    return text
