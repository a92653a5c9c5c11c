#!/usr/bin/env python3
"""What an honest client over TLS waits while others begin handshakes, BURST of them at once, again and again.

  flood.py HOST:PORT BURST SECS [--path /p] [--rounds 3]

The others send a hello that was recorded once, so that each costs the server its
key exchange and signature and them nothing. The honest client asks on one
connection that stands, every 3 ms. Quiet and attack take turns; p50, p99 and
the longest wait of each. Pin it with taskset to another core than the server's.
As root the honest client runs before the others. Standard library only. Loopback only.
"""
import argparse, os, socket, ssl, sys, threading, time

ap = argparse.ArgumentParser()
ap.add_argument("addr"); ap.add_argument("burst", type=int); ap.add_argument("secs", type=float)
ap.add_argument("--path", default="/ingest/a"); ap.add_argument("--rounds", type=int, default=3)
a = ap.parse_args()
host, port = a.addr.rsplit(":", 1)
if not (host == "localhost" or host.startswith("127.") or host == "[::1]"):
    sys.exit("loopback only")
at = (host.strip("[]"), int(port))
tls = ssl._create_unverified_context()


def hello():
    sent = ssl.MemoryBIO()
    session = tls.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="localhost")
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        return sent.read()


def honest(waits, stop):
    s = tls.wrap_socket(socket.create_connection(at), server_hostname="localhost")
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = f'POST {a.path} HTTP/1.1\r\nHost: {a.addr}\r\nContent-Length: 7\r\n\r\n{{"a":1}}'.encode()
    while not stop.is_set():
        began = time.perf_counter()
        s.sendall(request)
        if not s.recv(4096).startswith(b"HTTP/1.1 2"):
            sys.exit("not 2xx")
        waits.append((time.perf_counter() - began) * 1e6)
        time.sleep(0.003)


def measure(name):
    if os.geteuid() == 0:
        os.nice(-18)
    waits, stop = [], threading.Event()
    asking = threading.Thread(target=honest, args=(waits, stop))
    asking.start()
    time.sleep(a.secs)
    stop.set()
    asking.join()
    waits.sort()
    print(f"{name} n={len(waits)} p50us={waits[len(waits) // 2]:.0f} p99us={waits[int(len(waits) * 0.99)]:.0f} maxus={waits[-1]:.0f}")


def crowd(first_flight):
    clients = [socket.create_connection(at, 2) for _ in range(a.burst)]
    time.sleep(0.02)
    for c in clients:
        c.settimeout(3)
        c.send(first_flight)
    served = 0
    for c in clients:
        try:
            served += len(c.recv(65536)) > 0
        except OSError:
            pass
        c.close()
    return served


first_flight = hello()
for _ in range(a.rounds):
    for name in ("quiet", "attack"):
        child = os.fork()
        if child == 0:
            measure(name)
            os._exit(0)
        begun, end = 0, time.time() + a.secs
        while name == "attack" and time.time() < end:
            begun += crowd(first_flight)
        os.waitpid(child, 0)
        if begun:
            print(f"handshakes={begun / a.secs:.0f}/s", flush=True)
