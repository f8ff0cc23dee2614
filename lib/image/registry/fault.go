package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"toaster.do/lib/apperr"
	"toaster.do/lib/netguard"
)

// failure is a request that failed, or was not sent.
type failure struct {
	place
	after time.Duration // that the registry wants to be left alone; 0: it doesn't say
	err   error
}

func (f *failure) Error() string { return f.host + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// badImage is what a registry sent, and can't be right.
type badImage struct{ what string }

func (b *badImage) Error() string { return "the registry sent " + b.what }

func wrong(format string, args ...any) error { return &badImage{fmt.Sprintf(format, args...)} }

// noImage is right, but has no files of a system: a chart, a signature.
type noImage struct{ mediaType string }

func (n *noImage) Error() string { return fmt.Sprintf("media type %.100q", n.mediaType) }

// otherPlatform is an image for others only.
type otherPlatform struct{ have []string }

func (o *otherPlatform) Error() string { return "it is for " + strings.Join(o.have, ", ") }

// list is the platforms for people.
func (o *otherPlatform) list() string {
	const most = 12
	have := slices.Compact(slices.Sorted(slices.Values(o.have)))
	switch {
	case len(have) == 0:
		return "none"
	case len(have) > most:
		return fmt.Sprintf("%.400s and %d more", strings.Join(have[:most], ", "), len(have)-most)
	}
	return fmt.Sprintf("%.400s", strings.Join(have, ", "))
}

// tooLarge is an image with more layers than the site lets people use.
type tooLarge struct{ size, most int64 }

func (t *tooLarge) Error() string { return fmt.Sprintf("%d bytes of at most %d", t.size, t.most) }

var errSchema1 = errors.New("schema 1")

// explain says to people why an image could not be looked up, and what to do. What is behind it goes to the log.
func explain(err error, reference, platform string, ref name.Reference) error {
	host := hostOf(ref.Context())
	var (
		failed *failure
		status *transport.Error
		bad    *badImage
		none   *noImage
		other  *otherPlatform
		large  *tooLarge
		unsent *url.Error

		untrusted *tls.CertificateVerificationError
	)
	corrupt := apperr.Wrap(apperr.Unavailable, err, "%s sent a wrong answer for %s.",
		"Try again. If the problem persists, contact the operator of the registry.", host, reference).Coded("image_corrupt")
	away := apperr.Wrap(apperr.Unavailable, err, "%s did not answer in time, or can't be reached.",
		"Check the name of the registry, or look up the image again later.", host).Coded("registry_unavailable")
	errors.As(err, &failed)
	switch {
	case errors.As(err, &other):
		return apperr.Wrap(apperr.InvalidArgument, err, "%s has no image for %s. It has: %s.",
			"Choose a target of one of these architectures, or another image.", reference, platform,
			other.list()).Coded("image_platform")
	case errors.As(err, &large):
		return apperr.Wrap(apperr.TooLarge, err,
			"%s has %d bytes of layers. The limit of this site is %d.", "Use a smaller image.", reference, large.size,
			large.most).Coded("image_too_large")
	case errors.Is(err, errSchema1):
		return apperr.Wrap(apperr.InvalidArgument, err,
			"%s has the old manifest format schema 1, which Docker and Podman no longer support.",
			"Pull it with an old version of Docker, push it again, or use a newer image.", reference,
		).Coded("image_schema1")
	case errors.As(err, &none):
		return apperr.Wrap(apperr.InvalidArgument, err, "%s is not a container image: %s.",
			"Check the name, or use another image.", reference, none.Error()).Coded("image_type")
	case errors.As(err, &bad):
		return corrupt
	case errors.Is(err, errTooLarge):
		return apperr.Wrap(apperr.TooLarge, err, "%s sent an answer for %s that is too large.", "Use another image.", host,
			reference).Coded("image_too_large")
	case errors.Is(err, netguard.ErrPrivate):
		return apperr.Wrap(apperr.PermissionDenied, err, "%s has, or leads to, an address in a private network.",
			"Use a public registry. Administrator: to use this one, add it to registry.allow.", host).Coded("registry_private")
	case errors.As(err, &untrusted):
		return apperr.Wrap(apperr.Unavailable, err, "This site does not trust the certificate of %s.",
			"Use another registry. Administrator: install the certificate of its authority on this host.",
			host).Coded("registry_certificate")
	case errors.Is(err, errPlain), errors.Is(err, errTooMany):
		return apperr.Wrap(apperr.PermissionDenied, err, "%s leads to an address without HTTPS, or to too many.",
			"Use another registry. Administrator: to use this one without encryption, add it to registry.insecure.",
			host).Coded("registry_insecure")
	case errors.As(err, &status):
		return refusal(status.StatusCode, failed, err, reference, host)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &unsent):
		return away
	}
	return corrupt
}

// refusal says what a registry's status means.
func refusal(status int, f *failure, err error, reference, host string) error {
	switch {
	case status == http.StatusNotFound:
		return apperr.Wrap(apperr.NotFound, err, "%s does not exist.", "Check the name and the tag.",
			reference).Coded("image_not_found")
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		if f.secret {
			return apperr.Wrap(apperr.PermissionDenied, err,
				"%s does not let this site read %s, or it does not exist.",
				"Check the name. Administrator: the login in registry.auth_file may be too old, or lack access: run “docker "+
					"login %s”.", host, reference, host).Coded("image_denied")
		}
		return apperr.Wrap(apperr.PermissionDenied, err,
			"%s does not let this site read %s, or it does not exist.",
			"Check the name. Administrator: if it is private, run “docker login %s”, and name the file in registry.auth_file.",
			host, reference, host).Coded("image_denied")
	case status == http.StatusTooManyRequests:
		return apperr.Wrap(apperr.RateLimited, err, "%s limits how often this site can ask.",
			"Look up the image again later. Administrator: a login in registry.auth_file or a mirror raises the limit.",
			host).Coded("registry_rate_limited").In(f.after)
	}
	return apperr.Wrap(apperr.Unavailable, err, "%s has an internal problem.", "Look up the image again later.",
		host).Coded("registry_unavailable")
}
