package dockerfile

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

var (
	//go:embed zsh/blend.zsh
	blendZsh string
	//go:embed zsh/reader.pl
	readerPerl string
	//go:embed zsh/builder.zsh
	builderZsh string
	//go:embed zsh/inside.zsh
	insideZsh string
	//go:embed zsh/run.zsh
	runZsh string
	//go:embed zsh/secret.zsh
	secretZsh string
	//go:embed zsh/copy.zsh
	copyZsh string
	//go:embed zsh/lay.zsh
	layZsh string
	//go:embed zsh/add.zsh
	addZsh string
	//go:embed zsh/git.zsh
	gitZsh string
	// GitScript is what git_tree runs in its sandbox, POSIX sh: it fetches into the working directory, /git/tree.
	//go:embed zsh/git.sh
	GitScript string
	//go:embed zsh/image.zsh
	imageZsh string
	//go:embed zsh/grow.zsh
	growZsh string
	//go:embed zsh/stamp.zsh
	stampZsh string
	//go:embed zsh/service.zsh
	serviceZsh string
	//go:embed zsh/application.zsh
	applicationZsh string
	//go:embed zsh/enter.zsh
	enterZsh string
	//go:embed zsh/map.zsh
	mapZsh string
	//go:embed zsh/sandbox.zsh
	sandboxZsh string
	//go:embed zsh/network.zsh
	networkZsh string
)

// blend puts the translated stages, the builder's functions and the context into one file.
func (t *translator) blend() *Blend {
	last := t.stages[len(t.stages)-1]
	functions, builder := functions(), t.builder(last)
	names, size := t.context.named(t.packed)
	beside := len(names) > 0 && size > cmp.Or(t.source.Inside, InsideLimit)
	if beside {
		size = 0
	}
	dockerfile, context := hash(t.source.Dockerfile), ""
	if t.source.Context != nil {
		context = t.source.Context.SHA256()
	}
	id := hash([]byte(hash([]byte(functions+builder)) + context + strings.Join(names, "\x00")))
	base, _ := last.baseImage()
	var w bytes.Buffer
	w.Grow(len(functions) + len(builder) + int(size)*3/2 + 64<<10)
	fmt.Fprintf(&w, "#!/usr/bin/env zsh\n# Made by toaster from a Dockerfile.\n# Dockerfile sha256:%s\n", dockerfile)
	if context != "" {
		fmt.Fprintf(&w, "# Context    sha256:%s\n", context)
	}
	if beside {
		w.WriteString("# It takes the context's files from $TOASTER_CONTEXT, a tar file or folder with a manifest.\n")
	}
	fmt.Fprintf(&w, "toaster_blend=%s\n\n%s\n", id, blendZsh)
	w.WriteString(
		"# toaster_tools FOLDER writes the program that makes the namespaces there, and the builder's functions.\n" +
			"toaster_tools() {\n")
	document(&w, "cat >$1/enter", id, func() { w.WriteString(mapZsh + enterZsh) })
	document(&w, "cat >$1/functions", id, func() { w.WriteString(functions) })
	w.WriteString("}\n\n" +
		"# toaster_unpack FOLDER writes them, the Dockerfile's instructions and the build context there.\n" +
		"toaster_unpack() {\n\ttoaster_tools $1 || return 1\n")
	document(&w, "cat >$1/builder", id, func() { w.WriteString(builder) })
	t.writeFiles(&w, id, names, beside)
	b := &Blend{Text: w.Bytes(), Steps: t.steps, Base: base, Form: t.form, Images: t.references(),
		Dockerfile: dockerfile, Context: context, Config: []byte(t.imageJSON(last)), Secrets: t.secrets,
		Environment: t.source.Environment}
	if t.form == FormAppliance {
		b.Root = applianceRoot
	}
	if beside {
		b.External, b.Files = true, t.context.sums(names)
	}
	b.SHA256 = hash(b.Text)
	return b
}

// document writes a here-document that zsh does not look into. No line of text is the delimiter: people's text is
// on lines that begin with a word of the builder, and the delimiter has a checksum in it.
func document(w *bytes.Buffer, command, id string, text func()) {
	delimiter := "TOASTER_" + id
	fmt.Fprintf(w, "\t%s <<'%s' || return 1\n", command, delimiter)
	text()
	if !bytes.HasSuffix(w.Bytes(), []byte("\n")) {
		w.WriteByte('\n')
	}
	w.WriteString(delimiter + "\n")
}

