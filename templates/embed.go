// Package templates holds the pages, in ace (github.com/yosssi/ace).
package templates

import "embed"

// Files are the templates. layout.ace frames every page; names that begin with an underscore are parts of pages.
//
//go:embed *.ace
var Files embed.FS
