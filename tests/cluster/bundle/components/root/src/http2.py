"""HTTP/2 without TLS (prior knowledge), with a maximum age: past it, a connection ends with GOAWAY between requests."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, RequestReceived
from h2.exceptions import ProtocolError, StreamClosedError
from service import FIRST_SECONDS, Connection, Service, seconds_of, stream_line

_PREFACE = b"PRI * HTTP/2.0\r\n\r\n"


async def serve_http2(service: Service, connection: Connection) -> None:
    """Serves the connection, whose first line has been read, until its end."""
    await _Http2(service, connection).run()


@dataclass
class _Http2:
    service: Service
    connection: Connection
    state: H2Connection = field(default_factory=lambda: H2Connection(H2Configuration(client_side=False)))
    answering: set[asyncio.Task[None]] = field(default_factory=set)
    left: bool = False

    async def run(self) -> None:
        self.state.initiate_connection()
        data = _PREFACE
        while data and not self.left:
            try:
                events = self.state.receive_data(data)
            except ProtocolError:
                break
            for event in events:
                if isinstance(event, RequestReceived):
                    task = asyncio.ensure_future(self._respond(event))
                    self.answering.add(task)
                    task.add_done_callback(self.answering.discard)
                self.left |= isinstance(event, ConnectionTerminated)
            self._flush()
            data = await self._read()
        self.left = True  # streams to a client that is gone end
        if self.answering:
            await asyncio.wait(self.answering)

    async def _read(self) -> bytes:
        """What comes next; empty at the end, which is also when an old connection has no request."""
        while True:
            reading = asyncio.ensure_future(self.connection.reader.read(65_536))
            rest = max(0.05, self.connection.rest if self.state.highest_inbound_stream_id else FIRST_SECONDS)
            await asyncio.wait({reading}, timeout=rest)
            if reading.done():
                return reading.result()
            reading.cancel()
            await asyncio.wait({reading})
            if not self.answering:
                self._leave()
                return b""

    def _leave(self) -> None:
        """Tells the client to go; what it has sent and was not answered it may send again elsewhere."""
        if not self.left:
            self.left = True
            self.state.close_connection()
            self._flush()
            self.connection.writer.close()

    async def _respond(self, request: RequestReceived) -> None:
        headers = {name.decode(): value.decode() for name, value in request.headers or []}
        method, path = headers[":method"], headers[":path"]
        stream = request.stream_id or 0
        try:
            if path.startswith("/stream"):
                await self._stream(stream, seconds_of(path))
            else:
                status, body = await self.service.answer(method, path)
                fixed = [(":status", str(status)), *self.service.headers, ("content-length", str(len(body)))]
                self.state.send_headers(stream, fixed)
                self.state.send_data(stream, body, end_stream=True)
        except (ProtocolError, StreamClosedError, OSError):
            return  # the client left
        is_last = not (self.answering - {asyncio.current_task()})
        if is_last and (self.connection.is_old or self.service.draining.is_set()):
            self._leave()  # in the same write as the answer's end
        else:
            self._flush()

    async def _stream(self, stream: int, seconds: float) -> None:
        self.state.send_headers(stream, [(":status", "200"), *self.service.headers])
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end and not self.left:
            self.state.send_data(stream, stream_line(self.service))
            self._flush()
            await asyncio.sleep(0.5)
        self.state.end_stream(stream)

    def _flush(self) -> None:
        self.connection.writer.write(self.state.data_to_send())
