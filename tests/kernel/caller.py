"""What the callers in the tests have at hand: facts about their own sockets, and one HTTP request by hand."""
import errno, json, os, socket, struct, sys, threading, time
from socket import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET

SO_COOKIE, SO_NETNS_COOKIE = 57, 71
TCP_FASTOPEN_CONNECT, IP_BIND_ADDRESS_NO_PORT, IPPROTO_MPTCP = 30, 24, 262
IMDS = ("169.254.169.254", 80)
WIRESERVER = ("168.63.129.16", 80)
HOSTGA = ("168.63.129.16", 32526)
LISTENER = ("127.0.0.1", 3080)


def tcp(family=AF_INET, protocol=0):
    made = socket.socket(family, SOCK_STREAM, protocol)
    made.settimeout(10)
    return made


def connected(to=IMDS):
    made = tcp()
    made.connect(to)
    return made


def option64(sock, option):
    return str(struct.unpack("Q", sock.getsockopt(SOL_SOCKET, option, 8))[0])


def start_ticks(pid="self"):
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rsplit(")", 1)[1].split()[19])


def facts(sock):
    """What this process knows of itself and its socket."""
    local, peer = sock.getsockname(), None
    try:
        peer = sock.getpeername()
    except OSError:
        pass
    return {
        "pid": os.getpid(),
        "uid": os.getuid(),
        "gid": os.getgid(),
        "startTicks": start_ticks(),
        "cookie": option64(sock, SO_COOKIE),
        "netns": option64(sock, SO_NETNS_COOKIE),
        "local": {"address": local[0], "port": local[1]},
        "dialled": None if peer is None else {"address": peer[0], "port": peer[1]},
    }


def request(path="/"):
    return f"GET {path} HTTP/1.1\r\nHost: metadata\r\n\r\n".encode()


def answer(sock):
    """The JSON body of the next answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            raise EOFError("no answer")
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    length = [int(line.split(b":")[1]) for line in head.split(b"\r\n")
              if line.lower().startswith(b"content-length:")][0]
    while len(body) < length:
        body += sock.recv(65536)
    return json.loads(body)


def ask(sock, path="/"):
    sock.sendall(request(path))
    return answer(sock)


def say(value):
    print(json.dumps(value), flush=True)


def tell(sock):
    """Prints what is known on both sides."""
    me = facts(sock)
    say({"me": me, "seen": ask(sock)})


def attempt(act):
    """Name of the error with which something fails, `None` when it does not."""
    try:
        act()
        return None
    except TimeoutError:
        return "ETIMEDOUT"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def wait():
    """Until the test says so."""
    if not sys.stdin.readline():
        sys.exit(0)


def reset(sock):
    """Closes with a RST instead of a FIN."""
    sock.setsockopt(SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def become(uid, gid):
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
