"""Debian's cloud-init, its own code, unmodified: `cloud_init_client.py PACKAGE_FOLDER status SECONDS|provision THUMBPRINT`.

`status`: finds the agent on the path and runs it as cloud-init runs programs. `provision`: what its Azure data source does
once the agent is up: metadata, goal state, the user's key out of the certificate of that thumbprint, the report that the
machine is ready, and the one that it failed.
Prints one line of JSON.
"""
import json, sys

packages, act = sys.argv[1:3]
sys.path.insert(0, packages)

from cloudinit import subp
from cloudinit.sources.helpers import azure

# The logs of this machine are none of the host's business.
azure.push_log_to_kvp = lambda *_: None


def status(seconds):
    found = subp.which("azure-proxy-agent") is not None
    try:
        out, err = subp.subp(["azure-proxy-agent", "--status", "--wait", seconds])
        return {"found": found, "exit": 0, "out": out, "err": err}
    except subp.ProcessExecutionError as error:
        return {"found": found, "exit": error.exit_code, "out": error.stdout, "err": error.stderr}


def provision(thumbprint):
    from cloudinit.sources import DataSourceAzure as source

    if hasattr(source, "get_metadata_from_imds"):
        metadata = source.get_metadata_from_imds(retries=1)
    else:
        from cloudinit.sources.azure import imds

        metadata = imds.fetch_metadata_with_api_fallback()
    keys = azure.get_metadata_from_fabric(endpoint="168.63.129.16", pubkey_info=[{"fingerprint": thumbprint}])
    azure.report_failure_to_fabric(endpoint="168.63.129.16", description="a rehearsal")
    return {"metadata": sorted(metadata), "keys": keys}


print(json.dumps({"status": status, "provision": provision}[act](sys.argv[3])))
