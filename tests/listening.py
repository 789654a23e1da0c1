"""A listener on loopback: what was posted to it, and what it answers."""

from __future__ import annotations

import http.server
import threading


class listening:
    """Its address, and the bodies that were posted to it; the first ``refused`` ones get a 503, and do not count."""

    def __init__(self, refused: int = 0) -> None:
        self._refused = refused

    def __enter__(self) -> tuple[str, list[str]]:
        told: list[str] = []
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                if taken := listener._refused <= 0:
                    told.append(body)
                listener._refused -= 1
                self.send_response(200 if taken else 503)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}/hook", told

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
