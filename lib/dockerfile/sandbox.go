package dockerfile

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// hostname is what BuildKit calls its sandbox, where no build argument asks for another name.
const (
	hostname    = "buildkitsandbox"
	hostnameArg = "BUILDKIT_SANDBOX_HOSTNAME"
)

var hostnameForm = lazy(`^([A-Za-z0-9][A-Za-z0-9.-]{0,63})?$`)

// capabilities are Docker's, for what runs as root and for the limit of all others.
// https://github.com/moby/moby/blob/v28.0.0/oci/caps/defaults.go
var capabilities = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETFCAP",
	"CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
}

// MaskedPaths and ReadonlyPaths are those that Docker hides or protects.
// https://github.com/moby/moby/blob/v28.0.0/oci/defaults.go
var (
	MaskedPaths = []string{
		"/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/timer_list",
		"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
	}
	ReadonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

// machines says what the kernel calls the processors that libseccomp names.
var machines = map[string][]string{
	"x86_64": {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}, "i686": {"SCMP_ARCH_X86"},
	"aarch64": {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"}, "armv7l": {"SCMP_ARCH_ARM"}, "riscv64": {"SCMP_ARCH_RISCV64"},
	"ppc64le": {"SCMP_ARCH_PPC64LE"},
}

// sandboxParts are the parts of the OCI configuration that are the same for each RUN, as variables of the builder.
// https://github.com/opencontainers/runtime-spec/blob/v1.0.2/config-linux.md
func sandboxParts() string {
	var w strings.Builder
	caps := map[string][]string{"bounding": capabilities, "effective": capabilities, "permitted": capabilities}
	fmt.Fprintf(&w, "typeset oci_hostname=%s oci_capabilities=%s oci_masked=%s oci_readonly=%s\n", hostname,
		quoteJSON(caps), quoteJSON(MaskedPaths), quoteJSON(ReadonlyPaths))
	fmt.Fprintf(&w, "typeset oci_seccomp=%s\ntypeset -A oci_architectures=(\n", quote(seccompRules()))
	for _, machine := range slices.Sorted(maps.Keys(machines)) {
		fmt.Fprintf(&w, "%s %s\n", machine, quoteJSON(machines[machine]))
	}
	return w.String() + ")\n"
}

func quoteJSON(v any) string {
	text, _ := json.Marshal(v) // strings and lists of them
	return quote(string(text))
}

// seccompRules is seccompProfile as members of a JSON object: all of the configuration's "seccomp" but its architectures.
func seccompRules() string {
	text, _ := json.Marshal(seccompProfile())
	return strings.TrimSuffix(strings.TrimPrefix(string(text), "{"), "}")
}

// Seccomp is Docker's profile for a program of this processor, Linux 4.8 or later; nil where it has none.
func Seccomp(machine string) *specs.LinuxSeccomp {
	profile := seccompProfile()
	for _, one := range machines[machine] {
		profile.Architectures = append(profile.Architectures, specs.Arch(one))
	}
	if profile.Architectures == nil {
		return nil
	}
	return profile
}

// seccompProfile is Docker's profile for its capabilities and any Linux since 4.8. A call that a processor lacks has no
// effect there.
func seccompProfile() *specs.LinuxSeccomp {
	profile := seccomp.DefaultProfile()
	out := specs.LinuxSeccomp{DefaultAction: profile.DefaultAction, DefaultErrnoRet: profile.DefaultErrnoRet}
	for _, s := range profile.Syscalls {
		if s.Includes != nil && (misses(s.Includes.Caps, capabilities) || misses(s.Includes.Arches, profiled)) ||
			s.Excludes != nil && hasAny(s.Excludes.Caps, capabilities) {
			continue
		}
		out.Syscalls = append(out.Syscalls, s.LinuxSyscall)
	}
	return &out
}

// profiled are the profile's names of the processors in machines.
var profiled = []string{"amd64", "x32", "x86", "arm64", "arm", "riscv64", "ppc64le"}

// hasAny tells whether one of list is in set; misses, whether list asks for something and none of it is in set.
func hasAny(list, set []string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return slices.Contains(set, s) })
}
func misses(list, set []string) bool { return len(list) > 0 && !hasAny(list, set) }
