package target

import (
	"path"
	"strings"

	"toaster.do/lib/i18n"
	"toaster.do/lib/shell"
)

// Step is something a person can do with what a build left.
type Step struct {
	Title    i18n.Key // "Start it in qemu"
	Text     i18n.Key // a sentence or two; may be empty
	Commands []string // each a line for a shell, with the file's real name; may be empty
}

// next says, by the end of a file's name, what to do with it. FILE stands for its name, NAME for that without the end,
// QEMU for qemu's program for the target's architecture.
var next = []struct {
	end   string
	steps []Step
}{
	{".u-boot.tar.gz", []Step{
		{"Write the boot loader of your board", "After the image, write the boot loader of your board to the same card.",
			[]string{
				"tar -xzf FILE", "ls u-boot", "sudo dd if=u-boot/BOARD of=/dev/sdX bs=1024 seek=8 conv=fsync"}},
	}},
	{".tar.gz", []Step{
		{"Inspect it, or work in it", "Run it as root to keep owners and device files.", []string{
			"mkdir NAME", "tar --xattrs --xattrs-include='*' --numeric-owner -xpf FILE -C NAME", "chroot NAME /bin/sh"}},
	}},
	{".oci.tar", []Step{
		{"Run it in a container", "ENTRYPOINT and CMD run in it, as after docker build. Podman has the same " +
			"commands: replace docker with podman.", []string{
			"docker load -i FILE", "docker run --rm -it -P NAME"}},
		{"Push it to a registry", "", []string{"skopeo copy oci-archive:FILE docker://REGISTRY/NAME"}},
	}},
	{".iso", []Step{
		{"Run it in QEMU", "Port 8080 of the image is port 8080 of your computer.", []string{
			"QEMU -m 1024 -nic user,hostfwd=tcp:127.0.0.1:8080-:8080 -cdrom FILE"}},
		{"Write it to a USB stick", "Insert the USB stick, find its name with lsblk, and replace sdX with it. All data on " +
			"the stick is lost.", []string{
			"lsblk -o NAME,SIZE,MODEL", "sudo dd if=FILE of=/dev/sdX bs=4M conv=fsync status=progress"}},
		{"Run it in VirtualBox", "Create a machine of the type Debian, select the file as its ISO image, and skip the " +
			"unattended installation.", nil},
	}},
	{".qcow2", []Step{
		{"Run it in QEMU", "Port 8080 of the image is port 8080 of your computer. Without -snapshot, changes are saved to " +
			"the image.", []string{
			"QEMU -m 1024 -nic user,hostfwd=tcp:127.0.0.1:8080-:8080 -snapshot FILE"}},
		{"Import it into libvirt", "The machine has a screen and a serial console.", []string{
			"sudo mv FILE /var/lib/libvirt/images/",
			"sudo virt-install --import --name NAME --memory 1024 --osinfo linux2022 --disk /var/lib/libvirt/images/FILE",
			"sudo virsh console NAME"}},
		{"Enlarge the disk", "Then, in the running machine, enlarge the last partition and its file system.",
			[]string{"qemu-img resize FILE +10G"}},
	}},
	{".vdi", []Step{
		{"Run it in VirtualBox", "", []string{
			"VBoxManage createvm --name NAME --ostype Debian_64 --register",
			"VBoxManage modifyvm NAME --memory 1024 --nic1 nat --natpf1 web,tcp,127.0.0.1,8080,,8080",
			"VBoxManage storagectl NAME --name sata --add sata",
			"VBoxManage storageattach NAME --storagectl sata --port 0 --device 0 --type hdd --medium FILE",
			"VBoxManage startvm NAME"}},
	}},
	{".img.xz", []Step{
		{"Write it to a memory card", "Insert the card, find its name with lsblk, and replace sdX with it. All data on the " +
			"card is lost.", []string{
			"lsblk -o NAME,SIZE,MODEL", "xz -dc FILE | sudo dd of=/dev/sdX bs=4M conv=fsync status=progress"}},
	}},
	{"SHA256SUMS", []Step{
		{"Verify the download", "Run it in the folder of the downloaded files.",
			[]string{"sha256sum --check --ignore-missing FILE"}},
	}},
}

// Next tells what a person can do with a file of dist/ whose path is given: nothing for a file that is only read.
func (t Target) Next(file string) []Step {
	file = path.Base(file)
	for _, n := range next {
		name, ok := strings.CutSuffix(file, n.end)
		if !ok {
			continue
		}
		qemu := "qemu-system-x86_64"
		if t.Arch == "i386" {
			qemu = "qemu-system-i386"
		}
		fill := strings.NewReplacer("FILE", shell.Quote(file), "-o NAME,", "-o NAME,", "NAME", shell.Quote(name), "QEMU",
			qemu)
		steps := make([]Step, len(n.steps))
		for i, s := range n.steps {
			steps[i] = Step{Title: s.Title, Text: s.Text}
			for _, c := range s.Commands {
				if t.Arch == "i386" {
					c = strings.ReplaceAll(c, "Debian_64", "Debian")
				}
				steps[i].Commands = append(steps[i].Commands, fill.Replace(c))
			}
		}
		return steps
	}
	return nil
}
