"""Speaks bytes: reads a JSON job a line, plays it on a connection of its own, and answers with a line of JSON.

A job: {"to": [address, port], "steps": [...], "limitMs": 10000}. Steps:
  {"send": text}                          bytes 0 to 255 as characters
  {"sendEvery": text, "times": n, "pauseMs": ms}
  {"pauseMs": ms}
  {"fin": true}   {"reset": true}
  {"read": n}                             n whole answers, or all until the end; {"heads": true}: they have no bodies
  {"readAll": true}                       whatever comes until the end
"""
import errno, json, os, socket, struct, sys, time


class Conversation:
    def __init__(self, job):
        self.job = job
        self.data = b""
        self.end = None  # "closed", a name of an error, or None while it is open
        self.answers = []
        self.send_error = None
        self.end_ms = None

    def play(self):
        address, port = self.job["to"]
        self.sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.sock.settimeout(self.job.get("limitMs", 10000) / 1000)
        self.started = time.monotonic()
        try:
            self.sock.connect((address, port))
        except OSError as error:
            return {"connectError": name_of(error)}
        local, peer = self.sock.getsockname(), self.sock.getpeername()
        for step in self.job["steps"]:
            self.step(step)
        self.sock.close()
        return {
            "connectError": None,
            "local": local[:2],
            "peer": peer[:2],
            "pid": os.getpid(),
            "answers": self.answers,
            "rest": self.data.decode("latin-1"),
            "end": self.end,
            "endMs": self.end_ms,
            "sendError": self.send_error,
        }

    def step(self, step):
        if "send" in step:
            self.send(step["send"])
        elif "sendEvery" in step:
            for _ in range(step["times"]):
                self.send(step["sendEvery"])
                time.sleep(step["pauseMs"] / 1000)
        elif "pauseMs" in step:
            time.sleep(step["pauseMs"] / 1000)
        elif "fin" in step:
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError as error:
                self.send_error = self.send_error or name_of(error)
        elif "reset" in step:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.close()
        elif "read" in step:
            for _ in range(step["read"]):
                if not self.answer(step.get("heads", False)):
                    break
        elif "readAll" in step:
            while self.more():
                pass

    def send(self, text):
        if self.send_error is not None:
            return
        try:
            self.sock.sendall(text.encode("latin-1"))
        except OSError as error:
            self.send_error = name_of(error)

    def more(self):
        if self.end is not None:
            return False
        try:
            data = self.sock.recv(1 << 18)
        except OSError as error:
            self.ended(name_of(error))
            return False
        if not data:
            self.ended("closed")
            return False
        self.data += data
        return True

    def ended(self, how):
        self.end = how
        self.end_ms = (time.monotonic() - self.started) * 1000

    def answer(self, headless):
        interim = []
        while True:
            while b"\r\n\r\n" not in self.data:
                if not self.more():
                    return False
            head, rest = self.data.split(b"\r\n\r\n", 1)
            lines = head.decode("latin-1").split("\r\n")
            version, status, *reason = lines[0].split(" ", 2)
            headers = [[part.strip() for part in line.split(":", 1)] for line in lines[1:]]
            self.data = rest
            if status.startswith("1") and status != "101":
                interim.append(int(status))
                continue
            break
        fields = {name.lower(): value for name, value in headers}
        bodiless = headless or status in ("101", "204", "304")
        body = b"" if bodiless else self.body(fields)
        if body is None:
            return False
        self.answers.append({
            "version": version.split("/")[1],
            "status": int(status),
            "reason": "".join(reason),
            "headers": headers,
            "body": body.decode("latin-1"),
            "interim": interim,
        })
        return True

    def body(self, fields):
        if fields.get("transfer-encoding", "") == "chunked":
            whole = b""
            while True:
                while b"\r\n" not in self.data:
                    if not self.more():
                        return None
                size, self.data = self.data.split(b"\r\n", 1)
                size = int(size, 16)
                while len(self.data) < size + 2:
                    if not self.more():
                        return None
                whole += self.data[:size]
                self.data = self.data[size + 2:]
                if size == 0:
                    return whole
        length = fields.get("content-length")
        if length is None:
            while self.more():
                pass
            body, self.data = self.data, b""
            return body
        while len(self.data) < int(length):
            if not self.more():
                return None
        body, self.data = self.data[:int(length)], self.data[int(length):]
        return body


def name_of(error):
    if isinstance(error, TimeoutError):
        return "ETIMEDOUT"
    return errno.errorcode.get(error.errno, str(error))


for line in sys.stdin:
    print(json.dumps(Conversation(json.loads(line)).play()), flush=True)
