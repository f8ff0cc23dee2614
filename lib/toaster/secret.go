package main

import (
	"os"
	"strings"
)

// maxSecret is the size of a secret at most, as conf/api.md says.
const maxSecret = 64 << 10

// secretFlags are what a build is given, as the command line of docker build has it.
type secretFlags struct {
	Secret []string `placeholder:"id=ID,src=FILE|env=NAME" sep:"none" help:"A secret for RUN --mount=type=secret, from a file or a variable. Can be repeated."`
	SSH    []string `name:"ssh" placeholder:"ID=FILE" sep:"none" help:"A private SSH key for RUN --mount=type=ssh, in OpenSSH's format and without a passphrase. The usual ID is “default”. Can be repeated."`
}

// readSecrets returns them by the names of a form's fields.
func (c secretFlags) readSecrets() (map[string][]byte, error) {
	all := map[string][]byte{}
	for _, text := range c.Secret {
		name, value, err := readSecret(text)
		if err != nil {
			return nil, err
		}
		all["secret."+name] = value
	}
	for _, text := range c.SSH {
		id, file, ok := strings.Cut(text, "=")
		if !ok || id == "" {
			return nil, misused("--ssh must be ID=FILE, such as default=id_ed25519, not %q", text)
		}
		value, err := readBounded(file, maxSecret)
		if err != nil {
			return nil, misused("--ssh: %v", err)
		}
		all["secret.ssh."+id] = value
	}
	return all, nil
}

func readSecret(text string) (name string, value []byte, err error) {
	parts := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(part, "=")
		switch key {
		case "source":
			key = "src"
		case "id", "src", "env", "type":
		default:
			ok = false
		}
		if !ok || parts[key] != "" {
			return "", nil, misused("--secret must be id=ID,src=FILE or id=ID,env=NAME, not %q", text)
		}
		parts[key] = value
	}
	name = parts["id"]
	file, variable := parts["src"], parts["env"]
	if name == "" || (file == "") == (variable == "") {
		return "", nil, misused("--secret must be id=ID,src=FILE or id=ID,env=NAME, not %q", text)
	}
	if file != "" {
		if value, err = readBounded(file, maxSecret); err != nil {
			err = misused("--secret: %v", err)
		}
		return name, value, err
	}
	set, ok := os.LookupEnv(variable)
	if !ok {
		return "", nil, misused("--secret: the variable %s is not set", variable)
	}
	return name, []byte(set), nil
}
