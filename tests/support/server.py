"""A server on the loopback address that can do what servers do wrong."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FLAWS = ("none", "cut", "html", "other", "empty", "error", "no-range")


@contextmanager
def serving(files):
    """Serve path -> bytes; ``server.flaw`` spoils the answers, ``server.requests`` records them.

    Asked as OpenNeuro is (POST), it lists the files as ``server.snapshot``, such as "ds000001:1.0".
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            listed = [
                {
                    "filename": name,
                    "urls": [self.server.url + name.replace(" ", "%20")],
                    "size": len(content),
                    "id": name,
                }
                for name, content in files.items()
            ]
            snapshot = {"id": self.server.snapshot, "files": listed}
            body = json.dumps({"data": {"dataset": {"latestSnapshot": snapshot}}}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_HEAD(self):
            content = files[self.path.lstrip("/").replace("%20", " ")]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.md5(content).hexdigest()}"')
            self.end_headers()

        def do_GET(self):
            content = files.get(self.path.lstrip("/").replace("%20", " "))
            flaw = self.server.flaw
            start = self.headers.get("Range")
            self.server.requests.append((self.path, start))
            if content is None or flaw == "error":
                self.send_error(404)
                return
            content = {
                "html": b"<!DOCTYPE html><html>Log in</html>",
                "other": b"x" * len(content),
                "empty": b"",
            }.get(flaw, content)
            first = 0
            if start and flaw != "no-range":
                first = int(start.removeprefix("bytes=").removesuffix("-"))
                if first >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/*")
            else:
                self.send_response(200)
            body = content[first:]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if flaw == "cut" else body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.flaw, server.requests, server.snapshot = "none", [], ""
    server.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
