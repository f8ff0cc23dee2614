// Package hostile builds Dockerfiles that try to reach the machine which builds them, and looks whether one
// came through.
//
// A case is a few lines of a Dockerfile, in testdata or in a test's table. What needs system calls is done by
// probe, a static program that is part of the base image. It prints a verdict for each case; the host's
// canaries are looked at as well, as a program that was cheated could be wrong.
package hostile

// Facts is what an attacker is told about the host, so that no attack fails for want of knowledge:
// /probe.json in the base.
type Facts struct {
	Canary string // a folder of the host
	Secret []byte // what is in its files, and nowhere in an image; encoded in JSON, so that the image has it not
	Shared string // a folder that the build's user and everybody else can reach

	Loop       int               // minor number of a loop device that begins with Secret
	Disk       [2]int            // major and minor number of the host's root file system
	Handle     []byte            // of the file Canary/secret, for open_by_handle_at
	HandleType int32             // as name_to_handle_at told it
	Key        int32             // serial number of a key of root's, with Secret in it
	Segment    int32             // key of a System V shared memory segment
	Process    int               // number of a process of the host
	Namespaces map[string]string // of the host, as /proc/self/ns has them
	Password   []byte            // the proxy's

	Abstract  string   // a socket's name
	Closed    []string // "tcp ADDRESS:PORT", "udp …", "icmp ADDRESS": the sandbox keeps them shut
	Open      []string // and these open
	Processes int      // limits of this build; 0: it has none
	Files     int
}
