"""nginx with one worker: what a proxy in C costs that knows nothing of AI."""

from __future__ import annotations

import os

from bench.compare.peers import Launch, Peer, Place, find, said


def peer() -> Peer | None:
    """Return nginx, if it is installed."""
    executable = find("nginx", "nginx/bin")
    if executable is None:
        return None
    return Peer(
        name="nginx", executable=executable, version=said(executable, "-v").rpartition("/")[2], launch=_launch
    )


def _launch(program: str, place: Place) -> Launch:
    config = str(place.folder / "nginx.conf")
    return Launch((program, "-p", str(place.folder), "-c", config), files={"nginx.conf": _config(place)})


def _config(place: Place) -> str:
    # By default its workers run as user `nobody`, which cannot write into root's temporary folder.
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""
daemon off; worker_processes 1; error_log stderr error; pid {place.folder}/nginx.pid; {user}
events {{ worker_connections 16384; }}
http {{
  access_log off;
  client_body_temp_path {place.folder}/body; proxy_temp_path {place.folder}/proxy;
  fastcgi_temp_path {place.folder}/fastcgi;
  uwsgi_temp_path {place.folder}/uwsgi; scgi_temp_path {place.folder}/scgi;
  keepalive_requests 1000000000; keepalive_timeout 3600s;
  upstream provider {{ server 127.0.0.1:{place.provider}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{place.port} backlog=8192;
    location / {{
      proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_read_timeout 3600s;
    }}
  }}
}}
"""
