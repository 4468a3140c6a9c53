"""Real servers for tests, each in a folder of its own, on loopback, stopped by its process id."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.waiting import free_port, until

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

_NGINX = """
daemon on;
user {user};
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {live}/fullchain.pem;
        ssl_certificate_key {live}/key.pem;
        location / {{ return 200 "served\\n"; }}
    }}
}}
"""

_HAPROXY = """
global
    daemon
    pidfile {folder}/haproxy.pid
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend here
    bind 127.0.0.1:{port} ssl crt {live}/combined.pem
    http-request return status 200 content-type text/plain string served
"""


def program(name: str) -> str:
    found = shutil.which(name, path=PATH)
    assert found is not None
    return found


class Server:
    """A daemon with a pid file. ``stop`` ends the process that it names."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.pid_file = folder / f"{name}.pid"
        folder.mkdir()

    def run(self, *arguments: str) -> None:
        done = subprocess.run(arguments, capture_output=True, timeout=30, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)

    def pid(self) -> int:
        return int(self.pid_file.read_text().split()[0])

    def stop(self) -> None:
        if not self.pid_file.exists():
            return
        pid = self.pid()
        os.kill(pid, 15)
        until(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid), 15, f"process {pid} to end")


def _is_zombie(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


class Nginx(Server):
    """nginx that reads a purpose's live files."""

    def __init__(self, folder: Path, live: Path) -> None:
        super().__init__(folder, "nginx")
        self.configuration = folder / "nginx.conf"
        user = "root" if os.geteuid() == 0 else ""
        text = _NGINX.format(folder=folder, port=self.port, live=live, user=user)
        self.configuration.write_text(text if user else text.replace("user ;\n", ""))
        self.command = (program("nginx"), "-c", str(self.configuration), "-p", str(folder))

    def start(self) -> None:
        self.run(*self.command)
        until(self.pid_file.exists, 10, "nginx's pid file")

    def reload(self) -> tuple[str, ...]:
        return (*self.command, "-s", "reload")


class Haproxy(Server):
    """HAProxy that reads a purpose's combined file; a reload is a new process that takes over the socket."""

    def __init__(self, folder: Path, live: Path) -> None:
        super().__init__(folder, "haproxy")
        self.configuration = folder / "haproxy.cfg"
        self.configuration.write_text(_HAPROXY.format(folder=folder, port=self.port, live=live))
        self.script = folder / "reload"
        self.script.write_text(
            f'#!/bin/sh\nexec {program("haproxy")} -f {self.configuration} -D -sf "$(cat {self.pid_file})"\n'
        )
        self.script.chmod(0o755)

    def start(self) -> None:
        self.run(program("haproxy"), "-f", str(self.configuration), "-D")
        until(self.pid_file.exists, 10, "HAProxy's pid file")

    def reload(self) -> tuple[str, ...]:
        return (str(self.script),)
