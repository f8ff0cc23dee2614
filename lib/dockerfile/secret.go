package dockerfile

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// Secret is what a RUN --mount=type=secret or ssh asks for. Its value is given to a build, and to no blend.
type Secret struct {
	Name     string `json:"name"`     // the id of the mount; that of an SSH key begins with ssh.
	Required bool   `json:"required"` // a build without it fails
}

// Keys of SSH have names of their own, and so no file or field of a secret is taken for one.
const sshPrefix = "ssh."

var secretForm = lazy(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$`)

// IsSecretName tells whether a secret can have a name, which is that of a file and of a form's field.
func IsSecretName(name string) bool { return secretForm().MatchString(name) }

// IsSSHKey tells whether the secret is an SSH key.
func (s Secret) IsSSHKey() bool { return strings.HasPrefix(s.Name, sshPrefix) }

// secretMount is a RUN --mount=type=secret or ssh, with what BuildKit takes where nothing is said.
type secretMount struct {
	mounting
	id, name   string // name is empty where the id is none that can be given
	mode       uint64
	uid, gid   uint64
	isVariable bool // of a secret, and no file
}

func newSecretMount(m mounting) secretMount {
	s := secretMount{mounting: m, id: m.CacheID, mode: 0o400, isVariable: m.Env != nil && m.Target == ""}
	switch {
	case m.Type == instructions.MountTypeSSH:
		s.mode = 0o600
		if s.id == "" {
			s.id = "default"
		}
		s.name = sshPrefix + s.id
	case m.Source != "":
		s.id = m.Source
	case s.id == "":
		s.id = path.Base(m.Target)
	}
	if m.Type == instructions.MountTypeSecret && !strings.HasPrefix(s.id, sshPrefix) {
		s.name = s.id
	}
	if !IsSecretName(s.name) {
		s.name = ""
	}
	if m.Mode != nil {
		s.mode = *m.Mode
	}
	if m.UID != nil {
		s.uid = *m.UID
	}
	if m.GID != nil {
		s.gid = *m.GID
	}
	return s
}

// secretTarget is where a secret or the socket of an agent is, if nothing is said; n counts the agents of this RUN.
func secretTarget(m *instructions.Mount, n int) string {
	switch {
	case m.Target != "":
		return m.Target
	case m.Type == instructions.MountTypeSSH:
		return fmt.Sprintf("/run/buildkit/ssh_agent.%d", n)
	case m.CacheID != "":
		return "/run/secrets/" + path.Base(m.CacheID)
	}
	return "/run/secrets/" + path.Base(m.Source)
}

// secret prepares a mount of a secret or an SSH agent.
func (t *translator) secret(s *stage, c command, m mounting) bool {
	mount := newSecretMount(m)
	switch {
	case m.Type == instructions.MountTypeSSH && m.Source != "":
		t.failIn(s, c.Location(), "Syntax", "--mount=type=ssh has no source.", "Name the key with id=NAME.")
		return false
	case m.Env != nil && (*m.Env == "" || strings.Contains(*m.Env, "=")):
		t.failIn(s, c.Location(), "Syntax", "--mount=type=secret: env needs the name of a variable.", "Write env=NAME.")
		return false
	case mount.name == "" && m.Required:
		t.failIn(s, c.Location(), "SecretName", "The secret %s can't be given to a build.",
			"Choose another id, of letters, digits, “.”, “_” and “-”, which does not begin with “ssh.”.", show(mount.id))
		return false
	case !t.needSecret(s, c, mount):
		return true
	}
	need := "optional"
	if m.Required {
		need = "required"
	}
	owner := fmt.Sprintf("%d:%d", mount.uid, mount.gid)
	mode := strconv.FormatUint(mount.mode&0o7777, 8)
	switch {
	case m.Type == instructions.MountTypeSSH:
		s.emit("ssh_key", mount.name, m.at, mode, owner, need)
		return true
	case !mount.isVariable:
		s.emit("secret", mount.name, m.at, mode, owner, need)
	}
	if m.Env != nil {
		s.emit("secret_variable", mount.name, *m.Env, need)
	}
	return true
}

// needSecret says what a build is to be given. It is false in a stage that is not built.
func (t *translator) needSecret(s *stage, c command, m secretMount) bool {
	what := show(m.name)
	switch {
	case m.name == "":
		t.warn(c.Location(), Warning, "SecretName", "The secret %s can't be given to a build: RUN continues without it.",
			"Choose another id, of letters, digits, “.”, “_” and “-”, which does not begin with “ssh.”.", show(m.id))
	case m.Required:
		t.warn(c.Location(), Note, "SecretNeeded", "This needs the secret %s.",
			"Give it to each build when you start it. It is in no image and no log.", what)
	default:
		t.warn(c.Location(), Note, "SecretOptional",
			"This can have the secret %s. RUN continues without it, if none is given.",
			"Give it to a build when you start it, if it needs it.", what)
	}
	if !s.needed {
		return false
	}
	i := slices.IndexFunc(t.secrets, func(one Secret) bool { return one.Name == m.name })
	switch {
	case m.name == "":
	case i < 0:
		t.secrets = append(t.secrets, Secret{m.name, m.Required})
	case m.Required:
		t.secrets[i].Required = true
	}
	return true
}
