#!/usr/bin/env python3
"""N clients that dribble: an octet of a request every GAP seconds, for SECS seconds.

  dribble.py HOST:PORT N SECS [--gap 0.5] [--path /p]

Half of them never come to the end of a head, half never to that of a body that
they announced. One that the server closes connects again. Prints how often that
was. Standard library only. Loopback only.
"""
import argparse, socket, sys, time

ap = argparse.ArgumentParser()
ap.add_argument("addr"); ap.add_argument("n", type=int); ap.add_argument("secs", type=float)
ap.add_argument("--gap", type=float, default=0.5); ap.add_argument("--path", default="/ingest/a")
a = ap.parse_args()
host, port = a.addr.rsplit(":", 1)
if not (host == "localhost" or host.startswith("127.") or host == "[::1]"):
    sys.exit("loopback only")
HEAD = f"POST {a.path} HTTP/1.1\r\nHost: {a.addr}\r\nContent-Length: 60000\r\n\r\n".encode()
ENDLESS = HEAD[:-4] + b"\r\nX: "


def connect():
    try:
        s = socket.create_connection((host.strip("[]"), int(port)), 2)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s
    except OSError:
        return None


clients = [(connect(), 0) for _ in range(a.n)]
closed, end = 0, time.time() + a.secs
while time.time() < end:
    began = time.time()
    for i, (s, at) in enumerate(clients):
        in_head = i < a.n // 2
        if s is None:
            clients[i] = (connect(), 0)
            continue
        octet = ENDLESS[at : at + 1] or b"x" if in_head else (b" " if at else HEAD)
        try:
            s.send(octet)
            clients[i] = (s, at + 1)
        except OSError:
            closed += 1
            s.close()
            clients[i] = (None, 0)
    time.sleep(max(0.0, a.gap - (time.time() - began)))
print(f"dribblers={a.n} closed={closed}")
