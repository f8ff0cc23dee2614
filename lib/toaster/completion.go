package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (c *completionCommand) Help() string {
	return "Bash:\n\n    toaster completion bash >~/.local/share/bash-completion/completions/toaster\n\n" +
		"Zsh, in a folder of $fpath:\n\n    toaster completion zsh >~/.zfunc/_toaster\n\n" +
		"Fish:\n\n    toaster completion fish >~/.config/fish/completions/toaster.fish"
}

func (c *completionCommand) Run(w *world) error {
	text := map[string]func(*kong.Application) string{"bash": bash, "zsh": zsh, "fish": fish}[c.Shell](w.program)
	_, err := fmt.Fprint(w.out, text)
	return err
}

// flagsOf are a command's options, with those of all commands.
func flagsOf(program *kong.Application, c *kong.Node) (list []string) {
	for _, f := range append(c.Flags[:len(c.Flags):len(c.Flags)], program.Flags...) {
		if list = append(list, "--"+f.Name); f.Short != 0 {
			list = append(list, "-"+string(f.Short))
		}
	}
	return list
}

func commandNames(program *kong.Application) (list []string) {
	for _, c := range program.Leaves(true) {
		list = append(list, c.Name)
	}
	return list
}

// cases are the options of each command, in the shell's case statement.
func cases(program *kong.Application) string {
	var b strings.Builder
	for _, c := range program.Leaves(true) {
		fmt.Fprintf(&b, "    %s) flags='%s' ;;\n", c.Name, strings.Join(flagsOf(program, c), " "))
	}
	return b.String()
}

func bash(program *kong.Application) string {
	return `# completion of toaster for bash

# _toaster_lines offers the lines of standard input that begin with $1. compgen -W would run what is in them.
_toaster_lines() {
  local line quoted
  compopt +o filenames 2>/dev/null
  while IFS= read -r line; do
    printf -v quoted %q "$line"
    if [[ $line == "$1"* || $quoted == "$1"* ]]; then COMPREPLY+=("$quoted"); fi
  done
}

_toaster() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} flags=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '` + strings.Join(commandNames(program), " ") + `' -- "$word"))
    return
  fi
  case ${COMP_WORDS[1]} in
` + cases(program) + `  esac
  case $before in
    -t|--target) _toaster_lines "$word" < <(toaster targets -q 2>/dev/null); return ;;
    -o|--output) COMPREPLY=($(compgen -d -- "$word")); return ;;
    -f|--file) [ "${COMP_WORDS[1]}" != build ] || { COMPREPLY=($(compgen -f -- "$word")); return; } ;;
  esac
  case $word in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$word")); return ;;
  esac
  case ${COMP_WORDS[1]} in
    logs|download|stop) _toaster_lines "$word" < <(toaster jobs -q 2>/dev/null) ;;
    completion) COMPREPLY=($(compgen -W 'bash zsh fish' -- "$word")) ;;
    help) COMPREPLY=($(compgen -W '` + strings.Join(commandNames(program), " ") + `' -- "$word")) ;;
    build|verify) COMPREPLY=($(compgen -d -- "$word")) ;;
  esac
}
complete -o filenames -F _toaster toaster
`
}

func zsh(program *kong.Application) string {
	return `#compdef toaster
# completion of toaster for zsh
_toaster() {
  local flags= before=$words[CURRENT-1]
  if (( CURRENT == 2 )); then
    compadd -- ` + strings.Join(commandNames(program), " ") + `
    return
  fi
  case $words[2] in
` + cases(program) + `  esac
  case $before in
    -t|--target) compadd -- ${(f)"$(toaster targets -q 2>/dev/null)"}; return ;;
    -o|--output) _files -/; return ;;
    -f|--file) [[ $words[2] != build ]] || { _files; return } ;;
  esac
  if [[ $words[CURRENT] == -* ]]; then
    compadd -- ${=flags}
    return
  fi
  case $words[2] in
    logs|download|stop) compadd -- ${(f)"$(toaster jobs -q 2>/dev/null)"} ;;
    completion) compadd -- bash zsh fish ;;
    help) compadd -- ` + strings.Join(commandNames(program), " ") + ` ;;
    build|verify) _files -/ ;;
  esac
}
[[ $funcstack[1] != _toaster ]] || _toaster "$@"
(( ! $+functions[compdef] )) || compdef _toaster toaster
`
}

func fish(program *kong.Application) string {
	var b strings.Builder
	b.WriteString("# completion of toaster for fish\ncomplete -c toaster -f\n")
	quote := func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'" }
	for _, c := range program.Leaves(true) {
		fmt.Fprintf(&b, "complete -c toaster -n __fish_use_subcommand -a %s -d %s\n", c.Name, quote(c.Help))
		in := "-n '__fish_seen_subcommand_from " + c.Name + "'"
		for _, f := range append(c.Flags[:len(c.Flags):len(c.Flags)], program.Flags...) {
			fmt.Fprintf(&b, "complete -c toaster %s -l %s -d %s", in, f.Name, quote(f.Help))
			if f.Short != 0 {
				fmt.Fprintf(&b, " -s %c", f.Short)
			}
			switch {
			case f.Name == "target":
				b.WriteString(" -x -a '(toaster targets -q 2>/dev/null)'")
			case !f.IsBool():
				b.WriteString(" -r -F")
			}
			b.WriteByte('\n')
		}
	}
	b.WriteString("complete -c toaster -n '__fish_seen_subcommand_from logs download stop' " +
		"-a '(toaster jobs -q 2>/dev/null)'\n" +
		"complete -c toaster -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n" +
		"complete -c toaster -n '__fish_seen_subcommand_from build verify' -F\n")
	return b.String()
}
