package target

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/shell"
)

// Recipe is all that a build script is made from.
type Recipe struct {
	Target           Target
	Blend            []byte   // zsh that defines blend_preinst and blend_postinst; text without NUL that ends in a newline
	BlendSHA256      string   // of Blend, lower-case hex; the stamp in the image must name it
	DockerfileSHA256 string   // lower-case hex
	ContextSHA256    string   // lower-case hex; empty without a context
	ContextBeside    bool     // the blend needs files of the context beside it: dockerfile.Blend.External
	Base             string   // what FROM said
	Form             string   // how the Dockerfile's tree becomes a system: dockerfile.Form
	Images           []string // the images that the blend fetches, HOST/NAME@sha256:HEX
	Secrets          []Secret // what the blend mounts where it is given
	Environment      []string // NAME=VALUE: what the blend gives the application; provenance.json has names and checksum
	Config           []byte   // the OCI image configuration, a JSON object
	AppRoot          string   // where the Dockerfile's tree is in an image that is not made of it; empty: it is the image
	Version          string   // toaster's
	Root             Access
	Source           *Source // where Dockerfile and context were fetched from; nil: nowhere
}

// Source is a commit of a Git repository, as provenance.json names it.
type Source struct {
	Repository string `json:"repository"`
	Ref        string `json:"ref"` // that was asked for; empty: the default branch
	Commit     string `json:"commit"`
}

// Secret is what a build can be given: a file of $TOASTER_SECRETS.
type Secret struct {
	Name     string
	Required bool
}

