"""Holds silent connections: `hold.py ADDRESS PORT`; each line of input opens (+n) or closes (-n) so many.

Answers each line with one of JSON: how many are held now, how many have been ended by the other side, and how often which
error was met while opening.
"""
import errno, json, resource, select, socket, sys

to = (sys.argv[1], int(sys.argv[2]))
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
held = []


def ended():
    poller = select.poll()
    for each in held:
        poller.register(each, select.POLLIN)
    return len(poller.poll(0))


for line in sys.stdin:
    count, errors = int(line), {}
    for _ in range(-count):
        held.pop().close()
    for _ in range(count):
        made = socket.socket()
        try:
            made.settimeout(10)
            made.connect(to)
            held.append(made)
        except OSError as error:
            name = "ETIMEDOUT" if isinstance(error, TimeoutError) else errno.errorcode[error.errno]
            errors[name] = errors.get(name, 0) + 1
            made.close()
    print(json.dumps({"held": len(held), "ended": ended(), "errors": errors}), flush=True)
