#!/usr/bin/env bash
# cross/smoke.sh BINARY        the way of one reading through the real program, on whatever CPU BINARY is for
#
# Starts the gate (under qemu-user when BINARY is not for this CPU), makes a stream and a rule with curl, pushes over
# HTTP, finds the row in a file sink, ends it with SIGTERM; then once more from the same state folder, over HTTPS.
# Needs curl and openssl, and for another CPU qemu-aarch64-static or qemu-arm-static with that libc below /usr.
# SMOKE_UNDER: words to start a native BINARY with, such as `strace -D -f -o FILE`; they must leave it its process id.
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,7p' "$0" >&2; exit 64; }
binary=$(readlink -f "$1")
scratch=$(mktemp -d)
gate=
finish() {
  status=$?
  [ -z "$gate" ] || kill -KILL "$gate" 2> /dev/null || true
  if [ $status -ne 0 ]; then
    for log in "$scratch"/log.*; do [ ! -e "$log" ] || sed "s|^|${log##*/}: |" "$log" >&2; done
  fi
  rm -rf "$scratch"
}
trap finish EXIT
fail() { echo "cross/smoke.sh: $*" >&2; exit 1; }

case $(od -An -tu2 -j18 -N2 "$binary" | tr -d ' '):$(uname -m) in # e_machine of the ELF head
  62:x86_64 | 183:aarch64) read -r -a run <<< "${SMOKE_UNDER:-}" ;;
  183:*) run=(qemu-aarch64-static -L /usr/aarch64-linux-gnu) ;;
  40:*) run=(qemu-arm-static -L /usr/arm-linux-gnueabihf) ;;
  *) fail "$binary: a program for no CPU that is known here" ;;
esac

# Starts the gate with log file $1 and further words, on free ports, and waits until management answers.
start() {
  local log=$scratch/$1
  shift
  env TZ=UTC PUSHGATE__BASIC__RESTPORT=0 PUSHGATE__SOURCE__HTTPSERVERPORT=0 \
    "${run[@]}" "$binary" run --state "$scratch/state" "$@" > "$log" 2>&1 < /dev/null &
  gate=$!
  management=$(listener management "$log")
}
# The address in the line `listen KIND ADDR`.
listener() {
  local kind=$1 log=$2 at
  for _ in $(seq 150); do
    at=$(sed -n "s/.*listen $kind \([0-9.]*:[0-9]*\).*/\1/p" "$log" | tail -1)
    [ -z "$at" ] || { echo "$at"; return; }
    kill -0 "$gate" 2> /dev/null || fail "the gate ended before 'listen $kind'"
    sleep 0.1
  done
  fail "no 'listen $kind' within 15 s"
}
post() { # PATH JSON: to management; prints the answer, wants 2xx
  curl -sS --fail-with-body --max-time 20 -H 'Content-Type: application/json' -d "$2" "http://$management$1" && echo
}
await_row() {
  for _ in $(seq 100); do
    ! grep -qxF "$1" "$scratch/rows.txt" 2> /dev/null || return 0
    sleep 0.1
  done
  fail "no row $1 within 10 s; the file holds: $(cat "$scratch/rows.txt" 2> /dev/null || echo nothing)"
}
stop() {
  kill -TERM "$gate"
  local status=0
  wait "$gate" || status=$?
  gate=
  [ $status -eq 0 ] || fail "SIGTERM: exit code $status"
}

start log.http
post /streams '{"sql":"CREATE STREAM smoke () WITH (DATASOURCE=\"/smoke\", TYPE=\"httppush\", FORMAT=\"json\")"}'
post /rules '{"id":"hot","sql":"SELECT id, temperature FROM smoke WHERE temperature > 50",
  "actions":[{"file":{"path":"'"$scratch"'/rows.txt","fileType":"lines","sendSingle":true}}]}'
data=$(listener data "$scratch/log.http")
port=${data##*:}
push() { # BODY CURL-WORDS...: to the data port, wants 200 ok
  local body=$1 answer
  shift
  answer=$(curl -sS --max-time 20 -w ' %{http_code}' -d "$body" "$@") || fail "push $body: curl ended with $?"
  [ "$answer" = 'ok 200' ] || fail "push $body: answered '$answer'"
}
push '{"id":1,"temperature":12.5}' "http://127.0.0.1:$port/smoke"
push '{"id":2,"temperature":60.5}' "http://127.0.0.1:$port/smoke"
await_row '{"id":2,"temperature":60.5}'
stop

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
  -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout "$scratch/key.pem" -out "$scratch/cert.pem" 2> "$scratch/log.openssl"
cat > "$scratch/pushgate.yaml" <<YAML
source:
  httpServerTls:
    certfile: $scratch/cert.pem
    keyfile: $scratch/key.pem
YAML
start log.https --config "$scratch/pushgate.yaml"
data=$(listener data "$scratch/log.https") # the rule of the first run is back, so the port is open
port=${data##*:}
push '{"id":3,"temperature":70.5}' --cacert "$scratch/cert.pem" "https://localhost:$port/smoke"
await_row '{"id":3,"temperature":70.5}'
stop
[ "$(grep -c . "$scratch/rows.txt")" -eq 2 ] || fail "two rows expected: $(cat "$scratch/rows.txt")"
echo "smoke: HTTP, HTTPS, restart, SIGTERM: ok (${run[0]:-native})"
