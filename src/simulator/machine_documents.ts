import type { SocketAddress } from "../domain/wire/endpoints.ts";

/** Facts of the machine that does not exist. */
const CONTAINER_ID = "51111111-0000-4000-8000-000000000001";
const DEPLOYMENT = "simulated-deployment";
const ROLE_INSTANCE = "_simulated-vm";
const INCARNATION = 1;
const DECLARATION = `<?xml version="1.0" encoding="utf-8"?>`;

/** The protocol versions a guest agent may speak. */
export function versionsXml(): string {
  return `${DECLARATION}<Versions><Preferred><Version>2015-04-05</Version></Preferred><Supported>` +
    ["2015-04-05", "2012-11-30", "2012-09-15"].map((version) => `<Version>${version}</Version>`)
      .join("") +
    `</Supported></Versions>`;
}

/** The goal state; `site` is where the documents it points to are served. Source: wire-protocol 7.1. */
export function goalStateXml(site: SocketAddress): string {
  const base = `http://${site.address}:${site.port}/machine/${CONTAINER_ID}/${ROLE_INSTANCE}`;
  const config = (type: string) =>
    `${base}?comp=config&amp;type=${type}&amp;incarnation=${INCARNATION}`;
  return `${DECLARATION}<GoalState><Version>2015-04-05</Version>` +
    `<Incarnation>${INCARNATION}</Incarnation>` +
    `<Machine><ExpectedState>Started</ExpectedState>` +
    `<StopRolesDeadlineHint>300000</StopRolesDeadlineHint>` +
    `<LBProbePorts><Port>16001</Port></LBProbePorts>` +
    `<ExpectHealthReport>FALSE</ExpectHealthReport></Machine>` +
    `<Container><ContainerId>${CONTAINER_ID}</ContainerId><RoleInstanceList><RoleInstance>` +
    `<InstanceId>${ROLE_INSTANCE}</InstanceId><State>Started</State><Configuration>` +
    `<HostingEnvironmentConfig>${config("hostingEnvironmentConfig")}</HostingEnvironmentConfig>` +
    `<SharedConfig>${config("sharedConfig")}</SharedConfig>` +
    `<ExtensionsConfig>${config("extensionsConfig")}</ExtensionsConfig>` +
    `<FullConfig>${config("fullConfig")}</FullConfig>` +
    `<Certificates>${base}?comp=certificates&amp;incarnation=${INCARNATION}</Certificates>` +
    `<ConfigName>${DEPLOYMENT}.0.${ROLE_INSTANCE}.0.xml</ConfigName>` +
    `</Configuration></RoleInstance></RoleInstanceList></Container></GoalState>`;
}

/** Source: wire-protocol 7.2. */
export function sharedConfigXml(): string {
  return `${DECLARATION}<SharedConfig version="1.0.0.0" goalStateIncarnation="${INCARNATION}">` +
    `<Deployment name="${DEPLOYMENT}" guid="{51111111-0000-4000-8000-000000000002}" incarnation="0">` +
    `<Service name="${DEPLOYMENT}" guid="{00000000-0000-0000-0000-000000000000}"/></Deployment>` +
    `<Incarnation number="1" instance="${ROLE_INSTANCE}" guid="{51111111-0000-4000-8000-000000000003}"/>` +
    `<Role guid="{51111111-0000-4000-8000-000000000004}" name="simulated-vm" settleTimeSeconds="10"/>` +
    `<Instances><Instance id="${ROLE_INSTANCE}" address="10.0.0.4"/></Instances></SharedConfig>`;
}

export function hostingEnvironmentXml(): string {
  return `${DECLARATION}<HostingEnvironmentConfig version="1.0.0.0" goalStateIncarnation="${INCARNATION}">` +
    `<StoredCertificates/><Deployment name="${DEPLOYMENT}" guid="{51111111-0000-4000-8000-000000000002}" incarnation="0"/>` +
    `<Incarnation number="1" instance="${ROLE_INSTANCE}" guid="{51111111-0000-4000-8000-000000000003}"/>` +
    `<Role guid="{51111111-0000-4000-8000-000000000004}" name="simulated-vm" hostingEnvironmentVersion="0"/>` +
    `</HostingEnvironmentConfig>`;
}

/** What both services say of the same goal state: a client that finds them apart waits for them to agree. */
export const EXTENSIONS_GOAL_STATE = Object.freeze({
  activityId: "51111111-0000-4000-8000-000000000010",
  correlationId: "51111111-0000-4000-8000-000000000011",
  inSvdSeqNo: 1,
  createdOnTicks: "638000000000000000",
  /** Where the machine's status goes, by way of HostGAPlugin. Nobody is there. */
  statusBlob: "https://simulated.invalid/status",
  statusBlobType: "BlockBlob",
});

/** No extensions, no agent updates: there is nothing to install on a machine that does not exist. */
export function extensionsConfigXml(): string {
  const { activityId, correlationId, createdOnTicks, inSvdSeqNo, statusBlob, statusBlobType } =
    EXTENSIONS_GOAL_STATE;
  return `${DECLARATION}<Extensions version="1.0.0.0" goalStateIncarnation="${INCARNATION}">` +
    `<GuestAgentExtension><GAFamilies/></GuestAgentExtension>` +
    `<StatusUploadBlob statusBlobType="${statusBlobType}">${statusBlob}</StatusUploadBlob>` +
    `<InVMGoalStateMetaData inSvdSeqNo="${inSvdSeqNo}" createdOnTicks="${createdOnTicks}" ` +
    `activityId="${activityId}" correlationId="${correlationId}"/>` +
    `<Plugins/><PluginSettings/></Extensions>`;
}

/** The certificates of the machine, as a package for one client; `null`: one that clients know they cannot open. */
export function certificatesXml(pfxPackage: string | null): string {
  const format = pfxPackage === null ? "CertificatesNonPfxPackage" : "Pkcs7BlobWithPfxContents";
  return `${DECLARATION}<CertificateFile><Version>2012-11-30</Version><Incarnation>${INCARNATION}</Incarnation>` +
    `<Format>${format}</Format><Data>${pfxPackage ?? ""}</Data></CertificateFile>`;
}
