package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// enableColours makes a console of Windows obey the sequences that all other terminals do.
func enableColours(f *os.File) {
	var mode uint32
	if h := windows.Handle(f.Fd()); windows.GetConsoleMode(h, &mode) == nil {
		_ = windows.SetConsoleMode(h, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING)
	}
}
