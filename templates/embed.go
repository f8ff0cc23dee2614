// Package templates holds the pages, in ace (github.com/yosssi/ace).
package templates

import "embed"

// Pages are the templates: layout.ace frames every page, and parts of pages have names that begin
// with an underscore.
//
//go:embed *.ace
var Pages embed.FS

// Messages are the texts of templates and programs in other languages.
//
//go:embed messages/de.txt
var Messages embed.FS
