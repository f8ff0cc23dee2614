package dockerfile

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"toaster.do/lib/i18n"
)

// Mistaken says by its content what a file is that is no Dockerfile, such as a Compose file, and what to do next. Both
// are
// empty for a Dockerfile, also for one with faults, and for what can't be told. A Dockerfile's first instruction is
// FROM or ARG: nothing that begins so is taken for anything else.
func Mistaken(text []byte) (message, advice i18n.Key) {
	if message, advice = notText(text); message != "" {
		return message, advice
	}
	if bytes.IndexByte(text, 0) >= 0 || !utf8.Valid(text) {
		return "", ""
	}
	source := strings.TrimPrefix(string(text[:min(len(text), 1<<20)]), "\ufeff")
	first := firstLine(source)
	if word, _, _ := strings.Cut(strings.ToUpper(first), " "); word == "FROM" || word == "ARG" {
		return "", ""
	}
	for _, k := range textKinds {
		if k.is(source, first) {
			return k.message, k.advice
		}
	}
	return "", ""
}

const (
	asContext   = "Choose it as the build context: the Dockerfile in it is used."
	inContext   = "Add it to the build context. In the Dockerfile, COPY it, and install it with RUN."
	packAnew    = "Pack the folder again as .zip or .tar.gz, and choose that as the build context."
	sendText    = "Choose a Dockerfile: a text file that begins with FROM."
	writeOne    = "Write a Dockerfile that begins with FROM, and COPY or RUN this file in it."
	notAnything = "Choose another file: a Dockerfile is plain text that begins with FROM."
)

// magic are the first bytes of files that are no text, at an offset.
var magic = []struct {
	at              int
	bytes           string
	message, advice i18n.Key
}{
	{bytes: "\x89PNG\r\n", message: "This is a picture (PNG), not a Dockerfile.", advice: notAnything},
	{bytes: "\xff\xd8\xff", message: "This is a picture (JPEG), not a Dockerfile.", advice: notAnything},
	{bytes: "GIF87a", message: "This is a picture (GIF), not a Dockerfile.", advice: notAnything},
	{bytes: "GIF89a", message: "This is a picture (GIF), not a Dockerfile.", advice: notAnything},
	{at: 8, bytes: "WEBP", message: "This is a picture (WebP), not a Dockerfile.", advice: notAnything},
	{bytes: "BM", message: "This is a picture (BMP), not a Dockerfile.", advice: notAnything},
	{bytes: "II*\x00", message: "This is a picture (TIFF), not a Dockerfile.", advice: notAnything},
	{bytes: "MM\x00*", message: "This is a picture (TIFF), not a Dockerfile.", advice: notAnything},
	{bytes: "\x00\x00\x01\x00", message: "This is a picture (an icon), not a Dockerfile.", advice: notAnything},
	{bytes: "%PDF-", message: "This is a PDF document, not a Dockerfile.", advice: sendText},
	{bytes: "\x7fELF", message: "This is a program (ELF), not a Dockerfile.", advice: writeOne},
	{bytes: "MZ", message: "This is a Windows program, not a Dockerfile.", advice: notAnything},
	{bytes: "\xcf\xfa\xed\xfe", message: "This is a macOS program, not a Dockerfile.", advice: notAnything},
	{bytes: "\xca\xfe\xba\xbe", message: "This is a Java class or a program for macOS, not a Dockerfile.",
		advice: notAnything},
	{bytes: "\x1f\x8b", message: "This is an archive or a compressed file (gzip), not a Dockerfile.", advice: asContext},
	{bytes: "BZh", message: "This is an archive or a compressed file (bzip2), not a Dockerfile.", advice: asContext},
	{bytes: "\xfd7zXZ\x00", message: "This is an archive or a compressed file (xz), not a Dockerfile.", advice: packAnew},
	{bytes: "\x28\xb5\x2f\xfd", message: "This is an archive or a compressed file (zstd), not a Dockerfile.",
		advice: asContext},
	{bytes: "7z\xbc\xaf\x27\x1c", message: "This is an archive (7z), not a Dockerfile.", advice: packAnew},
	{bytes: "Rar!\x1a\x07", message: "This is an archive (RAR), not a Dockerfile.", advice: packAnew},
	{at: 257, bytes: "ustar", message: "This is an archive (tar), not a Dockerfile.", advice: asContext},
	{bytes: "!<arch>\n", message: "This is a Debian package or a library, not a Dockerfile.", advice: inContext},
	{bytes: "\xed\xab\xee\xdb", message: "This is an RPM package, not a Dockerfile.", advice: notAnything},
	{bytes: "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", message: "This is an old Word or Excel document, not a Dockerfile.",
		advice: "Save its text as plain UTF-8 text, and upload that."},
	{bytes: "SQLite format 3\x00", message: "This is an SQLite database, not a Dockerfile.", advice: notAnything},
	{at: 32769, bytes: "CD001", message: "This is a disc image (ISO), not a Dockerfile.", advice: notAnything},
	{bytes: "QFI\xfb", message: "This is a disk image (qcow2), not a Dockerfile.", advice: notAnything},
	{bytes: "RIFF", message: "This is an audio or video file, not a Dockerfile.", advice: notAnything},
	{bytes: "ID3", message: "This is an audio file (MP3), not a Dockerfile.", advice: notAnything},
	{bytes: "OggS", message: "This is an audio or video file (Ogg), not a Dockerfile.", advice: notAnything},
	{at: 4, bytes: "ftyp", message: "This is a video (MP4) or a picture (HEIC), not a Dockerfile.", advice: notAnything},
	{bytes: "\x00asm", message: "This is a WebAssembly program, not a Dockerfile.", advice: notAnything},
}

