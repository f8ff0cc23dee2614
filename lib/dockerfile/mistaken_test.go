package dockerfile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"toaster.do/lib/dockerfile"
)

func utf16le(text string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(text)) {
		b.Write([]byte{byte(u), byte(u >> 8)})
	}
	return b.String()
}

// TestWhatIsNoDockerfileIsNamed: what people send in a Dockerfile's place, by content alone.
func TestWhatIsNoDockerfileIsNamed(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"version: '3.8'\nservices:\n  web:\n    build: .\n    ports:\n      - \"80:80\"\n", "Compose"},
		{"# The stack\n\nservices:\n  db:\n    image: postgres\nvolumes:\n  data:\n", "Compose"},
		{"x-common: &c\n  restart: always\nservices: # all\n  a:\n    <<: *c\n", "Compose"},
		{"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "picture (PNG)"},
		{"\xff\xd8\xff\xe0\x00\x10JFIF", "picture (JPEG)"},
		{"GIF89a\x01\x00", "picture (GIF)"},
		{"RIFF\x10\x00\x00\x00WEBPVP8 ", "picture (WebP)"},
		{"PK\x03\x04\x14\x00\x00\x00\x08\x00project/Dockerfile", "ZIP"},
		{"PK\x03\x04\x14\x00\x06\x00\x08\x00[Content_Types].xml....word/document.xml", "Word"},
		{"PK\x03\x04\x14\x00\x00\x00\x00\x00mimetypeapplication/vnd.oasis.opendocument.text", "LibreOffice"},
		{"PK\x03\x04\x14\x00\x08\x08META-INF/MANIFEST.MF", "JAR"},
		{"\x1f\x8b\x08\x00\x00\x00\x00\x00", "gzip"},
		{"BZh91AY&SY\x00\x01", "bzip2"},
		{"\xfd7zXZ\x00\x00\x04", "xz"},
		{"\x28\xb5\x2f\xfd\x04\x00", "zstd"},
		{"7z\xbc\xaf\x27\x1c\x00\x04", "7z"},
		{"Rar!\x1a\x07\x01\x00", "RAR"},
		{"Dockerfile" + strings.Repeat("\x00", 247) + "ustar\x0000", "tar"},
		{"\x7fELF\x02\x01\x01\x00", "program (ELF)"},
		{"MZ\x90\x00\x03\x00", "Windows"},
		{"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"},
		{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", "old Word"},
		{`{\rtf1\ansi FROM debian}`, "RTF"},
		{"\xff\xfe" + utf16le("FROM debian:bookworm\n"), "UTF-16"},
		{"\xfe\xff\x00F\x00R\x00O\x00M", "UTF-16"},
		{utf16le("FROM debian:bookworm\nRUN true\n"), "UTF-16"},
		{"<!DOCTYPE html>\n<html><body>FROM debian</body></html>", "HTML"},
		{"  <HTML>\n", "HTML"},
		{"<?xml version=\"1.0\"?>\n<project/>", "XML"},
		{"# My project\n\nSome words about it, with a [link](https://example.org).\n\n```dockerfile\nFROM debian\n```\n",
			"Markdown"},
		{"# Title\n\nThis project makes bread out of flour.\n\n## Use\n\n- toast it\n- eat it\n", "Markdown"},
		{"Title\n=====\n\n* one\n* two\n", "Markdown"},
		{"[![CI](https://example.org/x.svg)](https://example.org)\n\n# Name\n", "Markdown"},
		{"{\n  \"name\": \"x\",\n  \"scripts\": {\"start\": \"node .\"},\n  \"dependencies\": {}\n}\n", "package.json"},
		{"// For format details, see https://aka.ms\n{\n\t\"name\": \"Go\",\n\t\"image\": \"x\",\n\t\"customizations\": " +
			"{\"vscode\": {}},\n}\n", "devcontainer.json"},
		{"{\"name\":\"x\",\"dockerComposeFile\":\"y.yml\"}", "devcontainer.json"},
		{"[1, 2]", "JSON"},
		{"{\"message\":\"Not Found\"}", "JSON"},
		{"#!/bin/sh\nset -e\napt-get update\n", "shell script"},
		{"#!/usr/bin/env bash\nFROM=1\necho $FROM\n", "shell script"},
		{"set -eux\napt-get install -y nginx\n", "shell script"},
		{"#!/usr/bin/env python3\nprint()\n", "script"},
		{"import os\nimport sys\n\nprint(os.getcwd())\n", "Python"},
		{"package main\n\nimport \"fmt\"\n", "Go"},
		{"# -*- mode: ruby -*-\nVagrant.configure(\"2\") do |config|\n  config.vm.box = \"debian/bookworm64\"\nend\n",
			"Vagrantfile"},
		{"pipeline {\n  agent any\n  stages { }\n}\n", "Jenkinsfile"},
		{"@Library('x') _\nnode('docker') {\n}\n", "Jenkinsfile"},
		{"name: CI\non:\n  push:\njobs:\n  build:\n    runs-on: ubuntu\n", "CI"},
		{"stages:\n  - build\nbuild:\n  script:\n    - make\n", "CI"},
		{"apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\n", "Kubernetes"},
		{"- hosts: all\n  tasks:\n    - apt: name=nginx\n", "Ansible"},
		{"resource \"aws_instance\" \"x\" {\n}\n", "Terraform"},
		{"all: build\n\nbuild:\n\tdocker build .\n", "Makefile"},
		{"docker run -d -p 80:80 nginx\n", "docker command"},
		{"$ sudo docker compose up -d\n", "docker command"},
		{"#cloud-config\npackages:\n  - nginx\n", "cloud-init"},
		{"A=1\n# b\nexport B=two words\n", "environment"},
		{"*.log\nnode_modules\n!keep\n", "ignore"},
		{"[Unit]\nDescription=x\n", "TOML or INI"},
		{"diff --git a/Dockerfile b/Dockerfile\n", "patch"},
		{"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "LFS"},
		{"-----BEGIN OPENSSH PRIVATE KEY-----\n", "private key"},
		{"key: value\nlist:\n  - a\n", "YAML"},
	} {
		what, advice := dockerfile.Mistaken([]byte(c.text))
		if !strings.Contains(string(what), c.want) || advice == "" || !strings.HasSuffix(string(advice), ".") {
			t.Errorf("%.60q is %q (%q), not %s", c.text, what, advice, c.want)
		}
	}
}

// TestADockerfileIsNothingElse: also a faulty one, or one with other languages inside, is never taken for another file.
func TestADockerfileIsNothingElse(t *testing.T) {
	for _, text := range []string{
		"", "\n# only a comment\n", "FROM debian", "from debian\nrun x", "ARG A=1\nFROM $A", "\ufeffFROM debian\n",
		"\\\nFROM debian\n",
		"FR\\\n# between\nOM debian\nRUN <<E\nservices:\n  a:\nE\n", "# escape=`\n`\nFROM debian\n",
		"# syntax=docker/dockerfile:1\n\n# Title\n# =====\nFROM debian\nCOPY <<E /docker-compose.yml\nservices:\n  web:\n  " +
			"  image: x\nE\n",
		"#!/usr/bin/env docker\nFROM debian\n", "FROM debian\nRUN echo '```'\n```\n", "FRUM debian\nRUN true\n",
		"RUN true\nFROM debian\n",
		"FROM debian\nCOPY <<E /Vagrantfile\nVagrant.configure\nE\n",
		"FROM debian\nRUN tar --format=" + strings.Repeat("x", 230) + "ustar\n",
		"COPY . /\nRUN make\n", "FROMdebian\n", "MAINTAINER x\nFROM debian\n",
	} {
		if what, _ := dockerfile.Mistaken([]byte(text)); what != "" {
			t.Errorf("%q is taken for %s", text, what)
		}
	}
	files, _ := filepath.Glob("difftest/testdata/*.txt")
	more, _ := filepath.Glob("testdata/fuzz/*/*")
	if corpus := os.Getenv("TOASTER_DOCKERFILES"); corpus != "" {
		others, _ := filepath.Glob(filepath.Join(corpus, "*", "Dockerfile"))
		more = append(more, others...)
	}
	if len(files) == 0 {
		t.Fatal("no corpus")
	}
	for _, name := range append(files, more...) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range bytes.Split(text, []byte("\n-- ")) {
			neverMistaken(t, part)
		}
	}
}

func FuzzMistaken(f *testing.F) {
	f.Add([]byte("FROM debian\nRUN true\n"))
	f.Add([]byte("services:\n  a:\n"))
	f.Add([]byte("\\\nFROM debian\nRUN <<E\n```\nE\n"))
	f.Fuzz(func(t *testing.T, text []byte) { neverMistaken(t, text) })
}

// neverMistaken: what BuildKit reads as a Dockerfile is nothing else.
func neverMistaken(t *testing.T, text []byte) {
	what, _ := dockerfile.Mistaken(text)
	if what == "" {
		return
	}
	if ast, err := parser.Parse(bytes.NewReader(text)); err == nil {
		if stages, _, err := instructions.Parse(ast.AST, nil); err == nil && len(stages) > 0 && bytes.IndexByte(text, 0) < 0 {
			t.Errorf("%.200q is taken for %s", text, what)
		}
	}
}
