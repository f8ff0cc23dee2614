package web

import (
	"fmt"
	"log/slog"
	"net/http/cgi"
	"os"
	"syscall"
)

// Main answers one request as a CGI program, or many as a FastCGI program where standard input is a listening
// socket. It returns the exit status.
func Main(program string, routes []Route) int {
	app := &App{Program: program, Routes: routes, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	if listening(os.Stdin) {
		if err := app.serve(); err != nil {
			app.Log.Error("FastCGI ended", "error", err)
			return 1
		}
		return 0
	}
	if os.Getenv("REQUEST_METHOD") == "" {
		fmt.Fprintln(os.Stderr, program+" is a CGI program: a web server runs it. To try it, run “toasterctl serve”.")
		return 2
	}
	if err := cgi.Serve(app); err != nil {
		app.Log.Error("the web server's environment can't be read", "error", err)
		fmt.Print("Status: 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThe server could not read this request.\n")
	}
	return 0
}

// listening tells a socket that waits for connections (FastCGI 1.0, 2.2) from one that is a connection, which
// Apache's mod_cgid gives to CGI programs.
func listening(f *os.File) bool {
	v, err := syscall.GetsockoptInt(int(f.Fd()), syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	return err == nil && v == 1
}
