#!/usr/bin/env python3
"""Runs the recorded cases against a built pushgate and compares with not-yet.txt.

    python3 tests/data/cases/run.py target/debug/pushgate [--suite sql,rest,cli,sinks] [-v]

Starts the gate on free ports with an empty state folder for each suite, runs the suite's runner, and ends the gate with
SIGTERM. The run fails when a case fails that not-yet.txt does not list, when a listed case passes, when a listed id is in
no suite, when the gate dies, or when SIGTERM does not end in exit code 0. The lines to add or take out are printed.

A failing case that is not listed gets a second try on its own, since a busy machine can spoil one that depends on timing;
what then passes is named.
"""
import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
LOOP = "127.0.0.1"
# suite: runner, case file, further words, the word that picks cases by id
SUITES = {
    "sql": ("run_sql.py", "sql-sample.jsonl", ["--parallel", "6"], "--id"),
    "rest": ("rest_suite.py", "rest-sample.jsonl", [], "--only"),
    "cli": ("cli_suite.py", "cli-sample.jsonl", [], "--only"),
    "sinks": ("sink_suite.py", "sinks-sample.jsonl", ["--parallel", "4"], "--id"),
}
NEEDED = {"sinks": ["mosquitto", "redis-server", "openssl", "zstd"]}


class Gate:
    """One `pushgate run` in a scratch folder; `with` ends it."""

    def __init__(self, binary):
        self.binary, self.dir = binary, tempfile.mkdtemp(prefix="pushgate-cases-")
        self.rest, self.push = free_ports(2)
        self.base, self.data = "http://%s:%d" % (LOOP, self.rest), "http://%s:%d" % (LOOP, self.push)
        self.log = os.path.join(self.dir, "log")

    def __enter__(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PUSHGATE_", "KUIPER_", "HTTPPUSH_"))}
        env.update(TZ="UTC", PUSHGATE__BASIC__RESTPORT=str(self.rest), PUSHGATE__SOURCE__HTTPSERVERPORT=str(self.push))
        with open(self.log, "wb") as log:
            self.proc = subprocess.Popen([self.binary, "run", "--state", os.path.join(self.dir, "state")], env=env, cwd=self.dir,
                                         stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        end = time.monotonic() + 10
        while time.monotonic() < end and self.proc.poll() is None:
            try:
                urllib.request.urlopen(self.base + "/ping", timeout=2).close()
                return self
            except OSError:
                time.sleep(0.05)
        self.__exit__()
        sys.exit("pushgate did not answer /ping within 10 s")

    def __exit__(self, *_):
        code = self.proc.poll()
        self.fault = "" if code is None else "the gate ended by itself with %d" % code
        if code is None:
            self.proc.send_signal(signal.SIGTERM)
            try:
                code = self.proc.wait(20)
                self.fault = "" if code == 0 else "SIGTERM: exit code %d" % code
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.fault = "SIGTERM: still running after 20 s"
        if self.fault:
            with open(self.log, errors="replace") as f:
                sys.stderr.write("".join(f.readlines()[-40:]))
        shutil.rmtree(self.dir, ignore_errors=True)


def free_ports(n):
    """Ports that were free a moment ago, all different."""
    held = [socket.socket() for _ in range(n)]
    for s in held:
        s.bind((LOOP, 0))
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def run_suite(name, gate, ids, out):
    """Runs the runner against the gate and gives its results by id."""
    runner, cases, words, pick = SUITES[name]
    cmd = [sys.executable, os.path.join(HERE, runner), "--cases", os.path.join(HERE, cases), "--base", gate.base,
           "--push", gate.data, "--json", out] + words
    if name == "cli":
        cmd += ["--bin", "%s --url %s" % (gate.binary, gate.base)]
    if name == "sinks":
        cmd += ["--log-file", gate.log]
    if ids:
        cmd += [pick, ",".join(ids)]
    if os.path.exists(out):
        os.remove(out)
    try:
        proc = subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    except subprocess.TimeoutExpired:
        sys.exit("%s: the runner was not done after 600 s" % name)
    if not os.path.exists(out):
        sys.exit("%s: the runner ended with %d\n%s" % (name, proc.returncode, proc.stdout[-3000:]))
    with open(out, encoding="utf-8") as f:
        return {r["id"]: r for r in json.load(f)["results"]}


def not_yet():
    """Lines `suite id issue` of not-yet.txt as {(suite, id): issue}."""
    listed = {}
    with open(os.path.join(HERE, "not-yet.txt"), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            if len(words) != 3 or words[0] not in SUITES or (words[0], words[1]) in listed:
                sys.exit("not-yet.txt:%d: expected `suite id issue`, each case once: %s" % (number, line.strip()))
            listed[words[0], words[1]] = words[2]
    return listed


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("binary")
    ap.add_argument("--suite", default=",".join(SUITES), help="comma list")
    ap.add_argument("-v", "--verbose", action="store_true", help="also the reasons of listed cases")
    a = ap.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("SIGTERM"))  # so that the gate is ended too
    binary, suites, listed = os.path.abspath(a.binary), a.suite.split(","), not_yet()
    faults = []
    for name in suites:
        for tool in NEEDED.get(name, []):
            if not (shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/sbin")):
                sys.exit("%s: %s: not found" % (name, tool))
    scratch = tempfile.mkdtemp(prefix="pushgate-cases-")
    out = os.path.join(scratch, "results.json")
    for name in suites:
        start = time.monotonic()
        with Gate(binary) as gate:
            results = run_suite(name, gate, [], out)
            again = [i for i, r in results.items() if not r["ok"] and (name, i) not in listed]
            if again and len(again) <= 12:
                second = run_suite(name, gate, again, out)
                results.update(second)
                for i in again:
                    if second[i]["ok"]:
                        print("%s %s: passed at the second try only" % (name, i))
        if gate.fault:
            faults.append("%s: %s" % (name, gate.fault))
        for i, r in results.items():
            why = (r.get("why") or r.get("reason") or "")[:400]
            if not r["ok"] and (name, i) not in listed:
                faults.append("%s %s fails: %s" % (name, i, why))
            elif r["ok"] and (name, i) in listed:
                faults.append("%s %s passes: take it out of not-yet.txt" % (name, i))
            elif not r["ok"] and a.verbose:
                print("%s %s: not yet: %s" % (name, i, why))
        faults += ["not-yet.txt lists %s %s, which is no case" % key for key in listed if key[0] == name and key[1] not in results]
        passed = sum(bool(r["ok"]) for r in results.values())
        expected = len(results) - sum(key[0] == name for key in listed)
        print("%-6s %3d of %3d cases pass, %3d expected (%.0f s)" % (name, passed, len(results), expected, time.monotonic() - start), flush=True)
    shutil.rmtree(scratch, ignore_errors=True)
    for fault in faults:
        print("FAIL " + fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
