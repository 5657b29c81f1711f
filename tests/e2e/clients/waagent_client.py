"""Debian's waagent, its own wire client, unmodified: `waagent_client.py PACKAGE_FOLDER WORK_FOLDER`.

Its configuration and everything it writes stay in WORK_FOLDER; no part of it that touches the system is called.
Prints one line of JSON with what it learned.
"""
import json, os, sys

packages, work = sys.argv[1:]
sys.path.insert(0, packages)

import azurelinuxagent.common.conf as conf
import azurelinuxagent.common.logger as logger

os.makedirs(f"{work}/lib", exist_ok=True)
with open(f"{work}/waagent.conf", "w") as settings:
    settings.write(
        f"Lib.Dir={work}/lib\nPid.File={work}/waagent.pid\nOVFENV.Path={work}/ovf-env.xml\n"
        f"Extension.LogDir={work}/log\nDVD.MountPoint={work}/dvd\nOS.EnableFirewall=n\n"
        "Provisioning.Agent=disabled\nAutoUpdate.Enabled=n\nLogs.Console=n\n")
conf.load_conf_from_file(f"{work}/waagent.conf")
assert conf.get_lib_dir() == f"{work}/lib"
logger.add_logger_appender(logger.AppenderType.FILE, logger.LogLevel.VERBOSE, path=f"{work}/waagent.log")

import azurelinuxagent.common.event as event
from azurelinuxagent.common.protocol.imds import get_imds_client
from azurelinuxagent.common.protocol.restapi import ProvisionStatus, VMStatus
from azurelinuxagent.common.protocol.wire import WireProtocol
from azurelinuxagent.common.telemetryevent import TelemetryEvent, TelemetryEventParam
from azurelinuxagent.common.utils import restutil

os.makedirs(f"{work}/lib/events", exist_ok=True)
event.init_event_logger(f"{work}/lib/events")
event.init_event_status(f"{work}/lib")


def telemetry(message):
    made = TelemetryEvent(1, "69B669B9-4AF8-4C50-BDC4-6006FA76E975")
    made.parameters.append(TelemetryEventParam("Name", "waagent"))
    made.parameters.append(TelemetryEventParam("Message", message))
    return made


protocol = WireProtocol("168.63.129.16")
protocol.detect()
client = protocol.client
certificates = protocol.get_certs().certificates
learned = {
    "incarnation": str(protocol.get_incarnation()),
    "vmName": protocol.get_vminfo().vmName,
    "certificates": [each.thumbprint for each in certificates],
    # With the private key that only it could open the package with.
    "privateKeys": [each.thumbprint for each in certificates if os.path.exists(f"{work}/lib/{each.thumbprint}.prv")],
    "goalStateFrom": type(protocol.get_extensions_goal_state()).__name__,
}

imds = get_imds_client("168.63.129.16")
learned["compute"] = imds.get_compute().name
learned["imdsHealthy"] = imds.validate()

ready = ProvisionStatus(status="Ready", subStatus="", description="simulated")
ready.properties.certificateThumbprint = certificates[0].thumbprint
protocol.report_provision_status(ready)
protocol.report_vm_status(VMStatus(status="Ready", message="Guest Agent is running"))
protocol.report_event(iter([telemetry("a message"), telemetry("umlauts äöü and 漢字" * 20)]))

host_plugin = client.get_host_plugin()
learned["hostPluginHealthy"] = host_plugin.get_health()
learned["apiVersions"] = host_plugin.get_api_versions()
url, headers = host_plugin.get_vm_settings_request("51111111-0000-4000-8000-0000000000aa")
first = restutil.http_get(url, headers=headers, max_retry=1)
learned["vmSettings"] = first.status
headers["if-none-match"] = first.getheader("ETag")
again = restutil.http_get(url, headers=headers, max_retry=1)
learned["vmSettingsAgain"] = again.status
protocol.upload_logs(b"PK" + bytes(200000))
protocol.update_goal_state()
print(json.dumps(learned))
