"""Many users at once: `crowd.py USERS PROCESSES CONNECTIONS` (processes of each user, connections of each process).

All connections are opened and asked through at once; each asks IMDS for a token, naming in the query what it knows of
itself, and stays open until all are answered. Prints how long that took and a line for each connection:
uid gid pid address port status milliseconds.
"""
import errno, os, resource, selectors, socket, sys, time

IMDS = ("169.254.169.254", 80)
FIRST_UID = 20001
LIMIT_S = 60


class Connection:
    def __init__(self):
        self.started = time.monotonic()
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.data = b""
        self.status = None
        self.ms = 0
        self.local = ("-", 0)
        self.asked = False
        code = self.sock.connect_ex(IMDS)
        if code not in (0, errno.EINPROGRESS):
            self.end(errno.errorcode[code])

    def end(self, status):
        self.status = status
        self.ms = (time.monotonic() - self.started) * 1000

    def writable(self):
        code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            return self.end(errno.errorcode[code])
        self.local = self.sock.getsockname()
        who = f"{os.getuid()}.{os.getgid()}.{os.getpid()}.{self.local[0]}.{self.local[1]}"
        self.sock.send(
            f"GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=r&who={who} HTTP/1.1\r\n"
            "Host: 169.254.169.254\r\nMetadata: true\r\n\r\n".encode())
        self.asked = True

    def readable(self):
        try:
            more = self.sock.recv(65536)
        except OSError as error:
            return self.end(errno.errorcode[error.errno])
        self.data += more
        if not more:
            return self.end("closed")
        if b"\r\n\r\n" not in self.data:
            return
        head, body = self.data.split(b"\r\n\r\n", 1)
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if len(body) >= int(fields[b"content-length"]):
            self.end(head.split(b" ")[1].decode())


def play(connections, begin, report, finish):
    os.read(begin, 1)
    selector = selectors.DefaultSelector()
    all_of_them = [Connection() for _ in range(connections)]
    waiting = {each for each in all_of_them if each.status is None}
    for each in waiting:
        selector.register(each.sock, selectors.EVENT_WRITE, each)
    until = time.monotonic() + LIMIT_S
    while waiting and time.monotonic() < until:
        for key, _ in selector.select(1):
            each = key.data
            if not each.asked:
                each.writable()
                if each.status is None:
                    selector.modify(each.sock, selectors.EVENT_READ, each)
            else:
                each.readable()
            if each.status is not None:
                selector.unregister(each.sock)
                waiting.discard(each)
    who = f"{os.getuid()} {os.getgid()} {os.getpid()}"
    text = "".join(f"{who} {each.local[0]} {each.local[1]} {each.status or 'unanswered'} {each.ms:.1f}\n"
                   for each in all_of_them)
    with os.fdopen(report, "w") as out:
        out.write(text)
    # Nobody closes before everybody is through.
    os.read(finish, 1)


def main(users, processes, connections):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    begin, begin_end = os.pipe()
    finish, finish_end = os.pipe()
    reports = []
    for user in range(users):
        for _ in range(processes):
            report, report_end = os.pipe()
            if os.fork() == 0:
                os.close(begin_end)
                os.close(finish_end)
                for other in reports:
                    os.close(other)
                os.setgroups([])
                uid = FIRST_UID + user
                os.setresgid(uid + 5000, uid + 5000, uid + 5000)
                os.setresuid(uid, uid, uid)
                try:
                    play(connections, begin, report_end, finish)
                finally:
                    os._exit(0)
            os.close(report_end)
            reports.append(report)
    time.sleep(0.5)
    started = time.monotonic()
    os.close(begin_end)
    lines = [os.fdopen(report).read() for report in reports]
    took = (time.monotonic() - started) * 1000
    os.close(finish_end)
    for _ in reports:
        os.wait()
    print(f"{took:.0f}")
    print("".join(lines), end="")


main(*map(int, sys.argv[1:]))
