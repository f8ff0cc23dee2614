package dockerfile

import (
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"toaster.do/lib/i18n"
)

// isGit tells the sources that BuildKit would clone:
// https://docs.docker.com/reference/dockerfile/#adding-files-from-a-git-repository
func isGit(src string) bool {
	if isURL(src) {
		u, err := url.Parse(src)
		return err == nil && strings.HasSuffix(u.Path, ".git")
	}
	return strings.HasPrefix(src, "git://") || strings.HasPrefix(src, "ssh://") || scpForm().MatchString(src)
}

var (
	scpForm    = lazy(`^[A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+:.`)
	commitForm = lazy(`^[0-9a-f]{4,64}$`)
)

// repository is a source of ADD: what of which repository.
type repository struct {
	remote           string // for git
	ref, folder      string // empty: the default branch, all of it
	commit           string // how its digest begins; empty: any
	keep, submodules bool
	times            bool // of the commit, not of the checkout
}

// parseGit reads REMOTE[?QUERY][#REF[:FOLDER]].
func parseGit(src string) (r repository, keep *bool, message i18n.Text) {
	u, err := url.Parse(src)
	if err != nil {
		return r, nil, i18n.T("The address of the repository is invalid.")
	}
	r.submodules = true
	r.ref, r.folder, _ = strings.Cut(u.Fragment, ":")
	query := u.Query()
	u.Fragment, u.RawFragment, u.RawQuery = "", "", ""
	r.remote = u.String()
	set := func(field *string, value string) bool {
		ok := *field == "" || *field == value
		*field = value
		return ok
	}
	for _, key := range slices.Sorted(func(yield func(string) bool) {
		for k := range query {
			if !yield(k) {
				return
			}
		}
	}) {
		value, ok := query[key][0], len(query[key]) == 1
		flag, err := true, error(nil)
		if value != "" {
			flag, err = strconv.ParseBool(value)
		}
		switch key {
		case "ref":
			ok = ok && value != "" && set(&r.ref, value)
		case "tag", "branch":
			prefix := map[string]string{"tag": "refs/tags/", "branch": "refs/heads/"}[key]
			ok = ok && value != "" && set(&r.ref, prefix+strings.TrimPrefix(value, prefix))
		case "subdir":
			ok = ok && value != "" && set(&r.folder, value)
		case "checksum", "commit":
			ok = ok && set(&r.commit, value)
		case "keep-git-dir":
			keep, ok = &flag, ok && err == nil
		case "submodules":
			r.submodules, ok = flag, ok && err == nil
		case "fetch-by-commit": // a way to the same files
			ok = ok && err == nil
		case "mtime":
			r.times, ok = value == "commit", ok && (value == "commit" || value == "checkout")
		default:
			ok = false
		}
		if !ok {
			return r, nil, i18n.T("The address of the repository has %s, which is not known, or says something else than the "+
				"rest.", show(key+"="+value))
		}
	}
	r.folder = path.Join("/", r.folder)
	return r, keep, i18n.Text{}
}

// addGit translates ADD of a Git repository.
func (t *translator) addGit(s *stage, c copying, src string) {
	if !isURL(src) && !strings.HasPrefix(src, "git://") {
		t.failIn(s, c.loc, "AddGit", "ADD fetches Git repositories by https:// here: a build has no SSH keys.",
			"Write the https:// address of the repository, or add a checkout to the build context and COPY it.")
		return
	}
	r, keep, message := parseGit(src)
	commit := strings.ToLower(c.checksum)
	switch {
	case !message.IsZero():
	case keep != nil && c.keep != nil && *keep != *c.keep:
		message = i18n.T("--keep-git-dir and the address of the repository contradict each other.")
	case commit != "" && r.commit != "" && commit != r.commit:
		message = i18n.T("--checksum and the address of the repository contradict each other.")
	case commit+r.commit != "" && !commitForm().MatchString(commit+strings.TrimPrefix(r.commit, commit)):
		message = i18n.T("%s is not the digest of a commit.", show(commit+r.commit))
	case strings.ContainsAny(src, " \n\t") || strings.HasPrefix(r.ref, "-"):
		message = i18n.T("The address of the repository is invalid.")
	}
	if !message.IsZero() {
		t.failIn(s, c.loc, "AddGit", "%s", "Write ADD https://HOST/NAME.git#REF:FOLDER /DESTINATION.", message)
		return
	}
	if keep == nil {
		keep = c.keep
	}
	r.keep = keep != nil && *keep
	if r.commit == "" {
		r.commit = commit
	}
	flag := func(b bool) string {
		if b {
			return "yes"
		}
		return ""
	}
	n := t.nextInline()
	s.emit("git_tree", n, r.remote, r.ref, r.commit, r.folder, flag(r.keep), flag(r.submodules), flag(r.times))
	s.body.WriteString("put $WORK/inline/" + n + "/tree " + quote(r.folder) + "\n")
}
