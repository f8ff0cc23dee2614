package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/sys/unix"
)

// A command asks on a terminal for what its arguments leave out. Elsewhere that is a wrong usage: nobody is there to
// answer.

// terminal returns standard input where it is a terminal; nil: it isn't.
func (w *world) terminal() *os.File {
	f, ok := w.stdin.(*os.File)
	if !ok {
		return nil
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return nil
	}
	return f
}

// ask asks for a line, where to is empty; what names the flag or argument that says it otherwise.
func (w *world) ask(to *string, question, what string) error {
	if *to != "" {
		return nil
	}
	f := w.terminal()
	if f == nil {
		return misused("missing: %s", what)
	}
	fmt.Fprint(w.err, question+": ")
	line, err := readLine(f)
	if *to = strings.TrimSpace(line); err == nil && *to == "" {
		err = misused("missing: %s", what)
	}
	return err
}

// askSecret asks for a new password twice, and shows nothing of it.
func (w *world) askSecret() (string, error) {
	f := w.terminal()
	if f == nil {
		return "", misused("missing: --password-stdin, which reads the password from standard input")
	}
	var typed [2]string
	for i, question := range []string{"Password", "Repeat the password"} {
		var err error
		if typed[i], err = w.hidden(f, question); err != nil {
			return "", err
		}
	}
	switch {
	case typed[0] != typed[1]:
		return "", misused("the passwords are different: nothing was changed")
	case typed[0] == "":
		return "", misused("the password is empty: nothing was changed")
	}
	return typed[0], nil
}

// hidden reads a line while the terminal shows nothing of it.
func (w *world) hidden(f *os.File, question string) (string, error) {
	fd := int(f.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return "", err
	}
	silent := *before
	silent.Lflag &^= unix.ECHO
	silent.Lflag |= unix.ICANON | unix.ISIG
	interrupted := make(chan os.Signal, 1) // Ctrl-C must not leave the terminal silent
	signal.Notify(interrupted, os.Interrupt, unix.SIGTERM)
	defer signal.Stop(interrupted)
	if err := unix.IoctlSetTermios(fd, unix.TCSETSF, &silent); err != nil {
		return "", err
	}
	defer unix.IoctlSetTermios(fd, unix.TCSETS, before)
	fmt.Fprint(w.err, question+": ")
	type answer struct {
		line string
		err  error
	}
	typed := make(chan answer, 1)
	go func() {
		line, err := readLine(f)
		typed <- answer{line, err}
	}()
	select {
	case a := <-typed:
		fmt.Fprintln(w.err)
		return a.line, a.err
	case <-interrupted:
		fmt.Fprintln(w.err)
		return "", misused("interrupted: nothing was changed")
	}
}

// readLine reads up to the line's end, and nothing of what comes after it.
func readLine(f *os.File) (string, error) {
	var line []byte
	one := make([]byte, 1)
	for len(line) < 4096 {
		n, err := f.Read(one)
		switch {
		case n == 1 && one[0] == '\n':
			return strings.TrimSuffix(string(line), "\r"), nil
		case n == 1:
			line = append(line, one[0])
		case err == io.EOF:
			return "", misused("unexpected end of input: nothing was changed")
		case err != nil:
			return "", err
		}
	}
	return "", bufio.ErrTooLong
}
