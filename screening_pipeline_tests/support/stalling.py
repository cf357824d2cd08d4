"""A TCP proxy on loopback that can stop passing anything on, as a network that is cut without a word."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress


class StallingProxy:
    """Passes bytes on both ways until it stalls; then connections stay open and nothing comes through."""

    def __init__(self, target_port: int) -> None:
        self._target = target_port
        self._flows = threading.Event()
        self._flows.set()
        self._open: list[socket.socket] = []
        self._stranded: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def stall(self) -> None:
        """Pass nothing on any more."""
        self._flows.clear()

    def strand(self) -> None:
        """Pass nothing on of the connections that there are; those that are made from now on live."""
        self._stranded += [*self._open]

    def serve(self) -> None:
        """Take connections until it is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._open += [client, server]
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def close(self) -> None:
        """Cut every connection."""
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._flows.set()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                if source in self._stranded:
                    return
                sink.sendall(data)
            if self._flows.is_set():
                sink.shutdown(socket.SHUT_RDWR)


@contextmanager
def stalling_proxy(target_port: int) -> Iterator[StallingProxy]:
    """Context manager: a proxy before a port of this machine."""
    with closing(StallingProxy(target_port)) as proxy:
        threading.Thread(target=proxy.serve, daemon=True).start()
        yield proxy
