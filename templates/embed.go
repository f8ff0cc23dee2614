// Package templates holds the pages, in ace (github.com/yosssi/ace).
package templates

import "embed"

// Files are the templates, and their messages in other languages. layout.ace frames every page; names that begin with an underscore are parts of pages.
//
//go:embed *.ace messages/de.txt
var Files embed.FS