// notText tells what a file is that is not UTF-8 text.
func notText(text []byte) (message, advice i18n.Key) {
	switch {
	case bytes.HasPrefix(text, []byte("PK\x03\x04")), bytes.HasPrefix(text, []byte("PK\x05\x06")):
		return zipKind(text)
	case isUTF16(text):
		return "This is text in UTF-16, not a Dockerfile.",
			"Save it as UTF-8: in the editor, “Save as”, then select the encoding UTF-8."
	}
	for _, m := range magic {
		if len(text) >= m.at+len(m.bytes) && string(text[m.at:m.at+len(m.bytes)]) == m.bytes {
			if plain := utf8.Valid(text) && bytes.IndexByte(text, 0) < 0; plain && (len(m.bytes) < 5 || m.at > 0) {
				continue // letters that a text may begin with
			}
			return m.message, m.advice
		}
	}
	return "", ""
}

// zipKind tells documents and packages from other ZIP archives, by the names in them.
func zipKind(text []byte) (message, advice i18n.Key) {
	head := text[:min(len(text), 64<<10)]
	has := func(name string) bool { return bytes.Contains(head, []byte(name)) }
	switch {
	case has("word/document.xml") || has("word/_rels"):
		return "This is a Word document, not a Dockerfile.", "Save its text as plain UTF-8 text, and upload that."
	case has("xl/workbook.xml") || has("xl/_rels"):
		return "This is an Excel document, not a Dockerfile.", notAnything
	case has("mimetypeapplication/vnd.oasis.opendocument"):
		return "This is a LibreOffice document, not a Dockerfile.", "Save its text as plain UTF-8 text, and upload that."
	case has("META-INF/MANIFEST.MF"):
		return "This is a Java archive (JAR), not a Dockerfile.", inContext
	}
	return "This is an archive (ZIP), not a Dockerfile.", asContext
}

// isUTF16 tells UTF-16 by its mark, or by letters of ASCII that each have a NUL beside them.
func isUTF16(text []byte) bool {
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return true
	}
	head := text[:min(len(text), 200)&^1]
	var nul [2]int
	for i, c := range head {
		if c == 0 {
			nul[i%2]++
		}
	}
	half := len(head) / 2
	return half >= 8 && (nul[0] == 0 && nul[1] >= half-2 || nul[1] == 0 && nul[0] >= half-2)
}

