"""A client that asks at a steady rate until its input ends: `steady.py JSON`, with
{"to": [address, port], "target": "/...", "rate": per second, "fresh": whether each request has a connection of its own,
 "limitMs": for one request, "slots": whether requests that are late are left out (else they follow at once)}.

Prints `ready` after the first request. At the end a line of JSON: how often each outcome was seen (a status, the name of an
error, or `closed`), when outcomes changed ([seconds since the epoch, outcome, how many]), and the milliseconds that
requests took which got a status: median, 99th of a hundred, longest.
"""
import errno, json, select, socket, sys, time

job = json.loads(sys.argv[1])
REQUEST = (f"GET {job['target']} HTTP/1.1\r\nHost: {job['to'][0]}\r\nMetadata: true\r\n\r\n").encode()
LIMIT_S = job.get("limitMs", 5000) / 1000


class Client:
    def __init__(self):
        self.sock = None

    def ask(self):
        try:
            if self.sock is None:
                self.sock = socket.socket()
                self.sock.settimeout(LIMIT_S)
                self.sock.connect(tuple(job["to"]))
            self.sock.sendall(REQUEST)
            outcome, stays = self.answer()
        except TimeoutError:
            outcome, stays = "ETIMEDOUT", False
        except OSError as error:
            outcome, stays = errno.errorcode[error.errno], False
        if not stays or job["fresh"]:
            self.sock.close()
            self.sock = None
        return outcome

    def answer(self):
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.sock.recv(65536)
            if not more:
                return "closed", False
            data += more
        head, body = data.lower().split(b"\r\n\r\n", 1)
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        left = int(fields.get(b"content-length", 0)) - len(body)
        while left > 0:
            more = self.sock.recv(left)
            if not more:
                return "closed", False
            left -= len(more)
        return head.split(b" ")[1].decode(), fields.get(b"connection") != b"close"


client = Client()
counts, changes, times = {}, [], []
period = 1 / job["rate"]
due = time.monotonic()
asked = 0
while not select.select([sys.stdin], [], [], max(0, due - time.monotonic()))[0]:
    now = time.monotonic()
    due = max(due + period, now) if job.get("slots", True) else due + period
    started = time.time()
    outcome = client.ask()
    if outcome.isdigit():
        times.append((time.monotonic() - now) * 1000)
    counts[outcome] = counts.get(outcome, 0) + 1
    if not changes or changes[-1][1] != outcome:
        changes.append([started, outcome, 0])
    changes[-1][2] += 1
    asked += 1
    if asked == 1:
        print("ready", flush=True)
times.sort()
print(json.dumps({
    "counts": counts,
    "changes": changes,
    "p50Ms": times[len(times) // 2] if times else None,
    "p99Ms": times[len(times) * 99 // 100] if times else None,
    "maxMs": times[-1] if times else None,
}))
