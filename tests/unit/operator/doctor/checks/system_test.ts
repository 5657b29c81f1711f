import {
  bpfObject,
  btf,
  cgroup,
  kernelVersion,
  library,
  rights,
} from "../../../../../src/operator/doctor/checks/system.ts";
import { checkTests } from "../../../../fakes/doctor_cases.ts";
import { goodKernel } from "../../../../fakes/fake_machine.ts";

checkTests("rights", rights, /root/, {
  "another user": {
    break: (machine) => machine.uid = 1000,
    outcome: "WARN",
    found: /user 1000/,
    remedy: /sudo/,
  },
});

checkTests("kernelVersion", kernelVersion, /^kernel 6\.8\.0-1$/, {
  "one that is too old": {
    break: (machine) => machine.kernelRelease = "5.14.21-default",
    outcome: "FAIL",
    found: /5\.14\.21-default is older than 5\.15/,
  },
  "the oldest that is good": {
    break: (machine) => machine.kernelRelease = "5.15.0-azure",
    outcome: "OK",
    found: /5\.15/,
  },
  "one that was never tried": {
    break: (machine) => machine.kernelRelease = "7.0.1",
    outcome: "WARN",
    found: /newer than 6\.18/,
  },
  "a lock that keeps programs from reading": {
    break: (machine) =>
      machine.files.set("/sys/kernel/security/lockdown", {
        text: "none integrity [confidentiality]\n",
      }),
    outcome: "WARN",
    found: /confidentiality/,
  },
});

checkTests("btf", btf, /is there, 3 bytes/, {
  "no type information": {
    break: (machine) => machine.files.delete("/sys/kernel/btf/vmlinux"),
    outcome: "FAIL",
    found: /no type information/,
    remedy: /CONFIG_DEBUG_INFO_BTF/,
  },
});

checkTests("library", library, /can be opened/, {
  "no libbpf": {
    break: (machine) => machine.kernel = { missing: "libbpf.so.1: cannot open" },
    outcome: "FAIL",
    found: /libbpf\.so\.1/,
    remedy: /apt-get install libbpf1/,
  },
});

checkTests("cgroup", cgroup, /^\/sys\/fs\/cgroup is a cgroup v2$/, {
  "another one than the configured": {
    settings: { cgroupRoot: "/elsewhere" },
    outcome: "WARN",
    found: /`\/elsewhere`.*\/sys\/fs\/cgroup is used/,
    remedy: /set cgroupRoot to \/sys\/fs\/cgroup$/,
  },
  "none at all": {
    break: (machine) => {
      const none = () => {
        throw new Error("no cgroup v2 is mounted");
      };
      machine.kernel = { ...goodKernel(), cgroup: none };
    },
    outcome: "FAIL",
    found: /no cgroup v2 is mounted/,
    remedy: /mount -t cgroup2/,
  },
});

checkTests("bpfObject", bpfObject, /full: \/lib\/b\.o, no-task-reads: \/lib\/b_no_task\.o/, {
  "no file": {
    break: (machine) => machine.files.delete("/lib/b.o"),
    outcome: "FAIL",
    found: /no object file at \/lib\/a\.o or \/lib\/b\.o/,
    remedy: /ebpfFileFullPath/,
  },
  "a file of another kind": {
    break: (machine) => machine.files.set("/lib/a.o", { text: "#!/bin/sh" }),
    outcome: "FAIL",
    found: /\/lib\/a\.o is no object file/,
  },
  "no variant for other kernels": {
    break: (machine) => machine.files.delete("/lib/b_no_task.o"),
    outcome: "WARN",
    found: /variant/,
  },
});
