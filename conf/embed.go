// Package conf holds the configuration files as they are installed, with every key explained and set to its default.
package conf

import "embed"

// Files holds toaster.toml and targets.toml.
//
//go:embed *.toml
var Files embed.FS
