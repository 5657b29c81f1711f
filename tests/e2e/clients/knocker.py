"""Asks one endpoint at a steady rate until it is sent a line, then says what came of it as one line of JSON.

knocker.py ADDRESS TARGET RATE keep-alive|fresh
"""
import http.client
import json
import sys
import threading
import time

address, target, rate, mode = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), ended.set()), daemon=True).start()

statuses: dict[str, int] = {}
slowest_failure_ms = 0.0
longest_outage_ms = 0.0
out_since = None
connection = None
due = time.monotonic()
print("ready", flush=True)
while not ended.is_set():
    due += 1 / rate
    started = time.monotonic()
    try:
        if connection is None:
            connection = http.client.HTTPConnection(address, timeout=10)
        connection.request("GET", target, headers={"Metadata": "true"})
        answer = connection.getresponse()
        answer.read()
        outcome = str(answer.status)
        if mode == "fresh" or answer.will_close:
            connection.close()
            connection = None
    except (OSError, http.client.HTTPException) as error:
        outcome = type(error).__name__
        slowest_failure_ms = max(slowest_failure_ms, (time.monotonic() - started) * 1000)
        connection.close()
        connection = None
    statuses[outcome] = statuses.get(outcome, 0) + 1
    now = time.monotonic()
    if outcome == "200":
        if out_since is not None:
            longest_outage_ms = max(longest_outage_ms, (now - out_since) * 1000)
        out_since = None
    elif out_since is None:
        out_since = started
    if due < now - 0.1:
        due = now  # what was missed while nothing could be served is not made up for
    time.sleep(max(0.0, due - now))

print(json.dumps({
    "statuses": statuses,
    "slowestFailureMs": round(slowest_failure_ms, 1),
    "longestOutageMs": round(longest_outage_ms, 1),
}), flush=True)
