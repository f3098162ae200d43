"""host.json's `extensions.queues` and `extensions.blobs`, with the extension's defaults. Pure."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from emulators.functions_host.errors import StartError
from emulators.functions_host.limits import (
    BLOBS_AT_ONCE_PER_CPU,
    QUEUE_BATCH_DEFAULT,
    QUEUE_BATCH_MAX,
    QUEUE_DEQUEUES_DEFAULT,
    QUEUE_POLL_SECONDS_MAX,
    QUEUE_POLL_SECONDS_MIN,
)
from emulators.functions_host.settings import Configuration

TIMESPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2}):(\d{1,2})(\.\d+)?")


@dataclass(frozen=True)
class QueueOptions:
    """How queues are read."""

    batch_size: int
    new_batch_threshold: int
    dequeues_max: int
    poll_seconds_max: float
    retry_visibility_seconds: float
    encodes: bool


def queue_options(host: Configuration) -> QueueOptions:
    """The options. Raises StartError for values out of range."""
    section = "extensions:queues:"
    batch = host.number(section + "batchSize", QUEUE_BATCH_DEFAULT)
    if not 1 <= batch <= QUEUE_BATCH_MAX:
        raise StartError(f"host.json: extensions.queues.batchSize takes 1 to {QUEUE_BATCH_MAX}, got {batch}.")
    dequeues = host.number(section + "maxDequeueCount", QUEUE_DEQUEUES_DEFAULT)
    if dequeues < 1:
        raise StartError(f"host.json: extensions.queues.maxDequeueCount must be at least 1, got {dequeues}.")
    encoding = host.text(section + "messageEncoding", "base64").lower()
    if encoding not in ("base64", "none"):
        raise StartError(f"host.json: extensions.queues.messageEncoding takes base64 or none, got {encoding!r}.")
    slowest = _seconds(host, section + "maxPollingInterval", QUEUE_POLL_SECONDS_MAX)
    return QueueOptions(
        batch_size=batch,
        new_batch_threshold=host.number(section + "newBatchThreshold", batch // 2),
        dequeues_max=dequeues,
        poll_seconds_max=max(slowest, QUEUE_POLL_SECONDS_MIN),
        retry_visibility_seconds=_seconds(host, section + "visibilityTimeout", 0.0),
        encodes=encoding == "base64",
    )


def blob_queue_options(host: Configuration) -> QueueOptions:
    """How the host's own queue of blobs is read: always base64, tried again at once. Raises StartError."""
    section = "extensions:blobs:"
    tries = host.number(section + "poisonBlobThreshold", QUEUE_DEQUEUES_DEFAULT)
    at_once = host.number(section + "maxDegreeOfParallelism", BLOBS_AT_ONCE_PER_CPU * (os.cpu_count() or 1))
    for name, value in (("poisonBlobThreshold", tries), ("maxDegreeOfParallelism", at_once)):
        if value < 1:
            raise StartError(f"host.json: extensions.blobs.{name} must be at least 1, got {value}.")
    batch = min((at_once + 1) // 2, QUEUE_BATCH_MAX)
    return QueueOptions(
        batch_size=batch,
        new_batch_threshold=at_once - batch,
        dequeues_max=tries,
        poll_seconds_max=queue_options(host).poll_seconds_max,
        retry_visibility_seconds=0.0,
        encodes=True,
    )


def _seconds(host: Configuration, path: str, default: float) -> float:
    """A TimeSpan, or whole milliseconds, as the extension reads it."""
    text = host.text(path)
    if not text:
        return default
    if text.isdecimal():
        return int(text) / 1000
    match = TIMESPAN.fullmatch(text)
    if match is None:
        raise StartError(f"host.json: {path.replace(':', '.')} takes hh:mm:ss, got {text!r}.")
    days, hours, minutes, seconds = (int(each or 0) for each in match.groups()[:4])
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds + float(match[5] or 0)
