#!/usr/bin/env python3
"""The data port against other people's clients and against abuse: curl, openssl s_client, Python's http.client and ssl, raw sockets.

usage: wire_suite.py BINARY [--mutations N]

Starts the program on free ports in a scratch folder, prints one line per check, exits 1 if one fails.
"""
import argparse, gzip, http.client, json, os, random, re, shutil, socket, ssl, struct, subprocess, sys, tempfile, threading, time
import urllib.request

arguments = argparse.ArgumentParser()
arguments.add_argument("binary")
arguments.add_argument("--mutations", type=int, default=5000)
arguments.add_argument("--seed", type=int, default=1)
options = arguments.parse_args()
work = tempfile.mkdtemp(prefix="pushgate-wire-")
failed = []


def check(name, ok, detail=""):
    print(("ok    " if ok else "WRONG ") + name + (f": {detail}" if detail and not ok else ""), flush=True)
    if not ok:
        failed.append(name)


def run(*words, stdin=b""):
    done = subprocess.run(words, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
    return done.returncode, done.stdout.decode("latin1")


class Gate:
    def __init__(self, yaml):
        self.state = tempfile.mkdtemp(dir=work)
        config = os.path.join(self.state, "pushgate.yaml")
        with open(config, "w") as file:
            file.write(yaml)
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PUSHGATE_", "KUIPER_", "HTTPPUSH_"))}
        env.update(TZ="UTC", PUSHGATE__BASIC__RESTPORT="0", PUSHGATE__SOURCE__HTTPSERVERPORT="0", PUSHGATE__SOURCE__HTTPSERVERIP="127.0.0.1")
        self.log = os.path.join(self.state, "log")
        words = [options.binary, "run", "--state", self.state, "--config", config]
        self.process = subprocess.Popen(words, env=env, stderr=open(self.log, "w"))
        self.rest = self.port("management")
        self.api("POST", "/streams", {"sql": 'CREATE STREAM demo () WITH (DATASOURCE="/api/data", FORMAT="json", TYPE="httppush")'})
        self.api("POST", "/rules", {"id": "r1", "sql": "SELECT * FROM demo", "actions": [{"nop": {}}]})
        self.data = self.port("data")

    def port(self, kind):
        for _ in range(300):
            found = re.search(rf"listen {kind} 127.0.0.1:(\d+)", open(self.log).read())
            if found:
                return int(found[1])
            time.sleep(0.05)
        raise SystemExit(open(self.log).read())

    def api(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.rest}{path}", data=data, method=method)
        return urllib.request.urlopen(request, timeout=10).read()

    def counters(self):
        return json.loads(self.api("GET", "/counters"))

    def connect(self):
        sock = socket.create_connection(("127.0.0.1", self.data), timeout=10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        self.process.kill()
        self.process.wait()


def request(body=b"{}", fields="", method="POST", path="/api/data"):
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode() + body


def answer(sock):
    """Status of the next answer, None at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(4096)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    while len(body) < int(length[1] if length else 0):
        body += sock.recv(4096)
    return int(head.split(b" ")[1])


def plain():
    gate = Gate("limits: {connCount: 600}\nsource: {headTimeout: 4s, firstByteTimeout: 4s}\n")
    url = f"http://127.0.0.1:{gate.data}/api/data"
    try:
        reading = os.path.join(work, "reading.json")
        with open(reading, "w") as file:
            json.dump([{"a": i, "text": "x" * 100} for i in range(200)], file)
        curl = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "20"]
        for name, words, want in [
            ("curl posts a file (with Expect above 1 MB only)", ["--data-binary", "@" + reading], "200"),
            ("curl posts in chunks", ["-H", "Transfer-Encoding: chunked", "--data-binary", "@" + reading], "200"),
            ("curl asks before it sends", ["-H", "Expect: 100-continue", "--data-binary", "@" + reading], "200"),
            ("curl is told of a wrong path", ["--data", "{}", "--path-as-is", url + "/x"], "404"),
            ("curl HEAD", ["-I"], "405"),
            ("curl OPTIONS", ["-X", "OPTIONS"], "204"),
            ("curl with HTTP/1.0", ["--http1.0", "--data", "{}"], "200"),
            ("curl with HTTP/2 without asking", ["--http2-prior-knowledge", "--data", "{}"], None),
        ]:
            code, out = run(*curl, *words, *([] if url + "/x" in words else [url]))
            check(name, code != 0 if want is None else (code, out[-3:]) == (0, want), out)
        zipped = os.path.join(work, "reading.json.gz")
        with open(zipped, "wb") as file:
            file.write(gzip.compress(open(reading, "rb").read()))
        code, out = run(*curl, "-H", "Content-Encoding: gzip", "--data-binary", "@" + zipped, url)
        check("curl posts gzip", (code, out) == (0, "200"), out)

        client = http.client.HTTPConnection("127.0.0.1", gate.data, timeout=10)
        seen = []
        for i in range(50):
            client.request("POST", "/api/data", json.dumps({"a": i}))
            seen.append((client.getresponse().read(), client.sock is not None))
        check("http.client, 50 readings over one connection", seen == [(b"ok", True)] * 50)
        client.request("POST", "/api/data", iter([b'{"a"', b":1}"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        check("http.client in chunks", client.getresponse().read() == b"ok")

        flood(gate)
        mutations(gate)
        loss(gate)
        check("it is still there", gate.alive())
    finally:
        gate.stop()


def flood(gate):
    idle = [gate.connect() for _ in range(1000)]
    check("1,000 idle connections at a ceiling of 600 keep nobody out", answer_to(gate, request()) == 200)
    for sock in idle:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    for cut in range(0, 60, 3):
        sock = gate.connect()
        sock.sendall(request(b"x" * 5000)[:cut])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    check("after 1,020 resets", answer_to(gate, request()) == 200)
    slow = [gate.connect() for _ in range(200)]
    honest, worst = gate.connect(), 0
    for byte in request(b"{}", "X-Slow: " + "a" * 40 + "\r\n")[:60]:
        for sock in slow:
            try:
                sock.sendall(bytes([byte]))
            except OSError:
                pass
        begin = time.monotonic()
        honest.sendall(request())
        check_quietly = answer(honest)
        worst = max(worst, time.monotonic() - begin)
        if check_quietly != 200:
            worst = 99
    check(f"200 dribblers, an honest client's slowest answer {worst * 1000:.1f} ms", worst < 1)


def answer_to(gate, data):
    with gate.connect() as sock:
        sock.sendall(data)
        return answer(sock)


def mutations(gate):
    dice = random.Random(options.seed)
    pieces = [b"\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b":", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"HTTP/1.1", b"%00",
              b"..", b"/", b"Expect: 100-continue\r\n", b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"\xff" * 9, b"A" * 3000, b"Host: y\r\n", b";", b"\""]
    chunked = b"POST /api/data HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    zipped = gzip.compress(b'{"a":1}')
    seeds = [request(), chunked, request(zipped, "Content-Encoding: gzip\r\n"), request() + chunked + request(b"[]")]
    statuses, strange = {}, []
    for i in range(options.mutations):
        data = bytearray(dice.choice(seeds))
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(data) + 1)
            match dice.randrange(4):
                case 0:
                    data[at:at] = dice.choice(pieces)
                case 1:
                    del data[at:at + dice.randint(1, 8)]
                case 2 if at < len(data):
                    data[at] = dice.randrange(256)
                case _:
                    data[at:at] = data[dice.randrange(len(data) + 1):][:dice.randint(1, 40)]
        try:
            with gate.connect() as sock:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
                text = b""
                while more := sock.recv(65536):
                    text += more
        except ConnectionResetError:
            strange.append((bytes(data)[:200], "reset"))
            continue
        for status in re.findall(rb"HTTP/1\.1 (\d\d\d) ", text):
            statuses[int(status)] = statuses.get(int(status), 0) + 1
        if data and not text and bytes(data).strip(b"\r\n"):
            strange.append((bytes(data)[:200], "no answer"))
    allowed = {100, 200, 204, 400, 404, 405, 408, 411, 413, 414, 415, 417, 431, 501, 505}
    check(f"{options.mutations} mutated requests, answers {dict(sorted(statuses.items()))}", set(statuses) <= allowed and gate.alive())
    check("each mutated request was answered", not strange, repr(strange[:3]))
    check("and after them all a good one", answer_to(gate, request()) == 200)


def loss(gate):
    before = gate.counters()["streams"]["demo"]["accepted_total"]
    taken, lock = [0], threading.Lock()

    def push(n):
        sock, mine = gate.connect(), 0
        for i in range(n):
            sock.sendall(request(json.dumps({"a": i}).encode()))
            mine += answer(sock) == 200
        with lock:
            taken[0] += mine

    threads = [threading.Thread(target=push, args=(500,)) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    for _ in range(100):
        status = json.loads(gate.api("GET", "/rules/r1/status"))
        if gate.counters()["streams"]["demo"]["queued"] == 0:
            break
        time.sleep(0.05)
    accepted = gate.counters()["streams"]["demo"]["accepted_total"] - before
    check(f"no loss: {taken[0]} answered 200, {accepted} counted", taken[0] == accepted == 4000)


def secure():
    def tool(*words):
        code, out = run("openssl", *words)
        assert code == 0, out

    at = lambda name: os.path.join(work, name)
    for name in ("ca", "other"):
        tool("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", at(name + ".key"), "-out",
             at(name + ".crt"), "-days", "99", "-subj", "/CN=" + name)
    for name, by, usage in (("server", "ca", "serverAuth"), ("good", "ca", "clientAuth"), ("foreign", "other", "clientAuth")):
        tool("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", at(name + ".key"), "-out", at(name + ".csr"),
             "-subj", f"/O=Plant/CN={name}")
        with open(at("ext"), "w") as file:
            file.write(f"subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage={usage}\n")
        tool("x509", "-req", "-in", at(name + ".csr"), "-CA", at(by + ".crt"), "-CAkey", at(by + ".key"), "-CAcreateserial", "-days", "99",
             "-extfile", at("ext"), "-out", at(name + ".crt"))
    gate = Gate(f"source:\n  httpServerTls:\n    certfile: {at('server.crt')}\n    keyfile: {at('server.key')}\n    clientCa: {at('ca.crt')}\n"
                "    clientAuth: optional\n")
    try:
        url = f"https://localhost:{gate.data}/api/data"
        curl = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "20", "--cacert", at("ca.crt"), "--resolve",
                f"localhost:{gate.data}:127.0.0.1", "--data", "{}"]
        for name, words, want in [
            ("curl over TLS", [], "200"),
            ("curl with TLS 1.2", ["--tls-max", "1.2"], "200"),
            ("curl with TLS 1.3", ["--tlsv1.3"], "200"),
            ("curl with a client certificate", ["--cert", at("good.crt"), "--key", at("good.key")], "200"),
            ("curl with a foreign certificate", ["--cert", at("foreign.crt"), "--key", at("foreign.key")], None),
        ]:
            code, out = run(*curl, *words, url)
            check(name, code != 0 if want is None else (code, out) == (0, want), out)
        code, out = run("curl", "-sS", "-w", "%{http_code}", "--max-time", "20", "--data", "{}", f"http://127.0.0.1:{gate.data}/api/data")
        check("curl without TLS is told so", code == 0 and out.endswith("400") and "HTTPS" in out, out)
        for version in ("-tls1_2", "-tls1_3"):
            session = at("session" + version)
            say = b"POST /api/data HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
            words = ["openssl", "s_client", "-connect", f"127.0.0.1:{gate.data}", "-CAfile", at("ca.crt"), "-ign_eof", version]
            code, out = run(*words, "-sess_out", session, stdin=say)
            check(f"s_client {version}", "Verify return code: 0 (ok)" in out and "HTTP/1.1 200 OK" in out, out)
            code, out = run(*words, "-sess_in", session, stdin=say)
            check(f"s_client {version} resumes its session", "Reused" in out and "HTTP/1.1 200 OK" in out, out)
        code, out = run("openssl", "s_client", "-connect", f"127.0.0.1:{gate.data}", "-tls1_1", stdin=b"")
        check("s_client with TLS 1.1 is refused", "HTTP" not in out and "Cipher is (NONE)" in out, out)
        context = ssl.create_default_context(cafile=at("ca.crt"))
        context.load_cert_chain(at("good.crt"), at("good.key"))
        client = http.client.HTTPSConnection("localhost", gate.data, timeout=10, context=context)
        seen = []
        for size in (1, 1000, 60_000):
            client.request("POST", "/api/data", json.dumps({"a": "x" * size}))
            seen.append(client.getresponse().read())
        check("Python's ssl with a client certificate", seen == [b"ok"] * 3)
        with gate.connect() as sock:
            sock.sendall(b"\x16\x03\x01" + os.urandom(300))
            sock.shutdown(socket.SHUT_WR)
            try:
                while sock.recv(4096):
                    pass
            except ConnectionResetError:
                pass
        check("after noise", gate.alive())
        client.request("POST", "/api/data", "{}")
        check("connections stand", client.getresponse().read() == b"ok")
    finally:
        gate.stop()


try:
    plain()
    secure()
finally:
    shutil.rmtree(work, ignore_errors=True)
print(f"{len(failed)} wrong" if failed else "all right")
sys.exit(1 if failed else 0)
