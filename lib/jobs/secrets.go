package jobs

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"maps"
	"slices"
	"strings"

	"toaster.do/lib/apperr"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/engine"
	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// SecretField begins the name of a form's field that has a secret.
const SecretField = "secret."

// Secrets returns what the builds of a job's newest revision can be given, as it was found when that was stored.
func (s *Service) Secrets(ctx context.Context, owner int64, id string) (list []dockerfile.Secret, err error) {
	made, err := s.Store.Translation(ctx, owner, id, 0)
	if err != nil || made.Secrets == "" {
		return nil, err
	}
	return list, json.Unmarshal([]byte(made.Secrets), &list)
}

// Start asks for a build, which is given the secrets. While one is queued it is that one, which keeps those that it has,
// and already is true.
func (s *Service) Start(ctx context.Context, owner int64, id string, secrets engine.Secrets) (b *store.Build,
	already bool, err error) {
	ctx = reconcile.RequestContext(ctx)
	// The one that was queued when a page last looked may run by now.
	job, err := s.Job(ctx, owner, id)
	if err != nil {
		return nil, false, err
	}
	if s.DiskSpace != nil {
		if err := s.DiskSpace(); err != nil {
			return nil, false, err
		}
	}
	if secrets, err = s.checkStart(ctx, owner, id, secrets); err != nil {
		return nil, false, err
	}
	var sealed []byte
	if len(secrets) > 0 {
		seals, err := s.Seals()
		if err != nil {
			return nil, false, err
		}
		if sealed, err = secrets.Seal(seals, job.EngineName); err != nil {
			return nil, false, err
		}
	}
	b, already, err = s.Store.AddBuild(ctx, owner, id, sealed, s.Limits.Builds, s.Now())
	if err != nil || already {
		return b, already, err
	}
	s.changed(ctx, owner, id)
	if now, err := s.Store.Build(ctx, owner, id, b.Number); err == nil {
		b = now
	}
	return b, false, nil
}

// checkStart says why a build of a job can't be started, or returns its secrets. What a repository has is not known
// before it was fetched: see refused.
func (s *Service) checkStart(ctx context.Context, owner int64, id string, given engine.Secrets) (engine.Secrets,
	error) {
	source, err := s.Store.GitSource(ctx, owner, id)
	if err != nil {
		return nil, err
	}
	if source != nil {
		return s.checkSecrets(given, nil, false)
	}
	lock, err := s.Store.ImageLock(ctx, owner, id)
	if err != nil {
		return nil, err
	}
	if err := s.complete(ctx, lock); err != nil {
		return nil, err
	}
	known, err := s.Secrets(ctx, owner, id)
	if err != nil {
		return nil, err
	}
	return s.checkSecrets(given, known, true)
}

// checkSecrets returns the secrets as a build takes them, or says what is wrong with them: one that is missing, too.
// known are those of the Dockerfile; unless final, others may be given.
func (s *Service) checkSecrets(given engine.Secrets, known []dockerfile.Secret, final bool) (taken engine.Secrets,
	err error) {
	var names, missing []string
	for _, one := range known {
		names = append(names, one.Name)
		if _, ok := given[one.Name]; one.Required && !ok {
			missing = append(missing, one.Name)
		}
	}
	_, able := s.Engine.(engine.SecretTaker)
	switch {
	case len(given) == 0 && len(missing) == 0:
		return nil, nil
	case !able:
		return nil, apperr.New(apperr.FailedPrecondition,
			"The builds of this site run on Jenkins, which can't be given secrets yet.",
			"Build it on your own computer with the build script. Or remove required=true, if RUN can do without the secret.")
	case len(given) > engine.MaxSecrets:
		return nil, apperr.New(apperr.InvalidArgument, "A build can be given %d secrets at most.", "Use fewer.",
			engine.MaxSecrets)
	}
	taken = engine.Secrets{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if final && !slices.Contains(names, name) || !engine.ValidName(name) {
			return nil, refuse(apperr.InvalidArgument, SecretField+name, "The Dockerfile has no secret of this name.",
				"Correct the name: it is the id of RUN --mount=type=secret, or ssh. and the id of RUN --mount=type=ssh.")
		}
		if taken[name], err = secretValue(name, given[name]); err != nil {
			return nil, reject(err, SecretField+name)
		}
	}
	if len(missing) > 0 {
		return nil, apperr.New(apperr.InvalidArgument, "This build needs secrets that it was not given: %s.",
			"Enter them on the page of the job, send the field secret.%s, or use “toasterctl job start --secret”.",
			strings.Join(missing, ", "), missing[0]).At(SecretField + missing[0]).Coded("secret_missing")
	}
	return taken, nil
}

func secretValue(name string, value []byte) ([]byte, error) {
	if len(value) > engine.MaxSecret {
		return nil, apperr.New(apperr.TooLarge, "The secret %s has %d bytes. The limit is %d.", "Send less.", name,
			len(value), engine.MaxSecret)
	}
	if !(dockerfile.Secret{Name: name}).IsSSHKey() {
		return value, nil
	}
	if why := badKey(value); why != "" {
		return nil, apperr.New(apperr.InvalidArgument, "%s: %s", "%s", name, i18n.T(why),
			i18n.T("Give a private key in OpenSSH's format, without a passphrase, as ssh-keygen makes it with -N ''."))
	}
	return append(bytes.TrimSpace(value), '\n'), nil
}

// badKey says why a text is no private key that an agent takes without asking; empty: it may be one. See OpenSSH's
// PROTOCOL.key.
func badKey(text []byte) i18n.Key {
	block, _ := pem.Decode(text)
	switch {
	case block == nil:
		return "This is not a private key."
	case block.Type != "OPENSSH PRIVATE KEY":
		return "This key is not in OpenSSH's format."
	}
	rest, ok := bytes.CutPrefix(block.Bytes, []byte("openssh-key-v1\x00"))
	if !ok || len(rest) < 4 || uint32(len(rest)-4) < binary.BigEndian.Uint32(rest) {
		return "This private key is damaged."
	}
	if string(rest[4:4+binary.BigEndian.Uint32(rest)]) != "none" {
		return "This private key has a passphrase."
	}
	return ""
}