// firstLine is the first line that is neither empty nor a comment of a Dockerfile, with those that it goes on in.
func firstLine(source string) string {
	first := ""
	for line := range strings.Lines(source) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		first += strings.TrimRight(line, "\\`")
		if first != "" && !strings.HasSuffix(line, `\`) && !strings.HasSuffix(line, "`") {
			break
		}
	}
	return strings.Join(strings.Fields(first), " ")
}

// textKind is what a text may be. is gets all of it, and its first line that is no comment of a Dockerfile.
type textKind struct {
	message, advice i18n.Key
	is              func(source, first string) bool
}

// begins makes a test of the whole text, which ignores spaces and the case of letters at its beginning.
func begins(with ...string) func(string, string) bool {
	return func(source, _ string) bool {
		source = strings.ToLower(strings.TrimLeft(source[:min(len(source), 4096)], " \t\r\n"))
		for _, w := range with {
			if strings.HasPrefix(source, w) {
				return true
			}
		}
		return false
	}
}

// matching makes a test for a line that matches, wherever it stands.
func matching(expression string) func(string, string) bool {
	re := lazy(`(?m)` + expression)
	return func(source, _ string) bool { return re().MatchString(source) }
}

func all(tests ...func(string, string) bool) func(string, string) bool {
	return func(source, first string) bool {
		for _, is := range tests {
			if !is(source, first) {
				return false
			}
		}
		return true
	}
}

func either(tests ...func(string, string) bool) func(string, string) bool {
	return func(source, first string) bool {
		for _, is := range tests {
			if is(source, first) {
				return true
			}
		}
		return false
	}
}

// firsts makes a test of the first line.
func firsts(expression string) func(string, string) bool {
	re := lazy(expression)
	return func(_, first string) bool { return re().MatchString(first) }
}

// isJSON allows the comments that devcontainer.json may have.
func isJSON(source, _ string) bool {
	text := strings.TrimSpace(jsonComment().ReplaceAllString(source, ""))
	if text == "" || text[0] != '{' && text[0] != '[' {
		return false
	}
	return json.Valid([]byte(text)) || jsonKey().MatchString(text)
}

var (
	jsonComment = lazy(`(?m)^\s*//.*$|^\s*/\*(?s:.*?)\*/`)
	jsonKey     = lazy(`^[{\[]\s*("[^"]*"\s*:|[{"\]}])`)
)

func jsonWith(keys string) func(string, string) bool {
	return all(isJSON, matching(`"(`+keys+`)"\s*:`))
}

