"""The process that JavaScript runs in: takes source texts, gives back what the last one came to, keeps the limits.

A script that exhausts memory can take V8 down, and the process with it; nothing but that script is lost. Run by path
and made of the standard library and the engine alone, so that it starts quickly. A frame is a length and JSON:

    {"open": {"prelude": source, "heapBytes": n}}     a fresh context that has run the prelude -> {}
    {"evaluate": [source, …], "seconds": s}           -> {"value": the last one's text} or {"failed": kind, "text": …}
"""

from __future__ import annotations

import asyncio
import json
import signal
import struct
import sys
from typing import Any, BinaryIO

from py_mini_racer import JSEvalException, JSOOMException, JSParseException, MiniRacer

LENGTH = struct.Struct(">I")


def read_frame(source: BinaryIO) -> Any:
    """The next message, None at the end of the stream."""
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    return json.loads(source.read(*LENGTH.unpack(head)))


def write_frame(target: BinaryIO, message: Any) -> None:
    """Send a message."""
    payload = json.dumps(message).encode("ascii")
    target.write(LENGTH.pack(len(payload)) + payload)
    target.flush()


async def evaluate(context: MiniRacer, sources: list[str], seconds: float) -> dict[str, Any]:
    """Run `sources` one after the other; promises that one has settled are done before the next."""
    value: object = None
    try:
        async with asyncio.timeout(seconds):
            for source in sources:
                value = await context.eval_cancelable(source)
    except TimeoutError:
        return {"failed": "time", "text": ""}
    except JSOOMException:
        return {"failed": "memory", "text": ""}
    except JSParseException as error:
        return {"failed": "syntax", "text": str(error)}
    except JSEvalException as error:
        return {"failed": "script", "text": str(error)}
    return {"value": value if isinstance(value, str) else None}


async def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answer messages until the stream ends. Reading blocks on purpose: there is nothing else to do meanwhile."""
    context: MiniRacer | None = None
    while (message := read_frame(source)) is not None:
        if "open" in message:
            if context is not None:
                context.close()
            context = MiniRacer()
            context.set_hard_memory_limit(message["open"]["heapBytes"])
            context.eval(message["open"]["prelude"])
            write_frame(target, {})
        else:
            assert context is not None, "open comes first"
            write_frame(target, await evaluate(context, message["evaluate"], message["seconds"]))
    if context is not None:
        context.close()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the emulator's: it closes our stream when it has drained
    asyncio.run(serve(sys.stdin.buffer, sys.stdout.buffer))
