"""Debian's cloud-init, its own code, unmodified: `cloud_init_client.py PACKAGE_FOLDER status SECONDS|provision WORK THUMBPRINT`.

`status`: finds the agent on the path and runs it as cloud-init runs programs. `provision`: its Azure data source crawls
metadata, with a provisioning medium in WORK that asks for the agent and for the user's key out of the certificate of that
thumbprint: it waits for the agent, reads IMDS, opens the certificate, reports that the machine is
ready; and once more, that it failed. What it would do to network and host of this machine is left out.
Prints one line of JSON.
"""
import json, os, sys

packages, act = sys.argv[1:3]
sys.path.insert(0, packages)

from cloudinit import helpers, subp

MEDIUM = """<ns0:Environment xmlns:ns0="http://schemas.dmtf.org/ovf/environment/1"
 xmlns:ns1="http://schemas.microsoft.com/windowsazure"><ns1:ProvisioningSection><ns1:Version>1.0</ns1:Version>
<ns1:LinuxProvisioningConfigurationSet><ns1:ConfigurationSetType>LinuxProvisioningConfiguration</ns1:ConfigurationSetType>
<ns1:UserName>rehearsal</ns1:UserName><ns1:HostName>simulated-vm</ns1:HostName>
<ns1:DisableSshPasswordAuthentication>true</ns1:DisableSshPasswordAuthentication><ns1:SSH><ns1:PublicKeys><ns1:PublicKey>
<ns1:Fingerprint>{thumbprint}</ns1:Fingerprint><ns1:Path>/home/rehearsal/.ssh/authorized_keys</ns1:Path>
</ns1:PublicKey></ns1:PublicKeys></ns1:SSH></ns1:LinuxProvisioningConfigurationSet></ns1:ProvisioningSection>
<ns1:PlatformSettingsSection><ns1:Version>1.0</ns1:Version><ns1:PlatformSettings>
<ns1:ProvisionGuestAgent>true</ns1:ProvisionGuestAgent><ns1:ProvisionGuestProxyAgent>true</ns1:ProvisionGuestProxyAgent>
</ns1:PlatformSettings></ns1:PlatformSettingsSection></ns0:Environment>"""


def status(seconds):
    found = subp.which("azure-proxy-agent") is not None
    try:
        out, err = subp.subp(["azure-proxy-agent", "--status", "--wait", seconds])
        return {"found": found, "exit": 0, "out": out, "err": err}
    except subp.ProcessExecutionError as error:
        return {"found": found, "exit": error.exit_code, "out": error.stdout, "err": error.stderr}


def provision(work, thumbprint):
    from cloudinit.sources import DataSourceAzure as source
    from cloudinit.sources.azure import errors
    from cloudinit.sources.helpers import azure

    # The logs of this machine are none of the host's business.
    azure.push_log_to_kvp = source.report_dmesg_to_kvp = lambda *_: None

    class Rehearsed(source.DataSourceAzure):
        def _setup_ephemeral_networking(self, **_):
            pass

        def _teardown_ephemeral_networking(self):
            pass

        def _is_ephemeral_networking_up(self):
            return True

        def _iid(self, previous=None):
            return "simulated"

    paths = helpers.Paths({"cloud_dir": f"{work}/cloud", "run_dir": f"{work}/run"})
    os.makedirs(f"{paths.seed_dir}/azure")
    with open(f"{paths.seed_dir}/azure/ovf-env.xml", "w") as medium:
        medium.write(MEDIUM.format(thumbprint=thumbprint))
    machine = Rehearsed({}, None, paths)
    ran = []
    run = subp.subp
    subp.subp = lambda args, *rest, **more: (ran.append(args), run(args, *rest, **more))[1]
    crawled = machine.crawl_metadata()["metadata"]
    subp.subp = run
    return {
        "metadata": sorted(crawled["imds"]),
        "keys": crawled["public-keys"],
        "asked": [args for args in ran if args[0] == "azure-proxy-agent"],
        "failureReported": machine._report_failure(errors.ReportableError("a rehearsal")),
    }


print(json.dumps({"status": status, "provision": provision}[act](*sys.argv[3:])))
