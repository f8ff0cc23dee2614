package jobs

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"os/exec"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/crypto/ssh"

	"toaster.do/lib/apperr"
	"toaster.do/lib/shell"
	"toaster.do/lib/target"
)

// publicKeys are a line of authorized_keys for each kind of key that can be made here.
func publicKeys(t *testing.T) (lines []string) {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	all := []any{public, private.Public()}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, key.Public())
	}
	for _, key := range all {
		k, err := ssh.NewPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k))))
	}
	// Keys on a token, as ssh-keygen -t ed25519-sk and -t ecdsa-sk write them.
	for _, parts := range [][]string{
		{"sk-ssh-ed25519@openssh.com", string(public), "ssh:"},
		{"sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", "\x04" + strings.Repeat("p", 64), "ssh:"},
	} {
		lines = append(lines, parts[0]+" "+encode(parts...))
	}
	return lines
}

func encode(parts ...string) string {
	var blob []byte
	for _, p := range parts {
		blob = append(append(blob, 0, 0, 0, byte(len(p))), p...)
	}
	return base64.StdEncoding.EncodeToString(blob)
}

func TestRootsKeysAreTakenAsSshDoes(t *testing.T) {
	all := publicKeys(t)
	for _, line := range all {
		if got, err := ParseRootKeys(line); err != nil || got != line+"\n" {
			t.Errorf("%s: %q, %v", line, got, err)
		}
		if kind, _, _ := strings.Cut(line, " "); !strings.HasPrefix(kind, "sk-ecdsa") { // whose point is none
			if _, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line)); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
	text := "# mine\r\n\r\n  " + all[0] + " ada@héloïse it's <b>\r\n\n" + all[1]
	if got, err := ParseRootKeys(text); err != nil || got != all[0]+" ada@héloïse it's <b>\n"+all[1]+"\n" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := ParseRootKeys(" \r\n"); err != nil || got != "" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWhatIsNoPublicKeyIsRefused(t *testing.T) {
	good := publicKeys(t)[0]
	_, text, _ := strings.Cut(good, " ")
	for name, c := range map[string]struct {
		text, says string
		kind       apperr.Kind
	}{
		"words":               {"my key", "Line 1", apperr.InvalidArgument},
		"a key alone":         {text, "Line 1", apperr.InvalidArgument},
		"the type alone":      {"ssh-ed25519", "Line 1", apperr.InvalidArgument},
		"options":             {good + "\n" + `command="reboot" ` + good, "Line 2", apperr.InvalidArgument},
		"another type inside": {"ssh-rsa " + text, "Line 1", apperr.InvalidArgument},
		"an old type":         {"ssh-dss " + encode("ssh-dss", "p", "q", "g", "y"), "Line 1", apperr.InvalidArgument},
		"a certificate": {"ssh-ed25519-cert-v01@openssh.com " + encode("ssh-ed25519-cert-v01@openssh.com", "x"),
			"Line 1", apperr.InvalidArgument},
		"cut off":         {good[:len(good)-8], "Line 1", apperr.InvalidArgument},
		"not base64":      {good + "!", "Line 1", apperr.InvalidArgument},
		"more than a key": {"ssh-ed25519 " + encode("ssh-ed25519", "k", "x"), "Line 1", apperr.InvalidArgument},
		"a long length": {"ssh-ed25519 " + base64.StdEncoding.EncodeToString([]byte("\xff\xff\xff\xffssh")), "Line 1",
			apperr.InvalidArgument},
		"control characters": {good + " a\x1b[2Jb", "Line 1", apperr.InvalidArgument},
		"not UTF-8":          {good + " a\xff", "Line 1", apperr.InvalidArgument},
		"a private key":      {"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA", "private key", apperr.InvalidArgument},
		"too many":           {strings.Repeat(good+"\n", 300), "limit", apperr.TooLarge},
	} {
		_, err := ParseRootKeys(c.text)
		f := apperr.Of(err)
		if err == nil || f.Kind != c.kind || f.Field != "root_keys" || !strings.Contains(f.Message.String(), c.says) ||
			f.Advice.IsZero() {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// The hash is what crypt(3) makes of the password, as another program says.
func TestPasswordsForRoot(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		p := NewPassword()
		if len(p) != 20 || strings.Trim(p, "abcdefghjkmnpqrstuvwxyz23456789") != "" || seen[p] {
			t.Fatalf("%q", p)
		}
		seen[p] = true
	}
	password := NewPassword()
	hash, err := HashPassword(password)
	if err != nil || !strings.HasPrefix(hash, "$6$") {
		t.Fatalf("%q, %v", hash, err)
	}
	if again, _ := HashPassword(password); again == hash {
		t.Error("two hashes have one salt")
	}
	program := `my ($p, $h) = @ARGV; exit(crypt($p, $h) eq $h ? 0 : 1)`
	if out, err := exec.Command("perl", "-e", program, password, hash).CombinedOutput(); err != nil {
		t.Errorf("crypt(3) makes another one: %v %s", err, out)
	}
	if exec.Command("perl", "-e", program, password+"x", hash).Run() == nil {
		t.Error("another password has the same hash")
	}
}

func TestWhoNeedsAPassword(t *testing.T) {
	h := newFixture(t)
	key := publicKeys(t)[0]
	for _, c := range []struct {
		name    string
		sub     Submission
		another bool
		want    bool
	}{
		{"a machine", Submission{Target: "vm_amd64_daedalus"}, false, true},
		{"one with a key", Submission{Target: "vm_amd64_daedalus", RootKeys: key}, true, false},
		{"one with something else", Submission{Target: "vm_amd64_daedalus", RootKeys: "x"}, false, false},
		{"a rootfs", Submission{Target: rootfs}, true, false},
		{"what is not offered", Submission{Target: "vm_z80_sarge"}, true, false},
	} {
		if got := h.RootPassword(c.sub, nil, c.another); (got != "") != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

// What is stored is a hash. A change keeps it; another one or a key takes its place.
func TestRootsAccessStaysWithTheRevision(t *testing.T) {
	h := newFixture(t)
	key := publicKeys(t)[0] + "\n"
	sub := Submission{Target: "vm_amd64_daedalus", Dockerfile: []byte("FROM devuan/devuan:daedalus\n")}
	sub.RootPassword = h.RootPassword(sub, nil, false)
	job, err := h.Add(t.Context(), h.ann, sub)
	if err != nil {
		t.Fatal(err)
	}
	access := func(revision int) target.Access {
		t.Helper()
		rev, err := h.Source(t.Context(), h.ann.ID, job.ID, revision)
		if err != nil {
			t.Fatal(err)
		}
		script, err := h.Script(t.Context(), h.ann.ID, job.ID, revision)
		if err != nil || strings.Contains(string(script), sub.RootPassword) ||
			!strings.Contains(string(script), "\nROOT_HASH="+shell.Quote(rev.Root.Password)+"\n") ||
			!strings.Contains(string(script),
				"\nROOT_KEYS="+shell.Quote(base64.StdEncoding.EncodeToString([]byte(rev.Root.Keys)))+"\n") {
			t.Errorf("the script of revision %d: %v", revision, err)
		}
		alone, err := h.db.Root(t.Context(), h.ann.ID, job.ID, revision)
		if err != nil || alone != rev.Root {
			t.Errorf("%+v, %v", alone, err)
		}
		return accessOf(rev.Root)
	}
	first := access(1)
	if exec.Command("perl", "-e", `exit(crypt($ARGV[0], $ARGV[1]) eq $ARGV[1] ? 0 : 1)`, sub.RootPassword,
		first.Hash).Run() != nil || first.Keys != "" {
		t.Errorf("%+v", first)
	}
	change := func(base int, s Submission) target.Access {
		t.Helper()
		s.Dockerfile = sub.Dockerfile
		if _, err := h.Update(t.Context(), h.ann.ID, job.ID, base, s); err != nil {
			t.Fatal(err)
		}
		return access(base + 1)
	}
	if got := change(1, Submission{}); got != first {
		t.Errorf("a change made another password: %+v", got)
	}
	if got := change(2, Submission{RootPassword: NewPassword()}); got.Hash == first.Hash || got.Hash == "" {
		t.Errorf("no other password: %+v", got)
	}
	if got := change(3, Submission{RootKeys: key, RootPassword: NewPassword()}); got != (target.Access{Keys: key}) {
		t.Errorf("a key, and %+v", got)
	}
	if login, err := h.Login(t.Context(), h.ann.ID, job, 4); err != nil ||
		!strings.Contains(string(string(string(login))), "SSH key of the job") {
		t.Error(login, err)
	}
	if login, err := h.Login(t.Context(), h.user("bob@example.org").ID, job, 4); err != nil ||
		strings.Contains(string(string(string(login))), "SSH key of the job") {
		t.Error("another person reads of it: ", login, err)
	}
}

// FuzzRootKeys: what is taken as SSH keys is what sshd takes, a key a line, and reading it again changes nothing.
func FuzzRootKeys(f *testing.F) {
	f.Add("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA me\n# no key\n")
	f.Add("command=\"x\" ssh-rsa AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ParseRootKeys(text)
		if err != nil {
			return
		}
		if again, err := ParseRootKeys(keys); err != nil || again != keys || len(keys) > mostKeys {
			t.Errorf("%q became %q, %v", keys, again, err)
		}
		for line := range strings.Lines(keys) {
			kind, _, _ := strings.Cut(line, " ")
			if keyParts[kind] == 0 || strings.ContainsFunc(strings.TrimSuffix(line, "\n"), unicode.IsControl) {
				t.Errorf("%q is taken", line)
			}
		}
	})
}
