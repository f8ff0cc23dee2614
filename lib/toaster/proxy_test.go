package main

import (
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy is between a user and a site. It counts what is sent to the site, and cuts connections.
type proxy struct {
	listener net.Listener
	up, down atomic.Int64 // bytes, to the site and from it
	lock     sync.Mutex
	cutUp    int64 // where the next connection is cut, counted as up is; 0: nowhere
	cutDown  int64
	cuts     int
	last     string        // a text after which nothing comes from the site any more; "": none
	asked    chan struct{} // closed when that was sent
}

func newProxy(t *testing.T, to string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, asked: make(chan struct{})}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c, to)
		}
	}()
	return p
}

func (p *proxy) url() string { return "http://" + p.listener.Addr().String() }

func (p *proxy) serve(c net.Conn, to string) {
	defer c.Close()
	s, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer s.Close()
	var both sync.WaitGroup
	both.Go(func() { p.copy(s, c, &p.up, &p.cutUp, c, s) })
	both.Go(func() { p.copy(c, s, &p.down, &p.cutDown, c, s) })
	both.Wait()
}

// copy copies from one end to the other, until that ends or is cut.
func (p *proxy) copy(to io.Writer, from io.Reader, count *atomic.Int64, cut *int64, ends ...net.Conn) {
	defer func() {
		for _, end := range ends {
			if tcp, ok := end.(*net.TCPConn); ok {
				tcp.SetLinger(0) // the other end notices at once
			}
			end.Close()
		}
	}()
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		p.lock.Lock()
		before := count.Load()
		if *cut > 0 && before+int64(n) >= *cut {
			n = int(max(0, *cut-before))
			*cut, err = 0, io.ErrUnexpectedEOF
			p.cuts++
		}
		if count == &p.up && p.last != "" && bytes.Contains(buffer[:n], []byte(p.last)) {
			p.last = ""
			close(p.asked)
		}
		select {
		case <-p.asked:
			if count == &p.down {
				n = 0
			}
		default:
		}
		count.Add(int64(n))
		p.lock.Unlock()
		if _, werr := to.Write(buffer[:n]); werr != nil || err != nil {
			return
		}
	}
}

// cutAfter cuts a connection when so many more bytes have gone to the site (up) or come from it.
func (p *proxy) cutAfter(n int64, up bool) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.cuts, p.cutUp, p.cutDown = 0, 0, 0
	if up {
		p.cutUp = p.up.Load() + n
	} else {
		p.cutDown = p.down.Load() + n
	}
}

// silentAfter lets nothing more come from the site once a text was sent to it.
func (p *proxy) silentAfter(text string) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.last = text
}
