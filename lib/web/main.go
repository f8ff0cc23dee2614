package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"toaster.do/lib/config"
)

// Main answers one request as a CGI program, or many as a FastCGI program where standard input is a listening
// socket. It returns the exit status.
func Main(program string, routes []Route) int {
	quick()
	app := &App{Program: program, Routes: routes, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	if listening(os.Stdin) {
		if err := app.serve(); err != nil {
			app.Log.Error("FastCGI ended", "error", err)
			return 1
		}
		return 0
	}
	return app.once()
}

// Front is Main for a program that begins fast and answers some of the requests below its name: where none of its
// routes, or the
// site's configuration, suits a request, the program with the name rest in the same folder takes this one's place and
// answers it. So it does where many requests are answered (FastCGI): there it begins once.
func Front(program string, routes []Route, rest string, suits func(*config.Config, *Route) bool) int {
	quick()
	_, path := place(program, os.Getenv("SCRIPT_NAME"), os.Getenv("PATH_INFO"))
	route, _, _ := find(routes, os.Getenv("REQUEST_METHOD"), strings.TrimSuffix(path, "/"))
	if route != nil && !listening(os.Stdin) {
		cfg, err := config.Load(os.Getenv("TOASTER_CONF"))
		if err == nil && suits(cfg, route) {
			app := &App{Program: program, Routes: routes, Log: cfg.Log.Logger(os.Stderr), cfg: cfg}
			return app.once()
		}
	}
	err := HandOver(rest)
	slog.Error("a program is missing: reinstall toaster", "program", rest, "error", err)
	fmt.Print("Status: 500 Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nA part of this site " +
		"is missing. Administrator: see the log.\n")
	return 1
}

// HandOver lets another program of the same folder take this one's place. Nothing may have been read of the request's
// body then, and nothing answered. It returns only where that fails.
func HandOver(program string) error {
	self, err := os.Executable()
	if err == nil {
		self = filepath.Join(filepath.Dir(self), program)
		err = syscall.Exec(self, []string{self}, os.Environ())
	}
	return err
}

// once answers the request of the environment.
func (app *App) once() int {
	if os.Getenv("REQUEST_METHOD") == "" {
		fmt.Fprintln(os.Stderr, app.Program+" is a CGI program: a web server runs it. To try it, run “toasterctl serve”.")
		return 2
	}
	if err := defaultCPULimit.serve(app); err != nil {
		var where *url.Error // has the address, in which there may be a secret
		if errors.As(err, &where) {
			err = where.Err
		}
		app.Log.Error("the web server's environment can't be read", "error", err)
		fmt.Print("Status: 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThe server could not read " +
			"this request.\n")
	}
	if app.site != nil {
		app.site.DB.Leave()
	}
	return 0
}

// quick prepares for one request: nobody looks at samples of what it allocates, and it needs more stack than it begins
// with.
func quick() {
	runtime.MemProfileRate = 0
	growStack(false)
}

// growStack grows the stack to what a request needs, at once and while there is little on it to be moved: otherwise it
// doubles from 8 KiB on, each time with everything that calls has left there. It needs the space of the array, and does
// not use it.
//
//go:noinline
func growStack(use bool) {
	if use {
		var stack [48 << 10]byte
		touch(&stack)
	}
}

//go:noinline
func touch(stack *[48 << 10]byte) { stack[0]++ }

// listening tells a socket that waits for connections (FastCGI 1.0, 2.2) from one that is a connection, which
// Apache's mod_cgid gives to CGI programs.
func listening(f *os.File) bool {
	v, err := syscall.GetsockoptInt(int(f.Fd()), syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	return err == nil && v == 1
}
