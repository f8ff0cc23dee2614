//go:build pages

package compiled

import "embed"

// Pages are the compiled pages, made by “make build”: pages/LANGUAGE/NAME.
//
//go:embed pages
var Pages embed.FS
