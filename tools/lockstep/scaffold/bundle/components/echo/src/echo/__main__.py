"""POST /echo {"text": ...} answers with the same text. `python3 -m echo` serves until SIGTERM."""

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAX_BYTES = 1024 * 1024
DRAINING = threading.Event()


class Answering(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    timeout = 2  # an idle connection ends then

    def do_GET(self) -> None:
        """Answers health questions: nothing has to be loaded, so a running instance is ready."""
        known = self.path in {"/healthz", "/readyz"}
        self.close_connection = not known
        self.say(200 if known else 405 if self.path == "/echo" else 404, {"ok": known})

    def do_POST(self) -> None:
        """Answers with the text of the body."""
        size = int(self.headers.get("content-length") or 0)
        if self.path != "/echo" or size > MAX_BYTES:
            self.close_connection = True
            problem = {"what": "not a small POST to /echo", "fix": "send less than a megabyte to /echo"}
            self.say(404 if self.path != "/echo" else 413, {"error": problem})
            return
        try:
            text = json.loads(self.rfile.read(size))["text"]
        except (ValueError, LookupError, TypeError):
            text = None
        if not isinstance(text, str):
            self.say(422, {"error": {"what": "the body is not {text}", "fix": 'send {"text": "some words"}'}})
            return
        self.say(200, {"text": text})

    def say(self, status: int, value: object) -> None:
        """Sends a JSON answer."""
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        if status == 405:
            self.send_header("allow", "POST")
        if DRAINING.is_set() or self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers what no method here handles: with 405, for another method (RFC 9110, 15.5.6)."""
        self.close_connection = True
        problem = {"what": message or explain, "fix": "POST /echo"}
        self.say(405 if code == 501 else code, {"error": problem})

    def log_message(self, *_: object) -> None:
        """Logs nothing for a request that was answered."""


class Server(ThreadingHTTPServer):
    """Waits for its running answers when it is closed."""

    daemon_threads = False
    request_queue_size = 128


def main() -> None:
    """Serves until SIGTERM, then finishes what is running."""
    server = Server((os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "8080"))), Answering)

    def drain(*_: object) -> None:
        DRAINING.set()
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, drain)
    server.serve_forever(poll_interval=0.05)
    server.server_close()


if __name__ == "__main__":
    main()
