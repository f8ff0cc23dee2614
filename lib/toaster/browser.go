package main

import (
	"os"
	"os/exec"
	"runtime"
)

// openBrowser shows a page, where there is a browser: its address is printed in any case.
func openBrowser(page string) {
	var cmd *exec.Cmd
	switch runtime.GOOS {
	case "windows":
		cmd = exec.Command("rundll32", "url.dll,FileProtocolHandler", page)
	case "darwin":
		cmd = exec.Command("open", page)
	default:
		if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
			return
		}
		cmd = exec.Command("xdg-open", page)
	}
	if cmd.Start() == nil {
		go cmd.Wait()
	}
}