// textKinds come in the order in which they are tried: what says more comes first.
var textKinds = []textKind{
	{
		message: "This is a web page (HTML), not a Dockerfile.",
		advice:  "You may have saved the web page of the file. Download the “raw” file, and upload that.",
		is:      begins("<!doctype html", "<html", "<head", "<body"),
	},
	{
		message: "This is an XML file, not a Dockerfile.",
		advice:  notAnything,
		is:      begins("<?xml", "<project", "<svg"),
	},
	{
		message: "This is an RTF document, not a Dockerfile.",
		advice:  "Save its text as plain UTF-8 text, and upload that.",
		is:      begins(`{\rtf`),
	},
	{
		message: "This is a Git LFS pointer, not the file itself.",
		advice:  "Fetch the file with “git lfs pull”, and upload that.",
		is:      begins("version https://git-lfs.github.com"),
	},
	{
		message: "This is a patch, not a Dockerfile.",
		advice:  "Apply it to the Dockerfile, and upload the result.",
		is:      begins("diff --git", "--- a/"),
	},
	{
		message: "This is a private key, not a Dockerfile.",
		advice:  "Keep it secret: anyone who has it can use it. " + sendText,
		is:      begins("-----begin "),
	},
	{
		message: "This is a cloud-init configuration, not a Dockerfile.",
		advice:  writeOne,
		is:      begins("#cloud-config"),
	},
	{
		message: "This is a devcontainer.json, not a Dockerfile.",
		advice:  "Upload the Dockerfile that “build” refers to, or one that begins with FROM and its “image”.",
		is:      jsonWith(`dockerComposeFile|postCreateCommand|customizations|remoteUser|devcontainerId|forwardPorts|features`),
	},
	{
		message: "This is a package.json, not a Dockerfile.",
		advice:  writeOne + " For example: COPY package.json ., then RUN npm install.",
		is:      jsonWith(`dependencies|devDependencies|scripts|private`),
	},
	{
		message: "This is a JSON file, not a Dockerfile.",
		advice:  sendText,
		is:      isJSON,
	},
	{
		message: "This is a Compose file (docker-compose.yml), not a Dockerfile.",
		advice:  "Upload the Dockerfile that “build:” of a service refers to. Create one job for each service.",
		is:      all(matching(`^services:\s*(#.*)?$`), matching(`^ +[\w.-]+:`)),
	},
	{
		message: "This is a Kubernetes file, not a Dockerfile.",
		advice:  "Upload the Dockerfile that its image is built from.",
		is:      all(matching(`^apiVersion:\s`), matching(`^kind:\s`)),
	},
	{
		message: "This is a workflow of a CI service, not a Dockerfile.",
		advice:  "Upload the Dockerfile that it builds.",
		is: either(all(matching(`^("on"|on|'on'):`), matching(`^jobs:`)),
			all(matching(`^stages?:`), matching(`^ +(- )?script:`)),
			matching(`^(steps|pipeline):\s*$`)),
	},
	{
		message: "This is an Ansible playbook, not a Dockerfile.",
		advice:  writeOne,
		is:      all(firsts(`^(---|- )`), matching(`^\s*-?\s*hosts:`)),
	},
	{
		message: "This is a Vagrantfile, not a Dockerfile.",
		advice:  "Write a Dockerfile: use FROM instead of the box, and RUN instead of the provisioning.",
		is:      matching(`^\s*Vagrant\.configure`),
	},
	{
		message: "This is a Jenkinsfile, not a Dockerfile.",
		advice:  "Upload the Dockerfile that it builds.",
		is: either(firsts(`^(pipeline|node)\b.*\{`),
			all(firsts(`^(@Library|def |import |properties\()`), matching(`^\s*(pipeline|node)\b.*\{`))),
	},
	{
		message: "This is a Terraform file, not a Dockerfile.",
		advice:  writeOne,
		is:      firsts(`^(terraform|provider|resource|variable|module|data)( "[^"]*")* \{$`),
	},
	{
		message: "This is a Makefile, not a Dockerfile.",
		advice:  "Upload the Dockerfile that it builds.",
		is:      all(matching(`^[\w./-]+( [\w./-]+)*:([^=]|$)`), matching("^\t\\S")),
	},
	{
		message: "This is a docker command, not a Dockerfile.",
		advice:  "Upload the Dockerfile itself. Add the options of “docker run -p” and “-e” to EXPOSE and ENV.",
		is:      firsts(`^(\$ )?(sudo )?(docker|podman|buildah)( |-compose )(run|build|pull|compose|up|exec)`),
	},
	{
		message: "This is a shell script, not a Dockerfile.",
		advice:  "Write a Dockerfile that begins with FROM, and put the commands of the script into RUN.",
		is: either(begins("#!/bin/sh", "#!/bin/bash", "#!/usr/bin/env bash", "#!/usr/bin/env sh", "#!/bin/zsh",
			"#!/usr/bin/bash",
			"#! /bin/sh", "#! /bin/bash", "#!/bin/dash", "#!/bin/ash", "#!/usr/bin/sh", "#!/usr/bin/env zsh"),
			firsts(`^set -[a-z]*[eux]|^(sudo )?apt(-get)? (-\S+ )*(update|install)\b`)),
	},
	{
		message: "This is a script, not a Dockerfile.",
		advice:  writeOne,
		is:      begins("#!"),
	},
	{
		message: "This is a Python program, not a Dockerfile.",
		advice:  writeOne,
		is:      firsts(`^(import [\w.]+( as \w+)?(,|$)|def \w+\(|class \w+.*:$)`),
	},
	{
		message: "This is a Go source file, not a Dockerfile.",
		advice:  writeOne,
		is:      firsts(`^package \w+$`),
	},
	{
		message: "This is a Windows batch file, not a Dockerfile.",
		advice:  notAnything,
		is:      begins("@echo off", "rem "),
	},
	{
		message: "This is a configuration file (TOML or INI), not a Dockerfile.",
		advice:  sendText,
		is:      all(firsts(`^\[[^\]]+\]$`), matching(`^[\w."-]+\s*=`)),
	},
	{
		message: "This is a file of environment variables, not a Dockerfile.",
		advice:  "Write ENV lines in a Dockerfile that begins with FROM.",
		is:      isEnvironment,
	},
	{
		message: "This is a .dockerignore or .gitignore, not a Dockerfile.",
		advice:  "Add the file to the build context, and upload the Dockerfile.",
		is:      isIgnore,
	},
	{
		message: "This is a Markdown file, not a Dockerfile.",
		advice:  "Copy the lines between the ``` marks, and paste them.",
		is:      isMarkdown,
	},
	{
		message: "This is a YAML file, not a Dockerfile.",
		advice:  sendText,
		is:      all(firsts(`^(---|[\w.-]+:( .*)?|- .*)$`), matching(`^[\w.-]+:(\s|$)`), not(anInstruction)),
	},
}

