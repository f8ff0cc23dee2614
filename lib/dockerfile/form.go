package dockerfile

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"toaster.do/lib/i18n"
	images "toaster.do/lib/image"
)

// Form says how the tree of a Dockerfile becomes a system that boots.
type Form string

// The forms. A plain Devuan or Debian is always the system, and only an image that is made of the target's own release
// can be grown.
const (
	FormAuto      Form = ""
	FormSystem    Form = "system"    // the base is the target's own system, which the Dockerfile works on
	FormGrown     Form = "grown"     // what the target needs is installed into the image's tree
	FormAppliance Form = "appliance" // a small system of the target runs the Dockerfile's tree beside its own
)

// BaseForms are those that can be asked for, where an image allows more than one.
var BaseForms = []Form{FormAuto, FormGrown, FormAppliance}

// chooseForm decides by what the last stage stands on, and by what was asked for.
func (t *translator) chooseForm(last *stage) Form {
	_, at := last.baseImage()
	if !at.scratch && !at.foreign {
		return FormSystem
	}
	release := t.release(at)
	grows := slices.Contains(t.growsFrom(), release)
	switch {
	case t.source.Form == FormGrown && !grows && (at.scratch || release != images.Release{}):
		t.fail(last.in.Location, "FormImpossible",
			"The system can't be made of %s: it is %s, and the target is %s.",
			"Run it beside the system (the form “appliance”), or choose a target of that release.",
			cmp.Or(at.image, "scratch"), nameOf(release), cmp.Or(t.source.Codename, "Devuan"))
	case t.source.Form == FormGrown, t.source.Form == FormAuto && grows:
		return FormGrown
	}
	return FormAppliance
}

// release is what a stage's image is made of, as far as its lock tells.
func (t *translator) release(s *stage) images.Release {
	if l := t.locked(s); s.foreign && l != nil {
		return l.Release
	}
	return images.Release{}
}

// growsFrom are the releases of which an image can become the target's system.
func (t *translator) growsFrom() (all []images.Release) {
	target := t.source.Codename
	for _, distribution := range []string{"debian", "devuan"} {
		for _, codename := range slices.Compact(slices.Sorted(maps.Values(codenames[distribution]))) {
			is := distributionOf(target, distribution)
			switch {
			case target == "", codename == target && distribution == is,
				distribution == "debian" && is == "devuan" && codename == debianOf[target],
				// sid calls itself by the name of the release that comes next
				codename == codenames["debian"]["testing"] && (target == "sid" || target == "ceres"):
				all = append(all, images.Release{Distribution: distribution, Codename: codename})
			}
		}
	}
	return all
}

// nameOf is how people know a release: Debian bookworm.
func nameOf(r images.Release) any {
	switch r.Distribution {
	case "":
		return i18n.T("neither Debian nor Devuan, as far as is known")
	case "debian":
		if r.Codename == "" { // jessie and older, and distroless, which has no packages
			return i18n.T("Debian, but does not say which release")
		}
		r.Distribution = "Debian"
	case "devuan":
		r.Distribution = "Devuan"
	}
	return strings.TrimSpace(r.Distribution + " " + r.Codename)
}

// fetchBase writes what fetches the image that the system grows from.
func (t *translator) fetchBase(w *strings.Builder, s *stage) {
	if l := t.locked(s); l != nil {
		w.WriteString("fetch_layers " + layersOf(l) + "\n")
		return
	}
	t.unknownImage(w, s)
}

// grow writes what makes the target's system of a stage's image, in the step of its FROM.
func (t *translator) grow(s *stage) {
	l := t.locked(s)
	if l == nil {
		return // see fetchBase
	}
	var from []string
	for _, r := range t.growsFrom() {
		from = append(from, r.Distribution+":"+r.Codename)
	}
	fmt.Fprintf(&s.body, "leave_base\nunpack_image $TREE %s\n", layersOf(l))
	s.emit("grow", from...)
}

