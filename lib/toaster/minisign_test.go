package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/blake2b"
)

// Signatures of "test" that minisign itself has made (the documentation of minisign-verify has them).
const (
	ownKey = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
	plain  = `untrusted comment: signature from minisign secret key
RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=
trusted comment: timestamp:1555779966	file:test
QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==
`
	hashed = `untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1556193335	file:test
y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==
`
)

func TestSignaturesOfMinisign(t *testing.T) {
	k, err := parseKey(ownKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, signature := range []string{plain, hashed, strings.ReplaceAll(hashed, "\n", "\r\n")} {
		if comment, err := k.verify([]byte("test"), []byte(signature)); err != nil || !strings.HasSuffix(comment,
			"file:test") {
			t.Errorf("%v %q", err, comment)
		}
		for i := range signature {
			changed := []byte(signature)
			changed[i] ^= 1
			line := strings.Count(signature[:i], "\n")
			if _, err := k.verify([]byte("test"), changed); err == nil && line > 0 && signature[i] != '=' &&
				!strings.HasPrefix(signature[i+1:], "=") && signature[i] != '\r' && signature[i] != '\n' {
				t.Errorf("a changed byte %d of line %d is not noticed", i, line+1)
			}
		}
		if _, err := k.verify([]byte("Test"), []byte(signature)); err == nil {
			t.Error("another message is signed")
		}
	}
}

func FuzzSignature(f *testing.F) {
	k, _ := parseKey(ownKey)
	f.Add([]byte(plain))
	f.Add([]byte(hashed))
	f.Fuzz(func(t *testing.T, signature []byte) {
		if comment, err := k.verify([]byte("test"), signature); err == nil && !strings.Contains(plain+hashed, comment) {
			t.Errorf("%q is a signature", signature)
		}
	})
}

// signed writes a signature as minisign does.
func signed(key ed25519.PrivateKey, message []byte) string {
	sum := blake2b.Sum512(message)
	sig := ed25519.Sign(key, sum[:])
	head := append([]byte("ED12345678"), sig...)
	const comment = "timestamp:1\tfile:SHA256SUMS"
	global := ed25519.Sign(key, append(sig, comment...))
	return "untrusted comment: x\n" + base64.StdEncoding.EncodeToString(head) + "\ntrusted comment: " + comment + "\n" +
		base64.StdEncoding.EncodeToString(global) + "\n"
}

// TestASiteThatSigns: what it builds is taken with its signature, and not without one.
func TestASiteThatSigns(t *testing.T) {
	s := newInstance(t)
	public, private, err := ed25519.GenerateKey(nil)
	s.must(err)
	key := base64.StdEncoding.EncodeToString(append([]byte("Ed12345678"), public...))
	sums := "73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac  x\n"
	s.must(os.WriteFile(s.dir+"/right", []byte(signed(private, []byte(sums))), 0o600))
	_, other, err := ed25519.GenerateKey(nil)
	s.must(err)
	s.must(os.WriteFile(s.dir+"/wrong", []byte(signed(other, []byte(sums))), 0o600))
	s.runner("mkdir dist; cd dist; echo x >x; sha256sum x >SHA256SUMS; cp " + s.dir + "/signature SHA256SUMS.minisig || :")
	u := s.user().with("TOASTER_KEY=" + key)
	for _, try := range []struct {
		file string
		exit int
		says string
	}{
		{"none", 1, "is not signed, although the site signs"},
		{"wrong", 1, "is not signed by the site: the signature is wrong"},
		{"right", 0, "checksums and signature are right"},
	} {
		os.Remove(s.dir + "/signature")
		if try.file != "none" {
			s.must(os.Link(s.dir+"/"+try.file, s.dir+"/signature"))
		}
		u.toaster("build", "-t", vm).exits(try.exit).complains(try.says)
		u.with("TOASTER_KEY").toaster("verify", "--key", key, filepath.Join("dist", vm)).exits(try.exit).
			complains(try.says)
		u.toaster("verify", filepath.Join("dist", vm)).exits(try.exit).complains(try.says)
	}
	s.must(os.WriteFile(u.project+"/key.pub", []byte("untrusted comment: minisign public key\n"+key+"\n"), 0o600))
	u.toaster("verify", "--key", "key.pub", filepath.Join("dist", vm)).exits(0).complains("signature are right")
	u.with("TOASTER_KEY").toaster("verify", filepath.Join("dist", vm)).exits(1).complains("public key is not known")
	u.toaster("verify", "--key", "nonsense", filepath.Join("dist", vm)).exits(2)

	// Who changes the files can leave out the signature, and what says where they are from.
	s.must(os.Remove(filepath.Join(u.project, "dist", vm, "SHA256SUMS.minisig")))
	s.must(os.Remove(filepath.Join(u.project, "dist", vm, ".toaster.json")))
	stranger := u.with("TOASTER_KEY", "TOASTER_URL", "TOASTER_TOKEN")
	stranger.toaster("verify", filepath.Join("dist", vm)).exits(0).
		complains("Signature not checked: the key of the site is not known")
	u.write("../config.toml", "default = \""+s.url()+"\"\n[[site]]\nurl = \""+s.url()+"\"\nkey = \""+key+"\"\n")
	s.must(os.MkdirAll(u.home+"/.config/toaster", 0o700))
	s.must(os.Rename(filepath.Join(u.project, "../config.toml"), u.home+"/.config/toaster/config.toml"))
	stranger.toaster("verify", filepath.Join("dist", vm)).exits(1).complains("is not signed, although the site signs")
}
