package main

import (
	"os"
	"path/filepath"

	"toaster.do/lib/auth"
)

// strength checks passwords with the program that lies among the CGI programs; nil where it is not installed.
func strength() auth.Strength {
	folders, err := cgiFolders()
	if err != nil {
		return nil
	}
	for _, folder := range folders {
		if _, err := os.Stat(filepath.Join(folder, "strength")); err == nil {
			return auth.StrengthIn(folder)
		}
	}
	return nil
}
