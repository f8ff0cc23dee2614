package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 1500 * time.Millisecond

// network: the outside can be reached, by address and by name, and nothing near the host.
func network(t *trial, _ []string) {
	unreachable(t, facts.Closed)
	for _, one := range facts.Open {
		kind, address, _ := strings.Cut(one, " ")
		err := reach(kind, address)
		t.must(err == nil, "%s can't be reached: %v", one, err)
	}
	server := nameServer()
	err := reach("udp", net.JoinHostPort(server, "53"))
	t.must(err == nil, "the name server %s does not answer: %v", server, err)
	for _, port := range []string{"22", "80", "3128", "8080"} {
		t.refused(reach("tcp", net.JoinHostPort(server, port)), "the name server's port %s can be reached", port)
	}
}

// networkNone: RUN --network=none reaches nobody at all.
func networkNone(t *trial, _ []string) {
	unreachable(t, append(facts.Open, facts.Closed...))
	links, err := net.Interfaces()
	t.must(err == nil && len(links) <= 1, "there are network cards: %v", links)
}

func unreachable(t *trial, addresses []string) {
	errs := make([]error, len(addresses))
	var wait sync.WaitGroup
	for i, one := range addresses {
		kind, address, _ := strings.Cut(one, " ")
		wait.Go(func() { errs[i] = reach(kind, address) })
	}
	wait.Wait()
	for i, one := range addresses {
		t.refused(errs[i], "%s can be reached", one)
	}
}

func nameServer() string {
	text, _ := os.ReadFile("/etc/resolv.conf")
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) == 2 && words[0] == "nameserver" {
			return words[1]
		}
	}
	return "10.0.2.3"
}

// reach is nil if something answers.
func reach(kind, address string) error {
	if kind == "icmp" {
		return ping(address)
	}
	c, err := net.DialTimeout(kind, address, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if kind == "udp" { // a DNS query for the name "a", which any of the suite's servers answers
		_, _ = c.Write([]byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"))
	}
	n, err := c.Read(make([]byte, 512))
	if n > 0 {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("nothing was said")
	}
	return err
}

// ping sends an echo request from a raw socket.
func ping(address string) error {
	c, err := net.Dial("ip4:icmp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	packet := []byte{8, 0, 0, 0, 0x74, 0x6f, 0, 1}
	sum := uint16(0x0800 + 0x746f + 1)
	binary.BigEndian.PutUint16(packet[2:], ^sum)
	if _, err := c.Write(packet); err != nil {
		return err
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	for buf := make([]byte, 512); ; {
		n, err := c.Read(buf)
		if err != nil {
			return err
		}
		if n >= 8 && buf[n-8] == 0 { // an echo reply
			return nil
		}
	}
}

// sniff: what others send to each other is not heard, and AF_VSOCK leads nowhere.
func sniff(t *trial, _ []string) {
	t.must(true, "")
	if fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, int(htons(unix.ETH_P_ALL))); err == nil {
		tv := unix.Timeval{Usec: 100000}
		_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
		buf := make([]byte, 65536)
		for end := time.Now().Add(time.Second); time.Now().Before(end); {
			n, _, err := unix.Recvfrom(fd, buf, 0)
			if err == nil && bytes.Contains(buf[:n], facts.Secret) {
				t.must(false, "a password that another program sent was heard")
				break
			}
		}
		unix.Close(fd)
	}
	_, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0)
	t.refused(err, "AF_VSOCK leads to the hypervisor")
}

func htons(n uint16) uint16 { return n<<8 | n>>8 }

// abstract: the sockets of the host's programs are not there.
func abstract(t *trial, _ []string) {
	file := facts.Canary + "/socket"
	for _, name := range []string{"@" + facts.Abstract, file, "/proc/1/root" + file} {
		_, err := net.Dial("unix", name)
		t.refused(err, "the socket %s can be reached", name)
	}
	list, _ := os.ReadFile("/proc/net/unix")
	t.must(!bytes.Contains(list, []byte(facts.Abstract)), "the host's sockets are listed")
}

// serve is the other side, in the host's or the world's network: it answers whoever comes, says to which
// address they came, and sends the secret to itself all the time. serve ABSTRACT SECRET PORT…
func serve(args []string) {
	say := make(chan string)
	listen := func(l net.Listener, err error) {
		if err != nil {
			fatal(err)
		}
		for {
			c, err := l.Accept()
			if err != nil {
				fatal(err)
			}
			go answer(c, say)
		}
	}
	if args[0] != "" {
		go func() { listen(net.Listen("unix", "@"+args[0])) }()
	}
	for _, port := range args[2:] {
		go func() { listen(net.Listen("tcp", ":"+port)) }()
		addresses, _ := net.InterfaceAddrs()
		for _, a := range addresses { // one socket each, or the answer comes from another address
			if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil {
				go answerUDP(net.JoinHostPort(ip.IP.String(), port), say)
			}
		}
	}
	go whisper(args[1])
	go func() {
		os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	time.Sleep(200 * time.Millisecond)
	fmt.Println("ready")
	for line := range say {
		fmt.Println(line)
	}
}

func answer(c net.Conn, say chan string) {
	defer c.Close()
	say <- fmt.Sprintf("%s %s", c.LocalAddr().Network(), c.LocalAddr())
	fmt.Fprintln(c, "hello")
}

func answerUDP(address string, say chan string) {
	c, err := net.ListenPacket("udp4", address)
	if err != nil {
		fatal(err)
	}
	for buf := make([]byte, 512); ; {
		n, from, err := c.ReadFrom(buf)
		if err != nil || n < 12 {
			continue
		}
		say <- "udp " + address
		_, _ = c.WriteTo(append([]byte{buf[0], buf[1], 0x81, 0x83}, buf[4:n]...), from) // no such name
	}
}

// whisper sends the secret over loopback.
func whisper(secret string) {
	c, err := net.Dial("udp", "127.0.0.1:9")
	if err != nil {
		fatal(err)
	}
	for {
		_, _ = c.Write([]byte(secret))
		time.Sleep(50 * time.Millisecond)
	}
}
