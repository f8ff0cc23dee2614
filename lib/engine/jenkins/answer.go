package jenkins

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
)

// answerError is an answer that is no success. It is the cause of a fault, for the log.
type answerError struct {
	method, path string
	status       int
	text         string // what Jenkins says, in one line
	permission   string // the permission that the account lacks
	contentRange string // Content-Range: Jenkins tells a file's size also when it can't give a part of it
}

func (e *answerError) Error() string {
	return fmt.Sprintf("%s %s: Jenkins answered %d: %s", e.method, e.path, e.status, e.text)
}

// statusOf returns the HTTP status that err comes from, or 0.
func statusOf(err error) int {
	var e *answerError
	if errors.As(err, &e) {
		return e.status
	}
	return 0
}

// outageError marks an error that is not about what was asked: any other question would end so, too.
type outageError struct{ error }

func (e outageError) Unwrap() []error { return []error{e.error, engine.ErrOutage} }

func isInvalidCrumb(err error) bool {
	var e *answerError
	return errors.As(err, &e) && e.status == http.StatusForbidden && strings.Contains(e.text, "No valid crumb")
}

const (
	askAdmin  = "The administrator finds the reason in the log, or with “toasterctl doctor”."
	tryLater  = "Try again in a minute."
	pageBytes = 64 << 10 // that much is read of an error page
)

// responseError makes a fault of an answer that is no success, which a page where data should be is neither: then the
// address belongs to something else, or something stands in front. It reads the body, and doesn't close it.
func responseError(resp *http.Response, c call) error {
	e := &answerError{method: c.method, path: c.path, status: resp.StatusCode,
		permission: resp.Header.Get("X-Required-Permission"), contentRange: resp.Header.Get("Content-Range")}
	page, _ := io.ReadAll(io.LimitReader(resp.Body, pageBytes))
	e.text = pageText(resp, string(page))
	switch e.status {
	case http.StatusBadRequest:
		if strings.Contains(e.text, "already exists") {
			return apperr.Wrap(apperr.AlreadyExists, e, "The build service has another job with this name.", askAdmin)
		}
	case http.StatusUnauthorized:
		return apperr.Wrap(apperr.PermissionDenied, outageError{e}, "The build service doesn't accept this site's account.",
			askAdmin)
	case http.StatusForbidden, http.StatusUnprocessableEntity:
		return apperr.Wrap(apperr.PermissionDenied, e, "The build service doesn't allow this site to do that.", askAdmin)
	case http.StatusNotFound:
		return apperr.Wrap(apperr.NotFound, e, "The build service does not have that.", "")
	case http.StatusConflict:
		return apperr.Wrap(apperr.FailedPrecondition, e, engine.DisabledThere, "Enable it there, or ask the administrator.")
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusTooManyRequests:
		return apperr.Wrap(apperr.Unavailable, outageError{e}, unavailableMessage(e.text), tryLater)
	}
	switch {
	case e.status <= 299:
		return apperr.Wrap(apperr.Internal, outageError{e}, "The build service answers with a web page instead of data.",
			askAdmin)
	case e.status <= 399:
		return redirectError(resp, e)
	}
	return apperr.Wrap(apperr.Internal, e, "The build service failed.", askAdmin)
}

// unavailableMessage says what a Jenkins that is not ready is about.
func unavailableMessage(text string) i18n.Key {
	switch {
	case strings.Contains(text, "restarting"):
		return "The build service is restarting."
	case strings.Contains(text, "getting ready"):
		return "The build service is starting."
	}
	return "The build service is unavailable."
}

func redirectError(resp *http.Response, e *answerError) error {
	where := resp.Header.Get("Location")
	e.text = "go to " + where
	if u, err := url.Parse(where); err == nil && isLoginURL(u) {
		return apperr.Wrap(apperr.PermissionDenied, outageError{e}, "The build service requires this site to log in.",
			askAdmin)
	}
	return apperr.Wrap(apperr.Internal, outageError{e}, "The build service redirects this site to another address.",
		askAdmin)
}

func tooLongError(c call) error {
	err := fmt.Errorf("%s %s: the answer is longer than %d bytes", c.method, c.path, maxAnswer)
	return apperr.Wrap(apperr.Internal, err, "The answer of the build service is too long.", askAdmin)
}

// truncatedError is a fault for an answer that began as it should and did not end so.
func truncatedError(ctx context.Context, c call, err error) error {
	err = fmt.Errorf("%s %s: %w", c.method, c.path, err)
	if ctx.Err() != nil {
		return timeoutError(err)
	}
	return apperr.Wrap(apperr.Unavailable, err, "The answer of the build service is incomplete.", tryLater)
}

// connectionError is a fault for a call without any answer.
func connectionError(ctx context.Context, err error) error {
	var cert *tls.CertificateVerificationError
	var wait net.Error
	switch {
	case errors.As(err, &cert):
		return apperr.Wrap(apperr.Internal, outageError{err}, "The certificate of the build service is not trusted.",
			askAdmin)
	case ctx.Err() != nil || errors.As(err, &wait) && wait.Timeout():
		return timeoutError(err)
	}
	return apperr.Wrap(apperr.Unavailable, outageError{err}, "The build service can't be reached.", tryLater)
}

func timeoutError(err error) error {
	return apperr.Wrap(apperr.Unavailable, outageError{err}, "The build service didn't answer in time.", tryLater)
}

// pageText returns what an error page says, in one line.
func pageText(resp *http.Response, page string) string {
	if text := resp.Header.Get("X-Error"); text != "" {
		return text
	}
	// Compiled here, not at the program's start: most requests meet no error page.
	page = regexp.MustCompile(`(?is)<(script|style|head)\b.*?</(script|style|head)>`).ReplaceAllString(page, " ")
	page = html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, " "))
	text := []rune(strings.Join(strings.Fields(page), " "))
	if len(text) == 0 {
		return "nothing"
	}
	return string(text[:min(len(text), 400)])
}
