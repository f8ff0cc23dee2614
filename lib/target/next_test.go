package target

import (
	"os/exec"
	"strings"
	"testing"
)

func TestNext(t *testing.T) {
	vm := Target{SDK: "vm", Arch: "amd64"}
	for _, c := range []struct {
		target     Target
		file, want string
	}{
		{vm, "vm_amd64_daedalus.qcow2", "qemu-system-x86_64 -m 1024 -nic user,hostfwd=tcp:127.0.0.1:8080-:8080 -snapshot " +
			"vm_amd64_daedalus.qcow2"},
		{vm, "vm_amd64_daedalus.qcow2", "sudo virsh console vm_amd64_daedalus"},
		{vm, "vm_amd64_daedalus.vdi", "VBoxManage createvm --name vm_amd64_daedalus --ostype Debian_64 --register"},
		{Target{SDK: "vm", Arch: "i386"}, "vm_i386_daedalus.vdi",
			"VBoxManage createvm --name vm_i386_daedalus --ostype Debian --register"},
		{Target{SDK: "live", Arch: "i386"}, "live_i386_daedalus.iso",
			"qemu-system-i386 -m 1024 -nic user,hostfwd=tcp:127.0.0.1:8080-:8080 -cdrom live_i386_daedalus.iso"},
		{Target{SDK: "live"}, "live_amd64_daedalus.iso", "lsblk -o NAME,SIZE,MODEL"},
		{Target{SDK: "arm"}, "arm_armhf_daedalus_sunxi.img.xz",
			"xz -dc arm_armhf_daedalus_sunxi.img.xz | sudo dd of=/dev/sdX bs=4M conv=fsync status=progress"},
		{Target{SDK: "arm"}, "arm_armhf_daedalus_sunxi.u-boot.tar.gz", "tar -xzf arm_armhf_daedalus_sunxi.u-boot.tar.gz"},
		{Target{SDK: "rootfs"}, "dist/rootfs_amd64_daedalus.tar.gz", "chroot rootfs_amd64_daedalus /bin/sh"},
		{Target{SDK: "rootfs"}, "rootfs_amd64_daedalus.oci.tar", "docker run --rm -it -P rootfs_amd64_daedalus"},
		{Target{SDK: "rootfs"}, "SHA256SUMS", "sha256sum --check --ignore-missing SHA256SUMS"},
		{Target{SDK: "rootfs"}, "it's $(id).tar.gz", `mkdir 'it'\''s $(id)'`},
	} {
		var lines []string
		for _, s := range c.target.Next(c.file) {
			if s.Title == "" || s.Text == "" && len(s.Commands) == 0 {
				t.Errorf("%s: %+v", c.file, s)
			}
			lines = append(lines, s.Commands...)
		}
		if text := strings.Join(lines, "\n"); !strings.Contains("\n"+text+"\n", "\n"+c.want+"\n") {
			t.Errorf("%s: %q is not among\n%s", c.file, c.want, text)
		} else if out, err := exec.Command("sh", "-n", "-c", text).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", c.file, err, out)
		}
	}
	for _, file := range []string{"packages.txt", "provenance.json", "boot.log", "boot.png", ""} {
		if steps := vm.Next(file); steps != nil {
			t.Errorf("%s: %+v", file, steps)
		}
	}
}
