package hostile

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// network is a host and a world, two network namespaces with a cable between them. The world has an address
// of each kind: of the internet, of private networks, of a cloud's metadata.
type network struct {
	host, world *exec.Cmd // processes that hold the namespaces
	servers     []*exec.Cmd
	mu          sync.Mutex
	heard       []string // connections to any of the host's addresses, or to closed ones of the world
}

// The world's addresses, each with a server at each port.
const (
	internet = "9.9.9.9"
	allowed  = "10.9.9.9" // at port 3128
	// The host's. A build asks it through the sandbox's own.
	nameServer = "10.7.7.7"
)

var private = []string{"10.1.2.3", allowed, nameServer, "172.16.3.4", "172.31.255.254", "192.168.7.7", "100.64.1.1",
	"169.254.169.254", "169.254.170.2", "192.0.0.192", "100.100.100.200", "168.63.129.16"}
var private6 = []string{"fd00::7", "fe80::77%tap0", "fe80::77%eth0", "fe80::77%h0", "::ffff:10.1.2.3",
	"64:ff9b::a01:203"}
var own = []string{"127.0.0.1", "127.0.0.53", "11.0.0.2", "12.0.0.1", "10.200.0.1", "10.0.2.2", "0.0.0.0",
	"::1", "2a00:1::2", "::ffff:127.0.0.1", "::ffff:11.0.0.2"}
var ports = []string{"22", "53", "80", "3128", "8080"}

func newNetwork(h *host) (*network, error) {
	n := &network{}
	for _, holder := range []**exec.Cmd{&n.world, &n.host} {
		*holder = exec.Command("unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", "echo; read line")
		ready, err := held(*holder)
		if err == nil {
			err = (*holder).Start()
		}
		if err != nil {
			return nil, err
		}
		_, _ = ready.Read(make([]byte, 1))
	}
	names := h.dir + "/resolv.conf"
	if err := write(names, "nameserver "+nameServer+"\n", 0o644); err != nil {
		return nil, err
	}
	_, err := sh("/", `
		world=$1 host=$2 names=$3
		shift 3
		world() { nsenter --target "$world" --net ip "$@"; }
		host() { nsenter --target "$host" --net ip "$@"; }
		world link set lo up
		host link set lo up
		world link add w0 type veth peer name h0 netns "$host"
		world addr add 11.0.0.1/30 dev w0
		world addr add 2a00:1::1/64 dev w0 nodad
		world addr add fe80::77/64 dev w0 nodad
		world link set w0 up
		host addr add 11.0.0.2/30 dev h0
		host addr add 2a00:1::2/64 dev h0 nodad
		host link set h0 up
		host link add cable type veth peer name cable-end
		host addr add 12.0.0.1/24 dev cable
		host addr add 10.200.0.1/24 dev cable
		host link set cable up
		host link set cable-end up
		host route add default via 11.0.0.1
		host -6 route add default via 2a00:1::1
		for address; do world addr add "$address" dev lo; done
		nsenter --target "$host" --mount mount --bind "$names" /etc/resolv.conf`,
		append([]string{fmt.Sprint(n.world.Process.Pid), n.pid(), names, internet, "fd00::7"}, private...)...)
	if err != nil {
		return nil, fmt.Errorf("the network could not be made: %w", err)
	}
	h.facts.Open = []string{"tcp " + internet + ":80", "tcp " + internet + ":8080", "tcp " + allowed + ":3128"}
	h.facts.Closed = closed()
	return n, n.serve(h)
}

// closed is every address and port that a build may not reach.
func closed() (all []string) {
	for _, address := range slices.Concat(private, private6, own) {
		for _, port := range ports {
			if one := "tcp " + net.JoinHostPort(address, port); one != "tcp "+allowed+":3128" && !inside(one) {
				all = append(all, one)
			}
		}
		if !strings.Contains(address, ":") && !inside("icmp "+address) {
			all = append(all, "udp "+net.JoinHostPort(address, "53"), "icmp "+address)
		}
	}
	return all
}

// inside: these lead back into the sandbox itself, where nobody listens; and it may answer a ping.
func inside(one string) bool {
	return one == "icmp 127.0.0.1" || one == "icmp 127.0.0.53" || one == "icmp 0.0.0.0" || one == "icmp 10.0.2.2"
}

func (n *network) serve(h *host) error {
	for _, side := range []struct {
		holder   *exec.Cmd
		abstract string
		note     func(string) bool
	}{
		{n.world, "", func(line string) bool {
			return !strings.Contains(line, " "+internet+":") && line != "tcp "+allowed+":3128" && line != "udp "+nameServer+":53"
		}},
		{n.host, h.facts.Abstract, func(string) bool { return true }},
	} {
		args := append([]string{"--target", fmt.Sprint(side.holder.Process.Pid), "--net", h.probe, "serve",
			side.abstract, h.secret}, ports...)
		cmd := exec.Command("nsenter", args...)
		out, err := held(cmd)
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			return err
		}
		n.servers = append(n.servers, cmd)
		lines := bufio.NewScanner(out)
		if !lines.Scan() || lines.Text() != "ready" {
			return fmt.Errorf("a server does not start: %s", lines.Text())
		}
		go func() {
			for lines.Scan() {
				if side.note(lines.Text()) {
					n.mu.Lock()
					n.heard = append(n.heard, lines.Text())
					n.mu.Unlock()
				}
			}
		}()
	}
	return nil
}

// pid is the number of the process that holds the host's namespaces.
func (n *network) pid() string { return fmt.Sprint(n.host.Process.Pid) }

// take returns who was heard since the last time.
func (n *network) take() []string {
	time.Sleep(50 * time.Millisecond)
	n.mu.Lock()
	defer n.mu.Unlock()
	slices.Sort(n.heard)
	heard := slices.Compact(n.heard)
	n.heard = nil
	return heard
}

// held gives a helper an input that ends with the tests, however they end, and returns its output.
func held(cmd *exec.Cmd) (io.ReadCloser, error) {
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return cmd.StdoutPipe()
}

func (n *network) close() {
	for _, cmd := range append(n.servers, n.host, n.world) {
		if cmd != nil && cmd.Process != nil {
			_ = cmd.Process.Signal(syscall.SIGKILL)
			_ = cmd.Wait()
		}
	}
}
