package difftest

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// TestMain lets a normal user be root of a user namespace, where the kernel and /etc/subuid permit it.
func TestMain(m *testing.M) {
	namespace := []string{"--map-root-user", "--map-users=auto", "--map-groups=auto", "--mount", "--propagation",
		"private"}
	if os.Geteuid() == 0 || exec.Command("unshare", append(namespace, "true")...).Run() != nil {
		os.Exit(m.Run())
	}
	cmd := exec.Command("unshare", append(namespace, os.Args...)...)
	cmd.Env = append(os.Environ(), "_CONTAINERS_USERNS_CONFIGURED=done",
		fmt.Sprintf("_CONTAINERS_ROOTLESS_UID=%d", os.Getuid())) // buildah shall keep to the user's own files
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}
