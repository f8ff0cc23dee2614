package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
)

type serveCommand struct {
	Listen string `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address and port. Default: ${default}. Port 0 chooses a free one."`
	Prefix string `placeholder:"PATH" help:"Path of the site, such as /toaster. Default: site.prefix of the configuration, or /."`
	CGI    string `name:"cgi" placeholder:"DIR" help:"Folder of the CGI programs. Default: cgi-bin next to toasterctl, or /usr/lib/cgi-bin/toaster."`
}

func (serveCommand) Help() string {
	return "Runs the same CGI programs under the same paths as Apache and lighttpd, and synchronizes " +
		"with the engine every minute, like “toasterctl sync”. To run builds, also start “toasterctl runner”.\n\n" +
		"It uses plain HTTP: only use it for testing and development on this host. Stop it with SIGINT or SIGTERM."
}

// How long the requests that run may take to end, and how often cron would run sync.
const (
	grace   = 2 * time.Second
	between = time.Minute
)

func (c *serveCommand) Run(w *world) error {
	defer w.untilSignal()()
	return w.withService(func(cfg *config.Config, s *site) error {
		programs, err := c.programs()
		if err != nil {
			return err
		}
		prefix := "/" + strings.Trim(cmp.Or(c.Prefix, cfg.Site.Prefix), "/")
		h := &front{prefix: strings.TrimSuffix(prefix, "/"), programs: programs, config: cfg.Path, client: cfg.Paths.Client, stderr: w.err}
		l, err := c.listen()
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w.out, "toaster is running at http://%s%s/ (Ctrl-C to stop)\n", reachable(l.Addr()),
			h.prefix); err != nil {
			return err
		}
		ctx, stop := context.WithCancel(w.ctx)
		synced := make(chan struct{})
		go func() { defer close(synced); everyMinute(ctx, cfg, s) }()
		err = serve(ctx, l, h, w)
		stop()
		<-synced
		return err
	})
}

// programs returns the folder of the CGI programs.
func (c *serveCommand) programs() (string, error) {
	folders := []string{c.CGI}
	if c.CGI == "" {
		var err error
		if folders, err = cgiFolders(); err != nil {
			return "", err
		}
	}
	for _, folder := range folders {
		if _, err := os.Stat(filepath.Join(folder, "index")); err == nil {
			return filepath.Abs(folder)
		}
	}
	return "", apperr.New(apperr.NotFound, "There are no CGI programs in %s.",
		"Run “make build”, or specify the folder with --cgi DIR.", strings.Join(folders, " or "))
}

// cgiFolders are where the CGI programs are, as "make build" and "make install" lay them.
func cgiFolders() ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return []string{filepath.Join(filepath.Dir(self), "cgi-bin"),
		filepath.Join(filepath.Dir(self), "../lib/cgi-bin/toaster")}, nil
}

func (c *serveCommand) listen() (net.Listener, error) {
	l, err := net.Listen("tcp", c.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, apperr.New(apperr.AlreadyExists, "%s is used by another program.",
			"Choose another port. --listen 127.0.0.1:0 chooses a free one.", c.Listen)
	}
	return l, err
}

// reachable is what a browser on this host can connect to.
func reachable(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("localhost:%d", tcp.Port)
	}
	return a.String()
}

// serve answers requests until ctx ends; those that run then have a moment to end, then they are cut off.
func serve(ctx context.Context, l net.Listener, h http.Handler, w *world) error {
	server := &http.Server{
		Handler: h, ErrorLog: log.New(w.err, "", 0),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 5 * time.Minute, IdleTimeout: time.Minute,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if server.Shutdown(last) == nil {
		return nil
	}
	server.Close()
	return endChildren(w.err)
}
