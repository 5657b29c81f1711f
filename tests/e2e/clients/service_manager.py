"""Plays the service manager: `service_manager.py FOLDER WATCHDOG_USEC COMMAND...`.

The command gets a notification socket, a watchdog and an output that is "the journal". A line on the standard input sends
it SIGTERM. Prints `ready` when it is, and at the end one line of JSON: its notifications, its exit code, its output.
"""
import json, os, signal, socket, subprocess, sys, threading

folder, watchdog, *command = sys.argv[1:]
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(f"{folder}/notify")
notify.settimeout(30)
ours, journal = socket.socketpair()
about = os.fstat(journal.fileno())

child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=journal, stderr=journal, env={
    **os.environ,
    "NOTIFY_SOCKET": f"{folder}/notify",
    "WATCHDOG_USEC": watchdog,
    "JOURNAL_STREAM": f"{about.st_dev}:{about.st_ino}",
})
journal.close()
messages = []


def listen():
    while True:
        try:
            message = notify.recv(4096).decode()
        except OSError:
            return
        messages.append(message)
        if message == "READY=1":
            print("ready", flush=True)


threading.Thread(target=listen, daemon=True).start()
output = []


def read():
    while piece := ours.recv(65536):
        output.append(piece)


reading = threading.Thread(target=read, daemon=True)
reading.start()
sys.stdin.readline()
child.send_signal(signal.SIGTERM)
code = child.wait(30)
reading.join(5)
lines = b"".join(output).decode().splitlines()
print(json.dumps({"messages": messages, "exit": code, "lines": lines}), flush=True)
