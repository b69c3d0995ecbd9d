"""Programs that the runner tests start: a tiny instance, and a runner in a process of its own. No tests of its own."""

# What every test instance runs: answers with its own name, its callee's name, and its prompts; misbehaves when told to.
SERVER = """
import http.server, json, os, pathlib, signal, sys, threading, time, urllib.request

NAME, CALLEE = os.environ["LOCKSTEP_INSTANCE"], os.environ.get("LLM_URL", "")
started, bad = time.monotonic(), pathlib.Path(os.environ.get("BAD_FILE", "/nonexistent"))
delay, age = float(os.environ.get("START_SECONDS", "0")), float(os.environ.get("AGE_SECONDS", "0.3"))
if os.environ.get("CRASH"):
    sys.exit("told to crash")

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def setup(self):
        super().setup()
        self.born = time.monotonic()
    def log_message(self, *_): pass
    def say(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers: self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        if time.monotonic() - self.born > age:
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        if self.path == "/readyz":
            return self.say(200 if time.monotonic() - started >= delay and not bad.exists() else 503, b"")
        if self.path == "/healthz":
            return self.say(200, b"")
        if self.path == "/crash":
            os._exit(3)
        if self.path == "/slow":
            time.sleep(2)
        if self.path == "/environment":
            return self.say(200, json.dumps({"environment": dict(os.environ), "argv": sys.argv, "cwd": os.getcwd(),
                                             "python": sys.executable}).encode())
        if self.path.startswith("/bytes/"):
            size = int(self.path[7:])
            self.send_response(200); self.send_header("content-length", str(size)); self.end_headers()
            for _ in range(size // 65536): self.wfile.write(b"x" * 65536)
            self.wfile.write(b"x" * (size % 65536))
            return
        self.answer(b"")
    def do_POST(self):
        size, total = int(self.headers.get("content-length", -1)), 0
        if size < 0:
            while (chunk := int(self.rfile.readline(), 16)):
                total += len(self.rfile.read(chunk)); self.rfile.readline()
            self.rfile.readline()
        while total < size: total += len(self.rfile.read(min(65536, size - total)))
        self.answer(str(total).encode())
    def answer(self, posted):
        if bad.exists():
            return self.say(500, b"bad")
        callee = ""
        if CALLEE:
            with urllib.request.urlopen(CALLEE + "/who", timeout=10) as given:
                callee = json.load(given)["root"]
        self.say(200, json.dumps({"root": NAME, "callee": callee, "posted": posted.decode(), "path": self.path,
                                  "headers": {name.lower(): value for name, value in self.headers.items()}}).encode(),
                 [("x-lockstep-release", NAME)])

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True

server = Server((os.environ["HOST"], int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(0.05)
"""

# A runner in its own process, over `git` and one folder that is every image.
RUNNER = """
import os, subprocess, sys, time
from pathlib import Path
from lockstep.core.names import EnvironmentName, GitSha
from lockstep.core.errors import LockstepError
from lockstep.runner import Options, up

class Commits:
    def __init__(self, top): self.top = top
    def git(self, *words, stdin=b""):
        return subprocess.run(["git", "-C", self.top, *words], input=stdin, capture_output=True, check=True).stdout
    def head(self): return GitSha(Path(self.top, ".git/refs/heads/main").read_text().strip())
    def files(self, sha):
        lines = [n for n in self.git("ls-tree", "-rz", sha, "releases/test/").decode().split("\\0") if n]
        objects = "".join(line.split()[2] + "\\n" for line in lines).encode()
        found, rest = {}, self.git("cat-file", "--batch", stdin=objects)
        for line in lines:
            head, _, rest = rest.partition(b"\\n")
            size = int(head.split()[2])
            found[line.partition("\\t")[2].removeprefix("releases/test/")], rest = rest[:size], rest[size + 1:]
        return found

class Quiet:
    def event(self, event): pass

top, image = sys.argv[1:]

def images(reference):
    time.sleep(6 if "slow" in reference else 0)
    return Path(image)

try:
    up(Options(EnvironmentName("test"), Path(top, ".lockstep")), Commits(top), images, Quiet())
except LockstepError as error:
    sys.exit(f"{error.what}; {error.where}; {error.fix}")
"""
