"""GET /greet?name=Ada: the prompt, rendered, goes through echo and comes back. `python3 -m hello` serves.

What an instance owes: /healthz and /readyz about itself only, a drain on SIGTERM, and, because it is the
entry, connections that end after a maximum age: a client that keeps one would stay with the old release.
"""

import json
import os
import signal
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

INSTANCE = os.environ.get("LOCKSTEP_INSTANCE", "hello-0123456789")
ECHO = os.environ.get("ECHO_URL", "http://echo-0123456789")
MAX_AGE = float(os.environ.get("MAX_CONNECTION_AGE_SECONDS", "1"))
DRAINING = threading.Event()
READY = threading.Event()


def template(path: Path) -> str:
    """What follows the front matter of a prompt file."""
    return path.read_text(encoding="utf-8").split("---\n", 2)[2].strip()


PROMPT = template(Path(os.environ.get("LOCKSTEP_PROMPTS", "prompts")) / "greeting.prompt")


def echoed(text: str) -> str:
    """The text as echo gives it back."""
    body = json.dumps({"text": text}).encode()
    question = urllib.request.Request(f"{ECHO}/echo", data=body, headers={"content-type": "application/json"})
    with urllib.request.urlopen(question, timeout=10) as answer:
        return str(json.load(answer)["text"])


class Answering(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    timeout = MAX_AGE + 0.25  # an idle connection ends then

    def setup(self) -> None:
        """Notes when the connection began."""
        super().setup()
        self.expires = time.monotonic() + MAX_AGE

    def do_GET(self) -> None:
        """Answers health questions and greetings."""
        url = urlsplit(self.path)
        if url.path == "/healthz":
            self.say(200, {"ok": True})
        elif url.path == "/readyz":
            self.say(200 if READY.is_set() else 503, {"ready": READY.is_set()})
        elif url.path == "/greet":
            self.greet(parse_qs(url.query).get("name", [""])[0])
        else:
            self.say(404, {"error": {"what": f"no such path: {url.path}", "fix": "GET /greet?name=Ada"}})

    def greet(self, name: str) -> None:
        """Answers with a greeting, or with what is wrong and how to fix it."""
        if not name:
            self.say(422, {"error": {"what": "the name is missing", "fix": "GET /greet?name=Ada"}})
            return
        try:
            greeting = echoed(PROMPT.replace("{{name}}", name))
        except (OSError, ValueError, LookupError) as error:
            fix = f"see the log of {urlsplit(ECHO).hostname}"
            self.say(502, {"error": {"what": f"echo: {error}", "fix": fix}})
            return
        served_by = {"hello": INSTANCE, "echo": urlsplit(ECHO).hostname}
        self.say(200, {"greeting": greeting, "served_by": served_by})

    def say(self, status: int, value: object) -> None:
        """Sends a JSON answer."""
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-lockstep-release", INSTANCE)
        if status == 405:
            self.send_header("allow", "GET")
        if DRAINING.is_set() or self.close_connection or time.monotonic() >= self.expires:
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers what no method here handles: with 405, for another method (RFC 9110, 15.5.6)."""
        self.close_connection = True
        problem = {"what": message or explain, "fix": "GET /greet?name=Ada"}
        self.say(405 if code == 501 else code, {"error": problem})

    def log_message(self, *_: object) -> None:
        """Logs nothing for a request that was answered."""


class Server(ThreadingHTTPServer):
    """Waits for its running answers when it is closed."""

    daemon_threads = False
    request_queue_size = 128


def wait_for_echo() -> None:
    """Makes this instance ready once echo has answered; afterwards readiness never depends on it."""
    while not READY.is_set() and not DRAINING.is_set():
        try:
            echoed("ready?")
            READY.set()
        except (OSError, ValueError, LookupError):
            time.sleep(0.2)


def main() -> None:
    """Serves until SIGTERM, then finishes what is running."""
    server = Server((os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "8080"))), Answering)

    def drain(*_: object) -> None:
        DRAINING.set()
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, drain)
    threading.Thread(target=wait_for_echo, daemon=True).start()
    server.serve_forever(poll_interval=0.05)
    server.server_close()


if __name__ == "__main__":
    main()
