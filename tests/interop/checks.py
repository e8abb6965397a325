"""Runs all checks, or those of the groups whose names contain one of the words given; prints a line for each."""

import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hardening  # noqa: F401  its groups register themselves
import servers
import spying
from harness import BIN, GROUPS, HERE, PLACET, Checks, placet
from wire import Wire

ROUNDS = 300


def latency(label, command, levels, name, arguments, env):
    """How long one read takes, directly and through the boundary; measured, not judged.

    `arguments` makes those of each round: the same call with the same answer over and over is stopped as a loop."""

    def measured(command):
        with Wire(command, env) as wire:
            wire.initialize()
            wire.tools()
            took = []
            for round in range(ROUNDS + 30):
                begun = time.perf_counter()
                result = wire.call(name, arguments(round))
                took.append(time.perf_counter() - begun)
                assert "isError" not in result or result["isError"] is False, result
            wire.close()
        # The first calls warm up whatever there is to warm up.
        took = sorted(took[30:])
        return statistics.median(took) * 1e3, took[int(len(took) * 0.95)] * 1e3

    with tempfile.TemporaryDirectory() as state:
        lines = [
            ("directly", command),
            ("through", placet(levels, command)),
            ("through, with a state folder", placet(levels, command, state)),
        ]
        base = None
        for way, line in lines:
            median, high = measured(line)
            base = median if base is None else base
            added = "" if line is command else f", {median - base:+.3f} ms"
            print(f"     {label}, {way}: median {median:.3f} ms, 95 % {high:.3f} ms{added}", flush=True)


def main():
    words = sys.argv[1:]
    spying.place_of(HERE)
    chosen = [name for name in GROUPS if not words or any(word in name for word in words)]
    if not chosen:
        print(f"no group's name contains {' or '.join(words)}", file=sys.stderr)
        return 2
    passed = failed = 0
    jobs = int(os.environ.get("PLACET_INTEROP_JOBS", os.cpu_count() or 1))
    with ThreadPoolExecutor(jobs) as pool:
        running = [(name, pool.submit(Checks(name).run)) for name in chosen]
        for name, results in running:
            for what, problem in results.result():
                if problem is None:
                    passed += 1
                    print(f"ok   {name}: {what}", flush=True)
                else:
                    failed += 1
                    print(f"FAIL {name}: {what}\n     {problem}", flush=True)
    if not words:
        print(f"\nadded latency, {ROUNDS} calls one after the other, {Path(PLACET).name}:")
        with tempfile.TemporaryDirectory() as scratch:
            env = {"PATH": os.environ["PATH"], "HOME": scratch}
            spy = [sys.executable, "-I", "-S", str(HERE / "spy.py"), "--log", f"{scratch}/log"]
            latency("spy, look", spy, {"read": ["look"]}, "look", lambda round: {"what": f"x{round}"}, env)
            clock = [str(BIN / "mcp-server-time"), "--local-timezone", "Etc/UTC"]

            def arguments(round):
                time = f"12:{round % 60:02}"
                return {"source_timezone": "Etc/UTC", "time": time, "target_timezone": "Asia/Tokyo"}

            latency("time, convert_time", clock, {"read": ["convert_time"]}, "convert_time", arguments, env)
    print(f"\n{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
