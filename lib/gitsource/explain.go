package gitsource

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
)

// reason is what git, or what it runs, says of a kind of failure.
type reason struct {
	says            []string // one of these, in lower case
	kind            apperr.Kind
	message, advice i18n.Key
}

// reasons are looked at in this order. git's messages are the same in all its versions that Debian and Devuan have.
var reasons = []reason{
	{[]string{"access denied or repository not exported"}, apperr.NotFound, noRepository, noRepositoryAdvice},
	{[]string{"host key verification failed", "remote host identification has changed"}, apperr.PermissionDenied,
		"The host key of the repository's server has changed.",
		"If this is expected, edit the job and save it: the new key is accepted then."},
	{[]string{"permission denied (", "authentication failed", "could not read username", "could not read password",
		"invalid username or", "error: 401", "error: 403", "no such identity", "error in libcrypto",
		"terminal prompts disabled"}, apperr.PermissionDenied,
		"The server denied access to the repository.",
		"Check the deploy key or token, and that it may read this repository. A private repository needs one."},
	{[]string{"could not resolve host", "name or service not known", "temporary failure in name resolution",
		"could not resolve hostname", "unable to look up"}, apperr.Unavailable,
		"The name of the repository's server is not known.", "Check the address."},
	{[]string{"permission denied", "no route to host", "network is unreachable", "connection refused",
		"connection timed out",
		"failed to connect", "operation timed out", "connection reset", "couldn't connect", "connection closed",
		"unexpected disconnect", "early eof", "remote end hung up", "kex_exchange", "timed out"}, apperr.Unavailable,
		"The repository's server can't be reached.",
		"Try again later. Servers in private networks need the permission of this site's administrator ([git] allow)."},
	{[]string{"server certificate", "ssl certificate", "certificate verif"}, apperr.Unavailable,
		"The certificate of the repository's server is not trusted.", "Check the address. Ask the server's administrator."},
	{[]string{"transport '", "is not allowed"}, apperr.InvalidArgument,
		"The repository, or one of its submodules, uses a transport that this site does not allow.",
		"Use https, ssh or git addresses."},
	{[]string{"error: 30", "unable to update url base from redirection"}, apperr.InvalidArgument,
		"The repository's server redirects to another address, where the token is not sent.",
		"Enter the address that it redirects to."},
	{[]string{"file too large", "file size limit exceeded", "died of signal 25"}, apperr.TooLarge,
		"The repository is too large for this site.", "Use a smaller one, or ask the administrator for a higher limit."},
	{[]string{"no space left"}, apperr.StorageFull, "The disk of this site is full.", "Try again later."},
	{[]string{"out of memory", "malloc failed", "mmap failed"}, apperr.TooLarge,
		"The repository needs more memory than this site has for it.", "Use a smaller one."},
	{[]string{": its submodules cannot be fetched"}, apperr.FailedPrecondition,
		"A submodule of the repository can't be fetched.", "Check its address, or build without submodules."},
	{[]string{": it is empty"}, apperr.NotFound, "The repository is empty.", "Push a commit first."},
	{[]string{"has changed meanwhile"}, apperr.Unavailable,
		"The branch changed while it was fetched.", "Build again."},
	{[]string{"not found", "does not exist", "does not appear to be a git repository", "no such file"}, apperr.NotFound,
		noRepository, noRepositoryAdvice},
}

const (
	noRepository       i18n.Key = "There is no repository at this address."
	noRepositoryAdvice i18n.Key = "Check the address. A private repository needs a deploy key or token."
)

// explain says for people why a fetch failed.
func explain(err, cause error, said string, o Options, a Address) error {
	lower := strings.ToLower(said)
	detail := fmt.Errorf("%w: %s", err, last(said, 600))
	switch {
	case errors.Is(cause, errTimeLimit):
		return apperr.Wrap(apperr.Unavailable, detail, "Fetching the repository took longer than %s.",
			"Try again later. A smaller repository takes less.", o.TimeLimit.Round(time.Second).String())
	case errors.Is(cause, errTooLarge):
		return tooLarge(o.MaxBytes)
	case cause != nil:
		return cause
	case strings.Contains(said, "it has no branch, tag or commit "), strings.Contains(said, "it has no commit "),
		strings.Contains(lower, "not our ref"), strings.Contains(lower, "couldn't find remote ref"):
		return apperr.Wrap(apperr.NotFound, detail, "The repository has no branch, tag or commit %s.",
			"Check its name. It may have been deleted.", o.Ref).At("git_ref")
	case strings.Contains(said, "git: "+a.Text+": it has no folder "):
		return noFolder(o.Folder)
	case exitCode(err) == 99 && strings.Contains(said, "toaster: "):
		return apperr.Wrap(apperr.Unavailable, detail, "This site can't fetch repositories at the moment.",
			"Administrator: see the log.")
	}
	for _, r := range reasons {
		for _, one := range r.says {
			if strings.Contains(lower, one) {
				return apperr.Wrap(r.kind, detail, r.message, r.advice)
			}
		}
	}
	return apperr.Wrap(apperr.Unavailable, detail, "The repository can't be fetched.",
		"Check the address, and try again later.")
}

func exitCode(err error) int {
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return ended.ExitCode()
	}
	return 0
}

// last is the end of a text.
func last(text string, most int) string {
	text = strings.TrimSpace(text)
	return text[max(0, len(text)-most):]
}
