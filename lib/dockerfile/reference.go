package dockerfile

import "strings"

// The grammar of an image's name, as https://pkg.go.dev/github.com/distribution/reference has it; that module
// would compile its expressions at the start of every program.
var (
	imageDomain = lazy(`^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$`)
	imageName   = lazy(`^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::\w[\w.-]{0,127})?(?:@(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}))?$`)
	imageID     = lazy(`^[0-9a-f]{64}$`)
)

// longestReference is more than any registry takes: a name of 255 bytes, a tag of 128 and a digest of 135.
const longestReference = 600

// validReference tells whether a registry could have an image of that name.
func validReference(ref string) bool {
	if len(ref) > longestReference {
		return false
	}
	domain, rest, ok := strings.Cut(ref, "/")
	if ok && (domain == "localhost" || strings.ContainsAny(domain, ".:") || strings.ToLower(domain) != domain) {
		return imageDomain().MatchString(domain) && imageName().MatchString(rest)
	}
	return imageName().MatchString(ref) && !imageID().MatchString(ref)
}
