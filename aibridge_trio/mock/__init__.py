"""A mock provider: speaks OpenAI's and Anthropic's APIs, streams, and fails on demand.

Terms:

* dialect: one API's shapes: Chat Completions, Responses, Messages.
* turn: one request and what the mock responds, independent of the dialect.
* script: responses that replace the usual ones, in order; sent to /mock/script.
* slot: what a request needs to be answered by the model, if they are limited.
* quota: requests and tokens a minute of one credential.
* pushback: the error in place of a response when slot or quota is lacking.
* fault: how a scripted response breaks: reset, truncate, stall, error_event.
* words: the mock's tokens; tokens_per_second paces them.

Files, in reading order:

* app: the ASGI application and its control endpoint. options: its settings, and how they are changed.
* routes: method and path → what to do. decoded_body: the request's body, decompressed.
* compose: request, script and options → response. playback: sends it, paced, and breaks it where scripted.
* turn: Turn, Dialect, Event. chat, responses, messages: the dialects. catalogue: models, embeddings, token counts.
* capacity: slots and quotas. quota_headers: what is left, as Anthropic tells it.
* tools: which tool is called. schema: values that fit a JSON schema. provider_errors: error bodies.
* script: parses scripts. json_fields: checks what the control endpoint gets.
* request_log: statistics, and the last requests.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import trio

from aibridge_trio.mock.app import Mock
from aibridge_trio.mock.options import Bind, Loopback, MockOptions
from aibridge_trio.mock.request_log import MockStats, Seen
from aibridge_trio.process.log_writer import unblocked_stderr
from aibridge_trio.process.signals import ends
from aibridge_trio.server.server import Server

__all__ = ["Bind", "Loopback", "Mock", "MockOptions", "MockStats", "Seen", "serve"]


def serve(options: MockOptions) -> int:
    """Run a mock until SIGINT or SIGTERM; return the exit status. Raises UsageError if it cannot listen."""
    with unblocked_stderr():
        return trio.run(_serve, options)


async def _serve(options: MockOptions) -> int:
    mock = Mock(options, wall_clock=lambda: datetime.now(UTC).timestamp())
    server = Server(mock.app, report=_report)
    host, port = server.open(options.bind.host, options.bind.port, option="--bind")
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    with trio.open_signal_receiver(*ends()) as signals:
        async with trio.open_nursery() as nursery:
            await nursery.start(server.run)
            sys.stderr.write(f"mock provider on {url} (base URLs: OpenAI {url}/v1, Anthropic and Copilot {url})\n")
            sys.stderr.flush()
            await anext(signals)
            server.stop(grace=0)
    return 0


def _report(error: BaseException) -> None:
    sys.stderr.write(f"aibridge mock: {type(error).__name__}: {error}\n")
