// Package registry looks images up in registries: what a reference means now. It fetches no layers. Anybody may have
// written the reference, and whatever answers may be hostile.
package registry

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/image"
)

// Client asks registries as the site's configuration says.
type Client struct {
	cfg      config.Registry
	agent    string
	accounts func() (accounts, error)
}

// New returns a client that says its name and version to registries. It reads the accounts when it first needs them.
func New(cfg config.Registry, version string) *Client {
	return &Client{cfg: cfg, agent: "toaster/" + version, accounts: sync.OnceValues(func() (accounts, error) {
		text, err := cfg.Accounts()
		if err != nil {
			return nil, err
		}
		return parseAccounts(text)
	})}
}

// atOnce is how many images are looked up at a time.
const atOnce = 8

// LookUp looks images up, all of them within the configured time. Each is in the lock or a problem. Of base, which is
// zero or one of them, the release is looked for, too.
func (c *Client) LookUp(ctx context.Context, wants []image.Want, base image.Want) (image.Lock, []image.Problem) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.LookupTimeout.Duration)
	defer cancel()
	found := make([]image.Image, len(wants))
	errs := make([]error, len(wants))
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i, w := range wants {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			found[i], errs[i] = c.resolve(ctx, w, w == base)
		})
	}
	wg.Wait()
	var locked []image.Locked
	var problems []image.Problem
	for i, w := range wants {
		if errs[i] != nil {
			problems = append(problems, image.Problem{Want: w, Err: apperr.Of(errs[i])})
			continue
		}
		locked = append(locked, found[i].Lock())
	}
	return image.NewLock(locked), problems
}

// Resolve looks an image up: its mirrors first, then the registry that the reference names.
func (c *Client) Resolve(ctx context.Context, reference, platform string) (image.Image, error) {
	return c.resolve(ctx, image.Want{Reference: reference, Platform: platform}, false)
}

func (c *Client) resolve(ctx context.Context, w image.Want, release bool) (image.Image, error) {
	reference, platform := w.Reference, w.Platform
	ctx, cancel := context.WithTimeout(ctx, c.cfg.LookupTimeout.Duration)
	defer cancel()
	ref, err := parse(reference)
	if err != nil {
		return image.Image{}, apperr.Wrap(apperr.InvalidArgument, err,
			"%.200q is not the name of an image.", "Write it as docker pull takes it, such as alpine:3.20 or "+
				"ghcr.io/example/image:1.2.", reference).Coded("image_name")
	}
	if !c.allowed(ref) {
		return image.Image{}, apperr.New(apperr.PermissionDenied,
			"%s is not one of the images that this site allows.", "Use one of these: %s.", reference,
			strings.Join(c.cfg.Allow, ", ")).Coded("image_not_allowed")
	}
	places, err := c.places(ref)
	if err != nil {
		return image.Image{}, err
	}
	var img image.Image
	for i, p := range places {
		img, err = c.ask(ctx, p, platform, len(places)-i, release)
		if err == nil {
			img.Reference, img.Platform = reference, platform
			if l := img.Lock(); l.Check() != nil {
				err = wrong("what no lock may have: %v", l.Check())
				break
			}
			return img, nil
		}
	}
	return image.Image{}, explain(err, reference, platform, ref)
}

// ask looks an image up at one place, which gets its share of the time that is left.
func (c *Client) ask(ctx context.Context, p place, platform string, share int, release bool) (image.Image, error) {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/time.Duration(share))
		defer cancel()
	}
	s, err := c.dial(ctx, p)
	if err != nil {
		return image.Image{}, err
	}
	defer s.close()
	img, err := s.resolve(ctx, platform, int64(c.cfg.MaxBytes))
	if err == nil && release && img.Release == (image.Release{}) {
		img.Release = s.release(ctx, img.Layers)
	}
	return img, err
}

// parse reads a reference: a tag beside a digest says nothing more.
func parse(reference string) (name.Reference, error) {
	if len(reference) > 600 {
		return nil, errors.New("too long")
	}
	return name.ParseReference(reference)
}

// place is where an image may be: its registry, or a mirror of that.
type place struct {
	ref    name.Reference
	host   string // with its port, where the reference says one
	plain  bool   // it may be asked without encryption
	named  bool   // the administrator has named it: it may have a private address
	login  authn.Authenticator
	secret bool // login is an account
}

// places are where to look for an image, in order.
func (c *Client) places(ref name.Reference) (all []place, err error) {
	known, err := c.accounts()
	if err != nil {
		return nil, apperr.Wrap(apperr.Unavailable, err, "This site's logins at registries can't be used.",
			"Administrator: correct registry.auth_file; “toasterctl doctor” tests it.").Coded("registry_auth")
	}
	host := hostOf(ref.Context())
	var texts []string
	for _, m := range c.cfg.Mirrors[host] {
		texts = append(texts, m+"/"+ref.Context().RepositoryStr())
	}
	for i, text := range append(texts, ref.Context().Name()) {
		at := ":" + ref.Identifier()
		if _, ok := ref.(name.Digest); ok {
			at = "@" + ref.Identifier()
		}
		there, err := name.ParseReference(text + at)
		if err != nil {
			return nil, err
		}
		p := place{host: there.Context().RegistryStr()}
		p.plain = slices.Contains(c.cfg.Insecure, p.host)
		p.named = p.plain || i < len(texts) || slices.ContainsFunc(c.cfg.Allow, func(a string) bool {
			h, _, _ := strings.Cut(a, "/")
			return h == host
		})
		p.login, p.secret = known.at(hostOf(there.Context()))
		if p.ref = there; p.plain {
			if p.ref, err = name.ParseReference(text+at, name.Insecure); err != nil {
				return nil, err
			}
		}
		all = append(all, p)
	}
	return all, nil
}

// hostOf is the registry of an image, under the name that people know.
func hostOf(r name.Repository) string {
	if host := r.RegistryStr(); host != name.DefaultRegistry {
		return host
	}
	return "docker.io"
}

// allowed tells whether the site lets people use an image.
func (c *Client) allowed(ref name.Reference) bool {
	where := hostOf(ref.Context()) + "/" + ref.Context().RepositoryStr() + "/"
	return len(c.cfg.Allow) == 0 || slices.ContainsFunc(c.cfg.Allow, func(a string) bool {
		return strings.HasPrefix(where, a+"/")
	})
}
