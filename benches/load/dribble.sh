#!/usr/bin/env bash
# What an honest client waits while others dribble: dribble.sh HOST:PORT
# Environment: DRIVE=./drive REQPATH=/ingest/a RATE=500 CONNS=16 SECS=4 ROUNDS=4
#   DRIBBLERS=200  GAP=0.5 (seconds between two octets of one of them)
#   PIN=CPU (driver and dribblers; the server belongs on another)  BODY=200
# Open loop, so that a stalled server cannot hide the stall. Quiet and attack take turns. Prints each round, then the medians and
# their ratio; not2xx must be 0.
set -euo pipefail
addr=${1:?HOST:PORT} here=$(dirname "$0")
drive=${DRIVE:-./drive} path=${REQPATH:-/ingest/a} secs=${SECS:-4}
pin=(); [ -n "${PIN:-}" ] && pin=(taskset -c "$PIN")
tmp=$(mktemp); trap 'rm -f "$tmp"' EXIT
honest() {
  echo "$1 $("${pin[@]}" "$drive" "$addr" "$path" --rate "${RATE:-500}" --conns "${CONNS:-16}" --secs "$secs" --body "${BODY:-200}")" | tee -a "$tmp"
}
for ((r = 0; r < ${ROUNDS:-4}; r++)); do
  honest quiet
  "${pin[@]}" python3 "$here/dribble.py" "$addr" "${DRIBBLERS:-200}" "$((secs + 2))" --gap "${GAP:-0.5}" --path "$path" &
  sleep 1
  honest attack
  wait $!
done
python3 - "$tmp" <<'P'
import sys, statistics as st
p99, bad = {"quiet": [], "attack": []}, 0
for line in open(sys.argv[1]):
    kind, _, *rest = line.split()
    found = dict(x.split("=") for x in rest)
    p99[kind].append(float(found["p99us"]))
    bad += sum(int(found[k]) for k in ("s4xx", "s5xx", "other", "errs"))
quiet, attack = st.median(p99["quiet"]), st.median(p99["attack"])
print(f"p99: quiet {quiet:.0f} us, attack {attack:.0f} us, ratio {attack / quiet:.2f}; not2xx {bad}")
P