// checkForm says which form was chosen, and why.
func (t *translator) checkForm(last *stage) {
	base, at := last.baseImage()
	release := t.release(at)
	note := func(rule string, message, advice i18n.Key, args ...any) {
		t.warn(last.in.Location, Note, rule, message, advice, args...)
	}
	switch {
	case at.foreign && t.locked(at) == nil && t.source.Form == FormAuto:
		note("Form", "What %s is made of is found out when the job is saved. If it is made of the target's release, its "+
			"files become the target's system. Otherwise a small system of the target boots, and runs it in %s.",
			"%s", base, applianceRoot, t.whatElse(base, false))
	case t.form == FormGrown && release == (images.Release{}):
		note("Grown", "It is not known yet whether %s is made of the target's release. If so, its files become the target's "+
			"system; otherwise the build fails.", "%s", base, t.whatElse(base, true))
	case t.form == FormGrown:
		note("Grown", "%s is made of %s. Its files become the target's system: what the target needs to boot is installed "+
			"into them.", "%s", base, nameOf(release), t.whatElse(base, true))
	case t.form != FormAppliance:
	case at.scratch:
		note("Appliance", "The last stage begins empty, FROM scratch. A small system of the target boots, and runs it in %s.",
			"%s", applianceRoot, t.whatElse(base, false))
	case release.Codename != "" && (release.Distribution == "debian" || release.Distribution == "devuan"):
		if slices.Contains(t.growsFrom(), release) {
			note("Appliance", "%s does not become the target's system, as the job says. A small system of the target "+
				"boots, and runs it in %s.", "%s", base, applianceRoot, t.whatElse(base, true))
			return
		}
		note("Appliance", "%s is made of %s, which is not the target's release. A small system of the target "+
			"boots, and runs it in %s.",
			"To make it the system itself, choose a target of that release. %s", base, nameOf(release), applianceRoot,
			t.whatElse(base, false))
	default:
		note("Appliance", "The image stands on %s, which is no plain Devuan or Debian. A small system of the target "+
			"boots, and runs it in %s.", "%s", base, applianceRoot, t.whatElse(base, false))
	}
}

// whatElse says how the same could be had otherwise.
func (t *translator) whatElse(base string, choice bool) any {
	packages := packagesFor[path.Base(parseImage(base).name)]
	switch {
	case choice && packages != "":
		return i18n.T("The job's setting “Base image” chooses another form. Or start the last stage FROM %s, and install %s.",
			t.plain(), packages)
	case choice:
		return i18n.T("The job's setting “Base image” chooses another form.")
	case packages != "":
		return i18n.T("To make the whole system with the Dockerfile, start the last stage FROM %s, and install %s.",
			t.plain(), packages)
	}
	return i18n.T("To make the whole system with the Dockerfile, start the last stage FROM %s, and install what it needs.",
		t.plain())
}

// packagesFor are Debian's packages with what images are used for, by the images' names.
var packagesFor = map[string]string{
	"buildpack-deps": "build-essential", "caddy": "caddy", "clojure": "clojure leiningen", "composer": "composer",
	"eclipse-temurin": "default-jre-headless", "elixir": "elixir", "erlang": "erlang", "gcc": "build-essential",
	"ghc": "ghc", "go": "golang-go", "golang": "golang-go", "haproxy": "haproxy", "haskell": "ghc cabal-install",
	"httpd": "apache2", "java": "default-jre-headless", "jre": "default-jre-headless", "julia": "julia",
	"mariadb": "mariadb-server", "maven": "maven", "memcached": "memcached", "mono": "mono-complete",
	"mosquitto": "mosquitto", "eclipse-mosquitto": "mosquitto", "eclipse-mosquitto-openssl": "mosquitto",
	"mysql": "mariadb-server", "nginx": "nginx", "nginx-unprivileged": "nginx", "node": "nodejs npm",
	"openjdk": "default-jre-headless", "perl": "perl", "php": "php-cli composer", "postgres": "postgresql",
	"pypy": "pypy3", "python": "python3 python3-venv", "r-base": "r-base", "rabbitmq": "rabbitmq-server",
	"redis": "redis-server", "ruby": "ruby bundler", "rust": "cargo", "swipl": "swi-prolog", "tomcat": "tomcat10",
	"varnish": "varnish", "wordpress": "wordpress",
}
