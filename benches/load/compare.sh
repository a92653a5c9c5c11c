#!/usr/bin/env bash
# Pushgate against eKuiper (or any servers that speak eKuiper's REST API): the same stream and
# rules on all, driven in one interleaved run, with every reading counted.
#
#   compare.sh NAME,PID|CMD,REST_PORT,DATA_PORT [NAME,PID|CMD,REST_PORT,DATA_PORT ...]
#
#   compare.sh pushgate,4711,9081,10081 ekuiper,4712,9381,10381
#   compare.sh "pushgate,./pushgate run --state STATE,9081,10081" ekuiper,4712,9381,10381
#
# A PID is a server already running; it is measured and left running. A CMD (no commas in it) is
# started here, pinned to core SERVER_PIN, and stopped with SIGTERM at the end. The first server is
# the one whose ratios to the others are printed; the raw epoll floor (limit.rs) always runs too.
# REST_PORT 0: an extra peer, only driven at $DPATH, neither configured nor counted (Telegraf, Benthos ...).
# Use scratch instances: stream $STREAM and rules cmp_* are dropped and created on each of them.
#
# Environment
#   SCEN    scenarios, default "a b c dshared down" (all of them):
#             a        SELECT * to nop
#             b        filter on temperature and three columns, to nop (499 of 1000 readings pass)
#             c        tumbling 10 s average by device, 1000 devices, to nop
#             dshared  ten rules as b on one shared stream        down  the same, stream not shared
#   LOADS   conns or conns@rate, default "1 64 256 64@1000 64@5000"; no rate = closed loop, full speed
#   ROUNDS=3 SECS=4 BODY=225 STREAM=demo DPATH=/api/data
#   CSECS=20  seconds per run in scenario c: whole windows, or their closing is missed and c looks cheap
#   SERVER_PIN=0  core of the floor, nginx and CMD servers ("" = none). Pin a PID yourself: taskset -acp 0 PID
#   CLIENT_PIN=1  core of the client
#   WITH_NGINX=1  also nginx `return 200` (one worker);  FLOOR_PORT=19700 NGINX_PORT=19701
#   JSON=FILE  every run and the medians as JSON
#
# Columns: cpu_us = scheduler's CPU time of all threads per accepted request; xfloor = the same over
# the floor's in the same round; xA = first server's over this one's (below 1: the first is cheaper);
# row_us = CPU us per reading that a rule really took (a server that drops its work looks cheap in
# cpu_us; rules added up). rps is client-bound: do not compare it. anon = RssAnon KiB before/peak/after,
# pss after. Medians, but counts are sums over the rounds. The same server on both sides: xA 0.92-1.15 (1 round of 1 s: 1.27).
# accepted = answered 2xx; reached = readings that the source counted; rule = readings that the rule's
# first operator took (all rules added up); sink = rows at the sink, of `due` rows; lost = accepted readings
# (times rules) that never got to a rule's work: due - sink, for c accepted - rule. refused = 4xx + 5xx.
# A refused reading is no loss; an accepted one that is not delivered is.
# Bounded: SECS per run, loopback only. Needs rustc, python3, taskset; nginx for WITH_NGINX=1.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { sed -n '2,40p' "$0"; exit 2; }
T=$(mktemp -d)
started=()
finish() { for p in "${started[@]}"; do kill -TERM "$p" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$T"; }
trap finish EXIT
for b in push limit; do
  rustc --edition 2021 -C opt-level=3 -C panic=abort -o "$T/$(basename "$b")" "$here/$b.rs" 2>/dev/null
done
pin=(); [ -n "${SERVER_PIN-0}" ] && pin=(taskset -c "${SERVER_PIN-0}")
fp=${FLOOR_PORT:-19700} np=${NGINX_PORT:-19701}
"${pin[@]}" "$T/limit" "127.0.0.1:$fp" --200 2>/dev/null & started+=($!)
refs="floor,${started[0]},0,$fp"
if [ "${WITH_NGINX:-0}" = 1 ]; then
  cat >"$T/nginx.conf" <<N
worker_processes 1; daemon off; pid $T/nginx.pid; error_log $T/nginx.err crit;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s; client_body_temp_path $T;
  proxy_temp_path $T; fastcgi_temp_path $T; uwsgi_temp_path $T; scgi_temp_path $T;
  server { listen 127.0.0.1:$np backlog=4096; location / { return 200 "ok"; } } }
N
  "${pin[@]}" nginx -c "$T/nginx.conf" -p "$T" & m=$!; started+=("$m")
  for _ in $(seq 50); do w=$(pgrep -P "$m" | head -1) && [ -n "$w" ] && break; sleep 0.1; done
  refs="$refs nginx,$w,0,$np"
fi
specs=()
for s in "$@"; do
  IFS=, read -r name what rest data <<<"$s"
  if ! [[ $what =~ ^[0-9]+$ ]]; then
    # shellcheck disable=SC2086
    "${pin[@]}" $what >"$T/$name.log" 2>&1 & started+=($!); what=$!
    wp=$rest; [ "$wp" = 0 ] && wp=$data
    for _ in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$wp") 2>/dev/null && break; sleep 0.1; done
  fi
  specs+=("$name,$what,$rest,$data")