func not(is func(string, string) bool) func(string, string) bool {
	return func(source, first string) bool { return !is(source, first) }
}

// anInstruction tells whether a line begins as one of a Dockerfile does.
var anInstruction = matching(`(?i)^\s*(FROM|RUN|COPY|ADD|CMD|ENTRYPOINT|WORKDIR|ENV|ARG|EXPOSE|USER|LABEL|VOLUME)\s+\S`)

// isEnvironment: every line is NAME=VALUE, or a comment.
func isEnvironment(source, first string) bool {
	for l := range strings.Lines(source) {
		if l = strings.TrimSpace(l); l != "" && l[0] != '#' && !environmentLine().MatchString(l) {
			return false
		}
	}
	return first != ""
}

var environmentLine = lazy(`^(export )?[A-Za-z_][A-Za-z0-9_]*=`)

// isIgnore: every line is a pattern, and some look like nothing else.
func isIgnore(source, first string) bool {
	typical := false
	for l := range strings.Lines(source) {
		l = strings.TrimSpace(l)
		if strings.ContainsAny(l, " \t:=") && !strings.HasPrefix(l, "#") {
			return false
		}
		typical = typical || strings.HasPrefix(l, "*") || strings.HasPrefix(l, "!") || strings.HasPrefix(l, ".git") ||
			strings.HasPrefix(l, "**/") || l == "node_modules" || l == "node_modules/"
	}
	return typical && first != ""
}

// isMarkdown: headings and prose, or a fence around code. In a Dockerfile headings are comments.
func isMarkdown(source, first string) bool {
	if markdownFence().MatchString(source) || strings.HasPrefix(first, "[![") || strings.HasPrefix(first, "![") {
		return true
	}
	heading := markdownHeading().MatchString(source)
	return heading && !anInstruction(source, first) &&
		(markdownMark().MatchString(source) || strings.Count(first, " ") > 3)
}

var (
	markdownFence   = lazy("(?m)^ {0,3}(```|~~~)[\\w-]*\\s*$")
	markdownHeading = lazy(`(?m)^(#{1,6} \S|(===+|---+)\s*$)`)
	markdownMark    = lazy(`(?m)^\s*[-*] \S|\[[^\]]+\]\([^)]+\)|\*\*\w|^> `)
)
