"""Recomputes every golden upload below `uploads`, from the description of the format alone.

Shares nothing with the product: another language, another XML reader, and no arithmetic about sizes, for each document is
written as a whole and measured. A folder below `uploads` is a case: the files of events, the three documents of the host
that say what the machine is, `machine.json` for what the machine says itself, and the uploads that follow from them.
Prints one line for each difference and ends with status 1 when there is one; with `--write` the uploads are written.
Source: wire-protocol 7 and 8.2 to 8.6.
"""

import json
import pathlib
import re
import sys
import xml.etree.ElementTree

UPLOADS = pathlib.Path(__file__).resolve().parent / "uploads"
LIMIT = 65536
GENERIC = "FFF0196F-EE4C-4EAF-9AA5-776F622DEB4F"
STATUS = "69B669B9-4AF8-4C50-BDC4-6006FA76E975"
# The secrets in the cases, and what the description of the redaction says becomes of them.
SECRETS = (("pwd=abc", "[REDACTED]"), ("sig=abc", "[REDACTED]"))


def escaped(text):
    """What no XML document may have becomes U+FFFD; then the five entities, the ampersand first."""
    text = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "\ufffd", text)
    for mark, entity in (("&", "&amp;"), ("'", "&apos;"), ('"', "&quot;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(mark, entity)
    return text


def redacted(text):
    for secret, mark in SECRETS:
        text = text.replace(secret, mark)
    return text


def cut(text, most):
    """At most so many bytes, and never half a character; half a surrogate pair counts as the three bytes of U+FFFD."""
    size = 0
    for at, character in enumerate(text):
        size += 3 if 0xD800 <= ord(character) <= 0xDFFF else len(character.encode("utf-8"))
        if size > most:
            return text[:at]
    return text


def number(text):
    return int(text) if re.fullmatch("[0-9]+", text) and int(text) < 2**64 else 0


def parameter(name, kind, value):
    return '<Param Name="%s" Value="%s" T="mt:%s" />' % (name, value, kind)


def wstr(name, text):
    return parameter(name, "wstr", escaped(text))


def uint64(name, value):
    return parameter(name, "uint64", value)


def flag(name, value):
    return parameter(name, "bool", "True" if value else "False")


def machine_parameters(case):
    goal_state = xml.etree.ElementTree.parse(case / "goal_state.xml").getroot()
    shared = xml.etree.ElementTree.parse(case / "shared_config.xml").getroot()
    compute = json.loads((case / "instance.json").read_text(encoding="utf-8"))["compute"]
    machine = json.loads((case / "machine.json").read_text(encoding="utf-8"))
    return "".join((
        wstr("KeywordName", '{"CpuArchitecture":"%s"}' % machine["cpuArchitecture"]),
        wstr("TenantName", shared.find("Deployment").get("name")),
        wstr("RoleName", shared.find("Role").get("name")),
        wstr("RoleInstanceName", shared.find("Instances/Instance").get("id")),
        wstr("ContainerId", goal_state.find("Container/ContainerId").text.strip()),
        wstr("ResourceGroupName", compute["resourceGroupName"]),
        wstr("SubscriptionId", compute["subscriptionId"]),
        wstr("VMId", compute["vmId"]),
        uint64("ImageOrigin", 1 if compute.get("offer") else 0),
        wstr("OSVersion", machine["osVersion"]),
        uint64("RAM", machine["ramMiB"]),
        uint64("Processors", machine["processors"]),
    ))


def common(pid, tid, version, task, time):
    return uint64("EventPid", number(pid)) + uint64("EventTid", number(tid)) + wstr("GAVersion", version) + \
        wstr("ExecutionMode", "ProxyAgent") + wstr("TaskName", task) + wstr("OpcodeName", time)


def generic(event):
    time = event["TimeStamp"]
    return common(event["EventPid"], event["EventTid"], event["Version"], event["TaskName"], time) + \
        wstr("EventName", "MicrosoftAzureGuestProxyAgent") + wstr("CapabilityUsed", event["EventLevel"]) + \
        wstr("Context1", redacted(cut(event["Message"], 4096))) + wstr("Context2", time) + \
        wstr("Context3", event["OperationId"])


def status(event):
    extension, operation = event["extension"], event["operation_status"]
    return common(event["event_pid"], event["event_tid"], extension["version"], operation["task_name"],
                  event["time_stamp"]) + \
        wstr("ExtensionType", extension["extension_type"]) + flag("IsInternal", extension["is_internal"]) + \
        wstr("Name", extension["name"]) + wstr("Version", extension["version"]) + \
        wstr("Operation", operation["operation"]) + flag("OperationSuccess", operation["operation_success"]) + \
        wstr("Message", redacted(operation["message"])) + uint64("Duration", max(0, operation["duration"]))


def events(case):
    """Provider, number and parameters of each event, in the order in which they are sent."""
    for file in sorted(case.glob("[0-9]*.json"), key=lambda file: int(file.stem)):
        for event in json.loads(file.read_text(encoding="utf-8-sig")):
            yield GENERIC, 7, generic(event)
    for file in sorted(case.glob("extension_*.json"), key=lambda file: int(file.stem[10:])):
        yield STATUS, 1, status(json.loads(file.read_text(encoding="utf-8-sig")))


def document(batch):
    providers = {}
    for provider, identity, parameters in batch:
        providers.setdefault(provider, []).append('<Event id="%d"><![CDATA[%s]]></Event>' % (identity, parameters))
    inner = "".join('<Provider id="%s">%s</Provider>' % (provider, "".join(texts)) for provider, texts in providers.items())
    return ('<?xml version="1.0"?><TelemetryData version="1.0">%s</TelemetryData>' % inner).encode("utf-8")


def uploads(case):
    machine = machine_parameters(case)
    batch = []
    for provider, identity, parameters in events(case):
        event = (provider, identity, machine + parameters)
        if len(document(batch + [event])) >= LIMIT:
            yield document(batch)
            batch = []
        batch.append(event)
    yield document(batch)


def main():
    writes = sys.argv[1:] == ["--write"]
    differences = []
    checked = 0
    for case in sorted(UPLOADS.iterdir()):
        computed = {"upload_%d.xml" % at: body for at, body in enumerate(uploads(case), 1)}
        if writes:
            for name, body in computed.items():
                (case / name).write_bytes(body)
        found = {file.name: file.read_bytes() for file in case.glob("upload_*.xml")}
        for name in sorted(computed.keys() | found.keys()):
            checked += 1
            if computed.get(name) != found.get(name):
                differences.append("%s/%s differs" % (case.name, name))
    for line in differences:
        print(line)
    print("checked %d values, %d differences" % (checked, len(differences)))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
