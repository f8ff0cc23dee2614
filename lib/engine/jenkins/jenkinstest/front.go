package jenkinstest

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// front is the address that the controller listens at. It can go down and come back at the same address.
type front struct {
	mu      sync.Mutex
	address string
	tls     *tls.Config
	handler http.Handler
	server  *http.Server // nil while it is down
	served  sync.WaitGroup
	closed  bool
}

func (s *Server) listen() error {
	f := &s.front
	f.address, f.handler = "127.0.0.1:0", s
	scheme := "http://"
	if s.opt.TLS {
		scheme = "https://"
		if err := s.certify(); err != nil {
			return err
		}
	}
	if err := f.up(); err != nil {
		return err
	}
	s.URL = scheme + f.address + strings.TrimSuffix(s.opt.Prefix, "/")
	return nil
}

// certify borrows the certificate that net/http/httptest makes for 127.0.0.1.
func (s *Server) certify() error {
	lender := httptest.NewUnstartedServer(http.NotFoundHandler())
	lender.StartTLS()
	defer lender.Close()
	s.front.tls = &tls.Config{Certificates: lender.TLS.Certificates}
	s.CA = filepath.Join(s.home, "ca.pem")
	return os.WriteFile(s.CA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: lender.Certificate().Raw}), 0o644)
}

func (f *front) up() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.server != nil || f.closed {
		return nil
	}
	l, err := net.Listen("tcp", f.address)
	// The address may still belong to a connection that ends.
	for end := time.Now().Add(5 * time.Second); err != nil && time.Now().Before(end); l, err = net.Listen("tcp", f.address) {
		time.Sleep(5 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	f.address = l.Addr().String()
	if f.tls != nil {
		l = tls.NewListener(l, f.tls)
	}
	l = phrases{l}
	server := &http.Server{Handler: f.handler, ErrorLog: log.New(io.Discard, "", 0)}
	f.server = server
	f.served.Add(1)
	go func() {
		defer f.served.Done()
		server.Serve(l)
	}()
	return nil
}

func (f *front) down() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.server != nil {
		f.server.Close()
		f.server = nil
	}
}

func (f *front) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.down()
	f.served.Wait()
}

// phrases writes status lines with the servlet container's words.
type phrases struct{ net.Listener }

func (p phrases) Accept() (net.Conn, error) {
	c, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return phrased{c}, nil
}

type phrased struct{ net.Conn }

var goSays, jettySays = []byte("HTTP/1.1 500 Internal Server Error\r\n"), []byte("HTTP/1.1 500 Server Error\r\n")

func (c phrased) Write(p []byte) (int, error) {
	if !bytes.HasPrefix(p, goSays) {
		return c.Conn.Write(p)
	}
	if _, err := c.Conn.Write(slices.Concat(jettySays, p[len(goSays):])); err != nil {
		return 0, err
	}
	return len(p), nil
}
