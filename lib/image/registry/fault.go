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
func (c *Client) explain(err error, reference, platform string, ref name.Reference) error {
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
	fault := func(kind apperr.Kind, code, message, advice string) *apperr.Error {
		return apperr.Wrap(kind, err, message, advice).Coded(code)
	}
	corrupt := fault(apperr.Unavailable, "image_corrupt", host+" sent a wrong answer for "+reference+".",
		"Try again. If the problem persists, tell whoever runs the registry.")
	away := fault(apperr.Unavailable, "registry_unavailable", host+" did not answer in time, or can't be reached.",
		"Check the name of the registry, or look up the image again later.")
	errors.As(err, &failed)
	switch {
	case errors.As(err, &other):
		return fault(apperr.InvalidArgument, "image_platform", reference+" has no image for "+platform+". It has: "+other.list()+".",
			"Choose a target of one of these architectures, or another image.")
	case errors.As(err, &large):
		return fault(apperr.TooLarge, "image_too_large",
			fmt.Sprintf("%s has %d bytes of layers. The limit of this site is %d.", reference, large.size, large.most), "Use a smaller image.")
	case errors.Is(err, errSchema1):
		return fault(apperr.InvalidArgument, "image_schema1",
			reference+" has the old manifest format schema 1, which Docker and Podman no longer support.", "Pull it with an old version of Docker, push it again, or use a newer image.")
	case errors.As(err, &none):
		return fault(apperr.InvalidArgument, "image_type", reference+" is not a container image: "+none.Error()+".",
			"Check the name, or use another image.")
	case errors.As(err, &bad):
		return corrupt
	case errors.Is(err, errTooLarge):
		return fault(apperr.TooLarge, "image_too_large", host+" sent an answer for "+reference+" that is too large.",
			"Use another image.")
	case errors.Is(err, errPrivate):
		return fault(apperr.PermissionDenied, "registry_private", host+" has, or leads to, an address in a private network.",
			"Use a public registry. Administrator: to use this one, add it to registry.allow.")
	case errors.As(err, &untrusted):
		return fault(apperr.Unavailable, "registry_certificate", "This site does not trust the certificate of "+host+".",
			"Use another registry. Administrator: install the certificate of its authority on this host.")
	case errors.Is(err, errPlain), errors.Is(err, errTooMany):
		return fault(apperr.PermissionDenied, "registry_insecure", host+" leads to an address without HTTPS, or to too many.",
			"Use another registry. Administrator: to use this one without encryption, add it to registry.insecure.")
	case errors.As(err, &status):
		return c.refused(status.StatusCode, failed, fault, reference, host)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &unsent):
		return away
	}
	return corrupt
}

// refused says what a registry's status means.
func (c *Client) refused(status int, f *failure, fault func(kind apperr.Kind, code, message, advice string) *apperr.Error,
	reference, host string) error {
	switch {
	case status == http.StatusNotFound:
		return fault(apperr.NotFound, "image_not_found", reference+" does not exist.", "Check the name and the tag.")
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		if f.secret {
			return fault(apperr.PermissionDenied, "image_denied", host+" does not let this site read "+reference+", or it does not exist.",
				"Check the name. Administrator: the login in registry.auth_file may have expired, or lack access: run “docker login "+host+"”.")
		}
		return fault(apperr.PermissionDenied, "image_denied", host+" does not let this site read "+reference+", or it does not exist.",
			"Check the name. Administrator: if it is private, run “docker login "+host+"”, and name the file in registry.auth_file.")
	case status == http.StatusTooManyRequests:
		return fault(apperr.RateLimited, "registry_rate_limited", host+" limits how often this site can ask.",
			"Look up the image again later. Administrator: a login in registry.auth_file or a mirror raises the limit.").In(f.after)
	}
	return fault(apperr.Unavailable, "registry_unavailable", host+" has an internal problem.", "Look up the image again later.")
}
