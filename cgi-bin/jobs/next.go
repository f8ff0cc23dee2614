package main

import (
	"path"
	"strings"

	"toaster.do/lib/build"
	"toaster.do/lib/store"
)

// next is something to do with a file that a build left: what it is for, and the command.
type next struct{ For, Command string }

// uses are what people do with images, by how their names end. Names of images are made of a target's name alone.
var uses = []struct{ end, purpose, command string }{
	{".tar.gz", "Look into it", "mkdir rootfs && sudo tar -xzpf IMAGE --numeric-owner -C rootfs && sudo chroot rootfs"},
	{".tar.gz", "Try it as a container", "docker import IMAGE NAME"},
	{".qcow2", "Start it", "QEMU -m 1024 -drive file=IMAGE,format=qcow2"},
	{".iso", "Start it", "QEMU -m 1024 -cdrom IMAGE"},
	{".iso", "Write it to a stick, /dev/sdX, whose content is lost", "sudo dd if=IMAGE of=/dev/sdX bs=4M conv=fsync"},
	{".img.xz", "Write it to a card, /dev/sdX, whose content is lost", "xz -dc IMAGE | sudo dd of=/dev/sdX bs=4M conv=fsync"},
}

// whatNext is what to do with what a build left.
func whatNext(s *build.Service, job *store.Job, artifacts []store.Artifact) (list []next) {
	for _, a := range artifacts {
		if a.Path == "SHA256SUMS" {
			list = append(list, next{"Check what you have downloaded", "sha256sum --ignore-missing -c SHA256SUMS"})
		}
	}
	target, _ := s.Targets.Find(job.Target) // of one that is not offered any more nothing is known
	qemu := "qemu-system-x86_64"
	if target.Arch == "i386" {
		qemu = "qemu-system-i386"
	}
	for _, a := range artifacts {
		if !strings.HasPrefix(path.Base(a.Path), job.Target+".") {
			continue
		}
		for _, u := range uses {
			if a.Path == job.Target+u.end {
				list = append(list, next{u.purpose, strings.NewReplacer("IMAGE", a.Path, "NAME", job.Target, "QEMU", qemu).Replace(u.command)})
			}
		}
	}
	return list
}
