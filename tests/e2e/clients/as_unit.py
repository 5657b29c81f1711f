"""Runs a command as systemd would under a unit: `as_unit.py UNIT CALLS WRITABLE... -- COMMAND...`.

What the unit says of the file system, capabilities, system calls and masks is applied; the folders WRITABLE stand
for the service's own. CALLS has the numbers of the calls in systemd's groups, for x86_64 and aarch64. A directive that is
neither applied nor known to be of no effect here is an error, so that the unit cannot outgrow this.
"""
import ctypes, json, os, platform, struct, sys

CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split()
NUMBERS = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
ERRORS = {"EPERM": 1}
MOUNT_SETATTR = 442
RDONLY, RECURSIVE, PRIVATE, BIND, REC = 1, 0x8000, 0x40000, 0x1000, 0x4000
# Of the manager, of the network (applied by the test), or of what a sandbox of tests has not got.
ELSEWHERE = """Type NotifyAccess ExecStart ExecReload Restart RestartSec TimeoutStartSec TimeoutStopSec WatchdogSec
LogsDirectory LogsDirectoryMode StateDirectory StateDirectoryMode RuntimeDirectory RuntimeDirectoryMode TasksMax
ProtectHostname ProtectClock RestrictSUIDSGID RestrictNamespaces LockPersonality DevicePolicy DeviceAllow IPAddressDeny
IPAddressAllow SystemCallArchitectures LimitNOFILE LimitMEMLOCK""".split()
libc = ctypes.CDLL(None, use_errno=True)


def must(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), what)


def mount(source, target, flags):
    must(libc.mount(source.encode(), target.encode(), None, flags, None), target)


def mark(path, set_flags, clear_flags):
    attributes = struct.pack("QQQQ", set_flags, clear_flags, 0, 0)
    must(libc.syscall(MOUNT_SETATTR, -100, path.encode(), RECURSIVE, attributes, len(attributes)), path)


def protect(directives, writable):
    must(libc.unshare(0x20000), "unshare")
    mount("none", "/", PRIVATE | REC)
    for path in writable:
        mount(path, path, BIND | REC)
    assert directives.pop("ProtectSystem") == ["strict"]
    mark("/", RDONLY, 0)
    for path in ["/dev", "/proc", "/sys", *writable]:
        mark(path, 0, RDONLY)
    # The same for homes, which are part of it.
    assert directives.pop("ProtectHome") == ["read-only"]


def bound(directives):
    kept = " ".join(directives.pop("CapabilityBoundingSet", [])).replace("CAP_", "").split()
    assert kept and set(kept) <= set(CAPABILITIES), kept
    for number, name in enumerate(CAPABILITIES):
        if name not in kept:
            must(libc.prctl(24, number, 0, 0, 0), name)


def filter_calls(directives, calls):
    refused = directives.pop("SystemCallFilter")
    error = ERRORS[directives.pop("SystemCallErrorNumber")[0]]
    architecture, column = NUMBERS[platform.machine()]
    program = [(0x20, 0, 0, 4), (0x15, 1, 0, architecture), (6, 0, 0, 0x7FFF0000), (0x20, 0, 0, 0)]
    for group in " ".join(refused).replace("~", "").split():
        for numbers in calls[group].values():
            if numbers[column] is not None:
                program += [(0x15, 0, 1, numbers[column]), (6, 0, 0, 0x50000 | error)]
    program.append((6, 0, 0, 0x7FFF0000))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]

    program = Program(len(program), ctypes.cast(code, ctypes.c_void_p))
    must(libc.prctl(22, 2, ctypes.byref(program), 0, 0), "seccomp")


unit, calls, *rest = sys.argv[1:]
writable, command = rest[: rest.index("--")], rest[rest.index("--") + 1 :]
directives, section = {}, ""
for line in open(unit):
    line = line.strip()
    if line.startswith("["):
        section = line
    elif line and line[0] != "#" and section == "[Service]":
        name, value = line.split("=", 1)
        directives.setdefault(name, []).append(value)
for name in ELSEWHERE:
    directives.pop(name, None)
calls = json.load(open(calls))

protect(directives, writable)
bound(directives)
os.umask(int(directives.pop("UMask")[0], 8))
assert directives.pop("NoNewPrivileges") == ["yes"]
must(libc.prctl(38, 1, 0, 0, 0), "NoNewPrivileges")
filter_calls(directives, calls)
assert not directives, f"not applied: {directives}"
os.execvp(command[0], command)