// writeFiles ends toaster_unpack with what it does for entries of the context.
func (t *translator) writeFiles(w *bytes.Buffer, id string, names []string, beside bool) {
	switch {
	case beside:
		w.WriteString("\ttoaster_reader >$1/reader || return 1\n}\n\n" +
			"# toaster_reader prints a program that reads the build context beside this file.\ntoaster_reader() {\n")
		document(w, "cat", id, func() { w.WriteString(t.reader(names)) })
	case len(names) > 0:
		document(w, "base64 -d >$1/context.tar.gz", id, func() { t.writeContext(w, names) })
	default:
		w.WriteString("\t: >$1/context.tar.gz\n")
	}
	w.WriteString("}\n")
}

// writeContext writes entries of the context as an archive in base64.
func (t *translator) writeContext(w *bytes.Buffer, names []string) {
	e := base64.NewEncoder(base64.StdEncoding, &lines76{to: w})
	if err := t.context.pack(e, t.files, names); err != nil {
		t.files.note(err)
	}
	_ = e.Close() // it goes to memory
}

// reader is the program that reads the entries from beside the blend.
func (t *translator) reader(names []string) string {
	return "our $digest = \"" + t.context.SHA256() + "\";\nour @lines = qw(\n" + wrapped(t.context.numbers(names)) +
		"\n);\n" + readerPerl
}

// lines76 breaks what is written into lines of 76 characters, as MIME has them (RFC 2045, 6.8).
type lines76 struct {
	to   *bytes.Buffer
	here int // characters in this line
}

func (l *lines76) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if l.here == 76 {
			l.to.WriteByte('\n')
			l.here = 0
		}
		part := p[:min(len(p), 76-l.here)]
		l.to.Write(part)
		l.here += len(part)
		p = p[len(part):]
	}
	return n, nil
}

// functions are those of the builder.
func functions() string {
	var w strings.Builder
	for _, part := range []string{mapZsh, builderZsh, insideZsh, sandboxParts(), sandboxZsh, networkZsh, runZsh,
		secretZsh, copyZsh, layZsh, addZsh, gitZsh,
		"typeset -r git_script=" + quote(GitScript), imageZsh, growZsh, stampZsh, serviceZsh, applicationZsh} {
		w.WriteString(part + "\n")
	}
	return w.String()
}

// builder is the program that makes the image's files: the Dockerfile, an instruction a paragraph. Text of the
// Dockerfile stands there only in quoted words.
func (t *translator) builder(last *stage) string {
	var w strings.Builder
	w.WriteString("source ./functions || exit 1\nunpack_context\n")
	fmt.Fprintf(&w, "typeset -r STEPS=%d\nproxies=(%s)\n", len(t.steps), words(proxies(t.source.BuildArgs)...))
	if name := t.source.BuildArgs[hostnameArg]; name != "" {
		w.WriteString("oci_hostname=" + quote(name) + "\n")
	}
	service := t.service(last)
	if service != "" && t.form != FormAppliance {
		w.WriteString("remember\n")
	}
	w.WriteString(t.roots())
	for _, s := range t.stages {
		if s.needed {
			w.WriteString(s.body.String())
		}
	}
	if t.form == FormAppliance {
		fmt.Fprintf(&w, "\nappliance %d\n", last.index)
	}
	w.WriteString("\n" + service)
	w.WriteString("metadata " + quote(t.imageJSON(last)) + "\nfinished=1\n")
	return w.String()
}

// imageJSON is the OCI image configuration, as far as it is known.
func (t *translator) imageJSON(s *stage) string {
	architecture, _ := t.globals.Get("TARGETARCH")
	variant, _ := t.globals.Get("TARGETVARIANT")
	text, _ := json.MarshalIndent(struct {
		Author       string `json:"author,omitempty"`
		Architecture string `json:"architecture"`
		Variant      string `json:"variant,omitempty"`
		OS           string `json:"os"`
		Config       config `json:"config"`
	}{s.config.author, architecture, variant, "linux", s.config}, "", "  ") // no type in it can fail
	return string(text) + "\n"
}
