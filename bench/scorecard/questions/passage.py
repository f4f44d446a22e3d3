"""What goes through: every byte, an end that is one, nothing that two could read differently."""

from __future__ import annotations

import hashlib
import json

import trio

from bench.scorecard.asking import question
from bench.scorecard.caller import MODEL, Answer, Broken, calling
from bench.scorecard.caller import question as small
from bench.scorecard.scene import No, Scene
from bench.scorecard.terms import Setup

_OK = 200
_EVENTS, _SEEN, _PACE = 20, 3, 0.1
# A request as no serializer of ours would write it: order, spaces, escapes, numbers, an unknown field.
_ODD_REQUEST = (
    '{"stream" : %s,\n\t"model": "' + MODEL + '", "temperature":1.0e0, "x_unknown": [1.10, null, {"b":1,"a":2}],'
    ' "messages":[ {"content":"caf\\u00e9 \N{HOT BEVERAGE} \\/","role":"user"} ]}'
)
_CHOICE = (
    '"choices": [ {"finish_reason":null, "index":0,'
    ' "%s":{"content":"caf\\u00e9 \N{HOT BEVERAGE}", "role":"assistant"}} ]'
)
_MODEL = f'"created":1, "model":"{MODEL}", "id":"odd"'
_ODD_ANSWER = (
    f'{{ "object":"chat.completion", "x_unknown":1.10, {_MODEL},\n'
    f'{_CHOICE % "message"}, "usage":{{"total_tokens":2, "prompt_tokens":1,"completion_tokens":1}} }}\n'
)
_ODD_EVENT = f'data:{{ "object":"chat.completion.chunk", {_MODEL}, {_CHOICE % "delta"} }}'
_ODD_STREAM = (
    f": a comment\n\n{_ODD_EVENT}\n\n{_ODD_EVENT}\r\n\r\nid: 7\nretry: 500\n{_ODD_EVENT}\n\ndata: [DONE]\n\n"
)


@question(13, "truncated stream visible to the caller", Setup.PLAIN)
async def truncation_visible(scene: Scene) -> str:
    """A stream breaks off in the middle: the caller gets no clean end, or an event that names the error."""
    await scene.provider.script({"fault": "truncate", "after": 5, "tokens": 20})
    answer = await scene.ask(stream=True)
    if not answer.status:
        raise No(str(answer))
    if answer.trouble:
        return f"unclean end after {len(answer.body)} bytes: {answer.trouble}"
    if answer.status != _OK:
        return f"answered with {answer}"
    if b'"error"' in answer.body:
        return f"an error event after {len(answer.body)} bytes"
    raise No(f"a clean end after {len(answer.body)} bytes of a stream that broke off")


@question(14, "bytes equal, request and answer", Setup.PLAIN)
async def bytes_equal(scene: Scene) -> str:
    """An odd request, an odd answer, an odd stream in odd pieces: all arrive as they were sent."""
    pieces = [_ODD_STREAM.encode()[at : at + 7] for at in range(0, len(_ODD_STREAM.encode()), 7)]
    chunks = [piece.decode(errors="surrogateescape") for piece in pieces]
    answers: dict[str, tuple[dict[str, object], str]] = {
        "answer": ({"body": _ODD_ANSWER}, _ODD_ANSWER),
        "stream": ({"chunks": chunks, "chunk_delay": 0.003}, _ODD_STREAM),
    }
    differ, sizes = [], []
    for kind, (scripted, sent) in answers.items():
        asked = (_ODD_REQUEST % json.dumps(kind == "stream")).encode()
        await scene.provider.script(scripted)
        answer = await scene.ask(body=asked)
        if answer.status != _OK or answer.trouble:
            raise No(f"{kind}: {answer}")
        [*_, last] = (await scene.provider.stats())["last"]
        if last["body_sha256"] != hashlib.sha256(asked).hexdigest():
            differ.append(f"request ({len(asked)} → {last['body_bytes']} bytes)")
        if answer.body != sent.encode():
            differ.append(f"{kind} ({len(sent.encode())} → {len(answer.body)} bytes)")
        sizes.append(f"{kind} of {len(answer.body)} bytes")
    if differ:
        raise No(f"differ: {', '.join(dict.fromkeys(differ))}")
    return f"both requests, {', '.join(sizes)} (in {len(chunks)} pieces)"


@question(18, "drain keeps streams", Setup.PLAIN, ends=True)
async def drain(scene: Scene) -> str:
    """SIGTERM comes while a stream flows; the stream comes to its end."""
    if scene.gate.terminate is None:
        raise No("cannot be told to stop")
    event = 'data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"w"}}]}\n\n'
    await scene.provider.script({"chunks": [*[event] * _EVENTS, "data: [DONE]\n\n"], "chunk_delay": _PACE})
    async with calling(scene.gate.way.port) as call:
        await call.send(scene.gate.way.request("a", small(stream=True)))
        got = b""
        try:
            await call.head()
            while got.count(b"data:") < _SEEN:
                got += await call.more()
            scene.gate.terminate()
            began = trio.current_time()
            with trio.fail_after(_EVENTS * _PACE + scene.terms.patience):
                while piece := await call.more():
                    got += piece
        except Broken as broken:
            raise No(f"broken after {got.count(b'data:')} of {_EVENTS} events: {broken}") from None
    if b"[DONE]" not in got or got.count(b"data:") <= _EVENTS:
        raise No(f"ended after {got.count(b'data:')} of {_EVENTS} events")
    return f"{_EVENTS} of {_EVENTS} events, the last ones {trio.current_time() - began:.1f} s after SIGTERM"


@question(19, "CL+TE refused", Setup.PLAIN)
async def contradiction_refused(scene: Scene) -> str:
    """A request with Content-Length and Transfer-Encoding, both true: refused, and the provider sees nothing."""
    chunk = small()
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(chunk), chunk)
    framing = (("Content-Length", str(len(body))), ("Transfer-Encoding", "chunked"))
    answer = Answer(trouble=f"none in {scene.terms.patience:g} s")
    async with calling(scene.gate.way.port) as call:
        began = trio.current_time()
        await call.send(scene.gate.way.request("a", body, framing))
        with trio.move_on_after(scene.terms.patience):
            answer = await call.answer(began)
    if calls := await scene.provider.calls():
        raise No(f"{calls} request reached the provider, answered with {answer}")
    if answer.status and not 400 <= answer.status < 502:  # noqa: PLR2004 - the refusals
        raise No(f"answered with {answer}")
    return f"answered with {answer}, nothing reached the provider"