// named tells whether the name is a file's, and a single word of the shell that means nothing else.
func (s Secret) named() bool {
	return strings.Trim(s.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == "" &&
		strings.Trim(s.Name, ".") != ""
}

// The script's exit codes. Its last line says in words what happened.
const (
	ExitFailed  = 1   // the base could not be made
	ExitUsage   = 2   // arguments, or a folder "dist" that is not of a build
	ExitHost    = 3   // the host lacks a program, a keyring or a permission
	ExitMirror  = 4   // the package archive can't be reached
	ExitFull    = 5   // the disk is full
	ExitBlend   = 6   // an instruction of the Dockerfile failed
	ExitStamp   = 7   // the customisation did not run to its end
	ExitSilent  = 8   // nothing was printed for too long
	ExitStopped = 143 // HUP, INT or TERM
)

// scripts are the parts that a script is put together from.
//
//go:embed script
var scripts embed.FS

// parts names the files of scripts for each SDK: of the script itself, and of the program in zsh that drives the SDK.
var parts = map[string]struct{ shell, drive []string }{
	"rootfs": {[]string{"common.sh", "limits.sh", "report.sh", "image.sh", "oci.sh", "rootfs.sh"}, nil},
	"live":   {shellFor("live.sh"), driveFor("live.zsh")},
	"vm":     {shellFor("vm.sh"), driveFor("grub.zsh", "disk.zsh")},
	"arm":    {shellFor("arm.sh"), driveFor("disk.zsh")},
}

func shellFor(sdk string) []string {
	return []string{"common.sh", "limits.sh", "report.sh", "image.sh", sdk, "sdk.sh", "boot.sh"}
}
func driveFor(parts ...string) []string {
	return append([]string{"replaced.zsh", "within.zsh", "drive.zsh"}, parts...)
}

func assemble(names []string) string {
	var b strings.Builder
	for i, name := range names {
		text, err := scripts.ReadFile("script/" + name)
		if err != nil {
			panic(err) // it is embedded
		}
		if i > 0 {
			b.WriteString("\n")
		}
		b.Write(text)
	}
	return b.String()
}

// Script returns the build script of a recipe: POSIX sh, self-contained, to be saved to a file and run in a folder of
// its own. The same recipe gives the same bytes.
//
// The script builds below the current folder, in TARGET.work, which it removes again, and leaves dist/ with the image,
// SHA256SUMS, packages.txt and provenance.json; of a rootfs also an OCI archive. It passes on the blend's lines
// "TOASTER-STEP n/m LINE instruction", and says when each phase begins: "TOASTER-PHASE NAME SECONDS", where NAME is
// prepare, step, pack, check or end, and SECONDS are since 1970. Why it fails is its last line, and before that, in
// parts, "TOASTER-WHY FORMAT⇥ARGUMENT…".
// A rootfs is made as root, or as a user who may make user namespaces and has a range of ids
// in /etc/subuid and /etc/subgid; what an SDK makes needs root, or sudo without a password. From the environment it
// takes BUILD_NUMBER; SOURCE_DATE_EPOCH (reproducible-builds.org), for a rootfs; TOASTER_SDK_DIR: the SDK with its
// submodules, or the folder that has live-sdk, vm-sdk, arm-sdk, instead of fetching it, which must be one that
// replaced.zsh knows; TOASTER_BOOT_CHECK: 1 or 0, instead of the target's; TOASTER_CACHE_DIR: a folder, whole path,
// that only the builds' user can write to, where it keeps the newest base of each target (200 MB to 1 GB), the SDK, and
// up to 10 GiB of images' layers; TOASTER_IMAGES: a folder, whole path, that OCI archives were unpacked to, as the
// layers of a site's own builds can't be fetched; TOASTER_REGISTRIES: words NAME=HOST or NAME=http://HOST, the places
// that images whose names begin with NAME are fetched from; TOASTER_REGISTRY_AUTH: a file with accounts at
// registries, as docker login makes; TOASTER_SECRETS: a folder with a file for each secret, by its name; and
// TOASTER_CONTEXT: the tar file or folder with the files of a build context that are not inside, as
// buildcontext.WriteTar makes it; without it, context.tar beside the script.
//
// It fails with InvalidArgument for a target of no SDK, and with Internal for a blend that would not arrive unchanged,
// or an Access that is none.
func Script(r Recipe) ([]byte, error) {
	part, ok := parts[r.Target.SDK]
	if !ok {
		return nil, apperr.New(apperr.InvalidArgument, "The target %s can't be built.", "Choose another target.",
			r.Target.Name).At("target")
	}
	if err := cmp.Or(checkBlend(r), r.Root.check()); err != nil {
		return nil, apperr.Wrap(apperr.Internal, err, "The build script can't be created.",
			"Contact the administrator, and include the request ID.")
	}
	facts, err := factsOf(r)
	if err != nil {
		return nil, apperr.Wrap(apperr.Internal, err, "The build script can't be created.",
			"Contact the administrator, and include the request ID.")
	}
	var b bytes.Buffer
	shell, drive := assemble(part.shell), assemble(part.drive)
	first, last := assemble([]string{"first.zsh"}), assemble([]string{"last.zsh"})
	writeHeader(&b, r, fmt.Sprintf("%x", sha256.Sum256([]byte(shell+drive+first+last))))
	b.WriteString("\n" + shell)
	b.WriteString("\n# ---------------------------------------------------------------------------------------------------\n")
	writeHeredoc(&b, "facts", "What was known before the build, for provenance.json.", facts, r.BlendSHA256)
	if r.Target.SDK == "rootfs" {
		config, err := membersOf(r.Config)
		if err != nil {
			return nil, apperr.Wrap(apperr.Internal, fmt.Errorf("the image's configuration: %w", err),
				"The build script can't be created.", "Contact the administrator, and include the request ID.")
		}
		writeHeredoc(&b, "image_config", "How the image is run, as docker build would note it.", config, r.BlendSHA256)
	}
	if drive != "" {
		writeHeredoc(&b, "drive", "What the SDK's shell is told to do.", drive, r.BlendSHA256)
	}
	writeHeredoc(&b, "first", "What programs in a tree begin with.", first, r.BlendSHA256)
	writeHeredoc(&b, "last", "What is done in a tree after the Dockerfile's instructions.", last, r.BlendSHA256)
	writeHeredoc(&b, "blend", "What the Dockerfile says, for zsh and the SDK.", string(r.Blend), r.BlendSHA256)
	b.WriteString("\nset -eu\numask 022\nexport LC_ALL=C\n")
	b.WriteString("case $#${1:-}:${2:-} in\n0:) outside ;;\n1check:) check ;;\n" +
		"2limited:base | 2limited:image) limited \"$2\" ;;\n" +
		"2inside:base | 2inside:image) inside \"$2\" ;;\n*) fail 2 \"usage: sh $0\" ;;\nesac\n")
	return b.Bytes(), nil
}

func checkBlend(r Recipe) error {
	sum := sha256.Sum256(r.Blend)
	switch {
	case hex.EncodeToString(sum[:]) != r.BlendSHA256:
		return fmt.Errorf("the blend's checksum is %x, not %s", sum, r.BlendSHA256)
	case bytes.IndexByte(r.Blend, 0) >= 0:
		return fmt.Errorf("the blend has a NUL byte, which a here-document can't carry")
	case !bytes.HasSuffix(r.Blend, []byte("\n")):
		return fmt.Errorf("the blend does not end in a newline, as a here-document must")
	case slices.ContainsFunc(r.Secrets, func(s Secret) bool { return !s.named() }):
		return fmt.Errorf("a secret of the blend has a name that is not one of a file")
	case bytes.Contains(r.Blend, []byte(delimiter(r.BlendSHA256))):
		return fmt.Errorf("the blend has the here-document's delimiter in it")
	}
	return nil
}

func writeHeader(b *bytes.Buffer, r Recipe, builder string) {
	t := r.Target
	who := "as root, or as a user who has sudo without a password"
	if t.SDK == "rootfs" {
		who = "as root, or as a user who may make user namespaces"
	}
	fmt.Fprintf(b, `#!/bin/sh
# shellcheck disable=SC2317,SC2034 # functions and variables that are used by their names
#
# Builds %s from a Dockerfile. Made by toaster.
#
# Run it on any Debian or Devuan, in a folder of its own:  sh FILE
# %s. It leaves the image in dist/, and nothing else.
# "sh FILE check" builds nothing, and says what this host lacks for it.
#
# Exit status: 0 done; 1 the base could not be made; 2 wrong usage; 3 the host lacks something; 4 the package archive
# can't be reached; 5 the disk is full; 6 an instruction of the Dockerfile failed; 7 the customisation did
# not run to its end; 8 nothing was printed for too long; 143 stopped. The last line says what happened.
`, t.Name, who)
	beside := ""
	if r.ContextBeside {
		beside = "beside"
		fmt.Fprintf(b, "#\n# It takes the build context sha256:%s from context.tar beside it, or from\n"+
			"# another place, a tar file or a folder:\n#   TOASTER_CONTEXT=FILE sh FILE\n", r.ContextSHA256)
	}
	required := writeSecrets(b, r.Secrets)
	b.WriteString("\n")
	for _, v := range []struct{ name, value string }{
		{"TARGET", t.Name},
		{"SDK", t.SDK},
		{"SDK_SOURCE", t.Source},
		{"SDK_COMMIT", t.Commit},
		{"ARCH", t.Arch},
		{"BOARD", t.Board},
		{"DISTRIBUTION", t.Distribution},
		{"CODENAME", t.Codename},
		{"VERSION", t.Version},
		{"MIRROR", t.Mirror},
		{"SECURITY", t.Security},
		{"KEYRING", t.Keyring},
		{"KEYRING_PACKAGE", t.KeyringPackage},
		{"KEYRING_SOURCE", t.KeyringSource},
		{"COMPONENTS", strings.Join(t.Components, " ")},
		{"SUITES", strings.Join(t.Suites, " ")},
		{"PACKAGES", strings.Join(t.Packages, ",")},
		{"REPLACE", strings.Join(t.Replace, " ")},
		{"SIZE_MB", number(t.Size)},
		{"IMAGES", number(len(r.Images))},
		{"BOOT_CHECK", number(t.bootCheck())},
		{"SILENCE_LIMIT", strconv.FormatInt(int64(t.silence()/time.Second), 10)},
		{"SECRETS", strings.Join(required, " ")},
		{"CONTEXT", beside},
		{"ROOT_KEYS", r.Root.encoded()},
		{"ROOT_HASH", r.Root.Hash},
		{"BLEND_SHA256", r.BlendSHA256},
		{"APP_ROOT", r.AppRoot},
		{"BUILDER", builder},
	} {
		fmt.Fprintf(b, "%s=%s\n", v.name, shell.Quote(v.value))
	}
}

// writeSecrets says how the script is given secrets, and returns those that it can't do without.
func writeSecrets(b *bytes.Buffer, secrets []Secret) (required []string) {
	if len(secrets) == 0 {
		return nil
	}
	b.WriteString("#\n# It takes secrets from a folder that only you can read, a file for each:\n" +
		"#   TOASTER_SECRETS=FOLDER sh FILE\n")
	for _, s := range secrets {
		need := "optional"
		if s.Required {
			need = "required"
			required = append(required, s.Name)
		}
		fmt.Fprintf(b, "#   %s (%s)\n", s.Name, need)
	}
	return required
}

// number writes n for the shell; empty for 0.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// silence is how long a build may print nothing; 0: any time.
func (t *Target) silence() time.Duration {
	if t.SilenceLimit < 0 {
		return usualSilence
	}
	return t.SilenceLimit
}

func (t *Target) bootCheck() int {
	if t.BootCheck {
		return 1
	}
	return 0
}

func delimiter(sum string) string { return "END_" + sum }

// writeHeredoc defines a shell function that prints text. Nothing in text is expanded, as its delimiter is quoted; and
// text can't end it early, as the delimiter holds a checksum that text can't hold.
func writeHeredoc(b *bytes.Buffer, name, comment, text, sum string) {
	fmt.Fprintf(b, "\n# %s\n%s() {\n\tcat <<'%s'\n%s%s\n}\n", comment, name, delimiter(sum), text, delimiter(sum))
}

// factsOf returns the members of provenance.json that are known before the build, each with a comma behind it.
func factsOf(r Recipe) (string, error) {
	var b strings.Builder
	for _, f := range []struct{ key, value string }{
		{"target", r.Target.Name},
		{"sdk", r.Target.SDK},
		{"toaster_version", r.Version},
		{"base_image", r.Base},
		{"base_form", r.Form},
		{"release", r.Target.Codename},
		{"mirror", r.Target.Mirror},
		{"dockerfile_sha256", r.DockerfileSHA256},
		{"context_sha256", r.ContextSHA256},
		{"environment_sha256", environmentSHA256(r.Environment)},
		{"blend_sha256", r.BlendSHA256},
	} {
		value := []byte("null")
		if f.value != "" {
			var err error
			if value, err = json.Marshal(f.value); err != nil {
				return "", err
			}
		}
		fmt.Fprintf(&b, "  %q: %s,\n", f.key, value)
	}
	names := []string{}
	for _, kv := range r.Environment {
		name, _, _ := strings.Cut(kv, "=")
		names = append(names, name)
	}
	for _, f := range []struct {
		key  string
		list []string
	}{{"environment", names}, {"images", append([]string{}, r.Images...)}} {
		list, err := json.Marshal(f.list)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "  %q: %s,\n", f.key, list)
	}
	source, err := json.Marshal(r.Source)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "  %q: %s,\n", "source", source)
	if strings.Contains(b.String(), delimiter(r.BlendSHA256)) {
		return "", fmt.Errorf("a fact holds the here-document's delimiter")
	}
	return b.String(), nil
}

// membersOf returns those of a JSON object, each with a comma behind it, in one line: so it is no delimiter.
func membersOf(object []byte) (string, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, object); err != nil {
		return "", err
	}
	text, isObject := strings.CutPrefix(b.String(), "{")
	text = strings.TrimSuffix(text, "}")
	if !isObject || text == "" {
		return "", fmt.Errorf("%.20q is not an object with members", object)
	}
	return text + ",\n", nil
}

// environmentSHA256 is that of the variables, a line each; empty without any.
func environmentSHA256(environment []string) string {
	if len(environment) == 0 {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(environment, "\n")+"\n")))
}
