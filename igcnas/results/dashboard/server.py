"""optuna-dashboard on one study, for this machine alone, and only to look.

It listens on 127.0.0.1 and answers requests that name that host, so that a page of another site which had its name
resolved to this machine gets nothing. Whatever would change something (all but GET and HEAD) is refused before it
reaches the dashboard.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from igcnas.errors import IgcnasError
from igcnas.search.folder import open_study
from igcnas.search.settings import StudySettings
from igcnas.system.extras import extra

HOST = "127.0.0.1"

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Threads(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """A line for each request helps nobody."""


class Server:
    """The dashboard of the study in a folder. port 0: any that is free. As a context it ends with the block.

    IgcnasError where optuna-dashboard is missing, the port is taken, or there is no such study.
    """

    def __init__(self, folder: Path, *, port: int) -> None:
        settings = StudySettings.read(folder)
        study = open_study(folder)  # refuses a study without a journal
        application = _application(folder, settings)
        try:
            self._server = make_server(
                HOST, port, self._guarded(application), server_class=_Threads, handler_class=_Silent
            )
        except (OSError, OverflowError) as error:
            raise IgcnasError(f"cannot listen on port {port} ({error}); give another --port, or 0 for any") from None
        self.port = int(self._server.server_port)
        self.study_id = study._study_id

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{HOST}:{self.port}/dashboard/studies/{self.study_id}"

    def serve(self) -> None:
        """Answer until interrupted."""
        self._server.serve_forever(poll_interval=0.1)

    def close(self) -> None:
        """Give the port back."""
        self._server.server_close()

    def __enter__(self) -> Server:
        """Answer in a thread."""
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving and give the port back."""
        self._server.shutdown()
        self.close()

    def _guarded(self, application: Application) -> Application:
        def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            if environ.get("HTTP_HOST") not in (f"{HOST}:{self.port}", f"localhost:{self.port}"):
                return _refuse(start, "this page is for its own machine alone")
            if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
                return _refuse(start, "this dashboard only looks at the study; nothing was changed")
            return application(environ, start)

        return answer


def _application(folder: Path, settings: StudySettings) -> Application:
    wsgi = extra("optuna_dashboard", what="igcnas dashboard").wsgi
    from igcnas.results.dashboard.pictures import Pictures
    from igcnas.results.dashboard.storage import shown_storage

    pictures = Pictures(folder)
    application: Application = wsgi(shown_storage(folder, settings, pictures), artifact_store=pictures)
    return application


def _refuse(start: Callable[..., Any], reason: str) -> Iterable[bytes]:
    start("403 Forbidden", [("Content-Type", "application/json")])
    return [json.dumps({"reason": reason}).encode()]