done
python3 - "$T/push" "$refs" "${specs[@]}" <<'P'
import json, os, subprocess, sys, threading, time, statistics as st, urllib.request, urllib.error, glob
E = os.environ.get
push, refs, specs = sys.argv[1], sys.argv[2].split(), sys.argv[3:]
SCEN = E("SCEN", "a b c dshared down").split()
LOADS = [(int(x.split("@")[0]), int((x.split("@") + ["0"])[1])) for x in E("LOADS", "1 64 256 64@1000 64@5000").split()]
ROUNDS, SECS, BODY = int(E("ROUNDS", "3")), min(60.0, float(E("SECS", "4"))), E("BODY", "225")
CSECS = min(60.0, float(E("CSECS", "20")))
STREAM, DPATH = E("STREAM", "demo"), E("DPATH", "/api/data")
CPIN = E("CLIENT_PIN", "1")

class Srv:
    def __init__(s, spec):
        s.name, pid, rest, data = spec.split(",")
        s.pid, s.rest, s.data = int(pid), int(rest), int(data)
def call(sv, method, path, body=None):
    r = urllib.request.Request(f"http://127.0.0.1:{sv.rest}{path}", method=method,
        data=json.dumps(body).encode() if body is not None else None, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(r, timeout=10) as f: return f.status, f.read().decode()
    except urllib.error.HTTPError as e: return e.code, e.read().decode()
F = "SELECT id, temperature, humidity FROM {s} WHERE temperature > 50"
SQL = {"a": "SELECT * FROM {s}", "b": F, "dshared": F, "down": F,
       "c": "SELECT device, avg(temperature) AS t FROM {s} GROUP BY device, TUMBLINGWINDOW(ss, 10)"}
def rules(sc): return 10 if sc.startswith("d") else 1
def clean(sv):
    for i in range(10): call(sv, "DELETE", f"/rules/cmp_{i}")
    call(sv, "DELETE", f"/streams/{STREAM}")
def setup(sv, sc):
    clean(sv); time.sleep(0.3)
    sh = ', SHARED="true"' if sc == "dshared" else ""
    c, t = call(sv, "POST", "/streams", {"sql": f'CREATE STREAM {STREAM} () WITH (DATASOURCE="{DPATH}", TYPE="httppush", FORMAT="json"{sh})'})
    if c not in (200, 201): sys.exit(f"{sv.name}: stream refused: {c} {t}")
    for i in range(rules(sc)):
        c, t = call(sv, "POST", "/rules", {"id": f"cmp_{i}", "sql": SQL[sc].format(s=STREAM), "actions": [{"nop": {"log": False}}]})
        if c not in (200, 201): sys.exit(f"{sv.name}: rule refused: {c} {t}")
    for _ in range(100): # the endpoint is there once the rule runs
        s = urllib.request.Request(f"http://127.0.0.1:{sv.data}{DPATH}", method="POST", data=b'{"id":0,"temperature":0}')
        try:
            with urllib.request.urlopen(s, timeout=2): break
        except OSError: time.sleep(0.1)
    time.sleep(0.3)
def counters(sv, sc):
    """reached, rule, sink, exceptions: added up over the rules."""
    t = dict(reached=0, rule=0, sink=0, exc=0)
    for i in range(rules(sc)):
        c, b = call(sv, "GET", f"/rules/cmp_{i}/status")
        d = json.loads(b)
        num = lambda end, start: [(k, v) for k, v in d.items() if k.startswith(start) and k.endswith(end) and isinstance(v, (int, float))]
        src = sum(v for _, v in num("_records_in_total", "source_"))
        ops = num("_records_in_total", "op_")
        win = [v for k, v in ops if "window" in k]
        own = [v for k, v in ops if "decode" not in k] # operators behind the decoder: this rule's own
        t["reached"] += src
        t["rule"] += win[0] if win and sc == "c" else max(own, default=src)
        t["sink"] += sum(v for _, v in num("_records_in_total", "sink_"))
        t["exc"] += sum(v for _, v in num("_exceptions_total", ""))
    return t
def settled(sv, sc):
    old = None
    for _ in range(40):
        n = counters(sv, sc)
        if n == old: return n
        old = n; time.sleep(0.4)
    return old
def cpu(pid):
    t = 0
    for f in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        try: t += int(open(f).read().split()[0])
        except OSError: pass
    return t
def mem(pid, full=False):
    v = {}
    for f in ("status", "smaps_rollup") if full else ("status",):
        for ln in open(f"/proc/{pid}/{f}"):
            k = ln.split(":")[0]
            if k in ("VmRSS", "RssAnon", "Pss", "Private_Dirty", "Threads"): v[k] = int(ln.split()[1])
    return v
def drive(port, conns, rate, secs):
    c = (["taskset", "-c", CPIN] if CPIN else []) + [push, f"127.0.0.1:{port}", DPATH, "--conns", str(conns),
        "--secs", str(secs), "--body", BODY] + (["--rate", str(rate)] if rate else [])
    o = subprocess.run(c, capture_output=True, text=True, timeout=secs + 30).stdout
    return {k: float(v) for k, v in (x.split("=") for x in o.split()[1:])}
def measure(sv, sc, conns, rate):
    isref, secs = sv.rest == 0, CSECS if sc == "c" else SECS
    n0 = None if isref else settled(sv, sc)
    m0, peak, stop = mem(sv.pid, True), [0, 0], threading.Event()
    def watch():
        while not stop.wait(0.15):
            m = mem(sv.pid); peak[0] = max(peak[0], m["RssAnon"]); peak[1] = max(peak[1], m["VmRSS"])
    th = threading.Thread(target=watch)
    c0 = cpu(sv.pid); th.start()
    d = drive(sv.data, conns, rate, secs)
    time.sleep(0.3); c1 = cpu(sv.pid)
    stop.set(); th.join()
    d["cpu_us"] = (c1 - c0) / 1e3 / max(1.0, d["accepted"])
    if not isref:
        n1 = settled(sv, sc)
        d.update({k: n1[k] - n0[k] for k in n1})
        R = rules(sc)
        d["due"] = {"a": d["accepted"], "c": d["accepted"]}.get(sc, d["match"]) * R
        d["lost"] = d["accepted"] - d["rule"] if sc == "c" else d["due"] - d["sink"]
        d["row_us"] = d["cpu_us"] * d["accepted"] / max(1, d["rule"])
    m1 = mem(sv.pid, True)
    d.update(anon0=m0["RssAnon"], anonpeak=max(peak[0], m1["RssAnon"]), anon1=m1["RssAnon"], rss0=m0["VmRSS"],
             rsspeak=max(peak[1], m1["VmRSS"]), rss1=m1["VmRSS"], pss0=m0["Pss"], pss1=m1["Pss"], threads=m1["Threads"])
    return d
ALL = [Srv(x) for x in refs + specs]
R, S = [x for x in ALL if not x.rest], [x for x in ALL if x.rest]
first = Srv(specs[0]).name
out = []
hdr = (f"{'load':>8} {'server':10} {'cpu_us':>7} {'xfloor':>6} {'xA':>5} {'row_us':>7} {'rps':>7} {'anon KiB before/peak/after':>26} {'pss':>6} "
       f"{'accepted':>9} {'refused':>7} {'reached':>9} {'rule':>9} {'sink':>9} {'due':>9} {'lost':>9} {'lost%':>6} p99us")
try:
    for sc in SCEN:
        print(f"\n== {sc}: {rules(sc)} x {SQL[sc].format(s=STREAM)}   (medians of {ROUNDS} rounds, {CSECS if sc == 'c' else SECS:g} s, body {BODY})"); print(hdr, flush=True)
        for sv in S: setup(sv, sc)
        for conns, rate in LOADS:
            runs = {}
            for r in range(ROUNDS):
                for sv in R + S: runs.setdefault(sv.name, []).append(measure(sv, sc, conns, rate))
            fl, A = runs["floor"], runs[first]
            for sv in R + S:
                ds = runs[sv.name]
                md = {k: st.median(d[k] for d in ds) for k in ds[0]}
                md["xfloor"] = st.median(d["cpu_us"] / f["cpu_us"] for d, f in zip(ds, fl))
                md["xA"] = st.median(a["cpu_us"] / d["cpu_us"] for d, a in zip(ds, A))
                out.append(dict(scenario=sc, conns=conns, rate=rate, server=sv.name, median=md, runs=ds))
                g = lambda k: f"{md[k]:.0f}" if k in md else "-"
                # sums over the rounds for what has to be exact
                tot = {k: sum(d[k] for d in ds) for k in ("accepted", "reached", "rule", "sink", "due", "lost") if k in ds[0]}
                ref = sum(d["s4xx"] + d["s5xx"] + d["open"] + d["other"] for d in ds)
                t = lambda k: f"{tot[k]:.0f}" if k in tot else "-"
                den = tot.get("due", 0)
                print(f"{str(conns) + ('@' + str(rate) if rate else ''):>8} {sv.name[:10]:10} {md['cpu_us']:7.2f} {md['xfloor']:6.2f} {md['xA']:5.2f} {format(md['row_us'], '.2f') if 'row_us' in md else '-':>7} {g('rps'):>7} "
                      f"{g('anon0') + '/' + g('anonpeak') + '/' + g('anon1'):>26} {g('pss1'):>6} {t('accepted'):>9} {ref:7.0f} {t('reached'):>9} {t('rule'):>9} {t('sink'):>9} {t('due'):>9} "
                      f"{t('lost'):>9} {(100 * tot['lost'] / den if den else 0):6.2f} {g('p99us')}", flush=True)
finally:
    for sv in S: clean(sv)
    if E("JSON"): json.dump(out, open(E("JSON"), "w"), indent=1)
P
