package jenkinstest

import (
	"path"
	"strings"
)

// matches is Ant's match of a path against a pattern: "**" is any number of folders, "*" and "?" stay within one.
func matches(pattern, name string) bool {
	if strings.HasSuffix(pattern, "/") {
		pattern += "**"
	}
	return matchParts(strings.Split(pattern, "/"), strings.Split(name, "/"))
}

func matchParts(pattern, name []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			for i := 0; i <= len(name); i++ {
				if matchParts(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		}
		if len(name) == 0 || !matchPart(pattern[0], name[0]) {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return len(name) == 0
}

var plainGlob = strings.NewReplacer(`\`, `\\`, `[`, `\[`)

func matchPart(pattern, name string) bool {
	ok, err := path.Match(plainGlob.Replace(pattern), name)
	return err == nil && ok
}

// defaultExcludes are Ant's.
var defaultExcludes = strings.Fields(`**/*~ **/#*# **/.#* **/%*% **/._* **/CVS **/CVS/** **/.cvsignore **/SCCS **/SCCS/** **/vssver.scc
	**/.svn **/.svn/** **/.DS_Store **/.git **/.git/** **/.gitattributes **/.gitignore **/.gitmodules **/.hg **/.hg/** **/.hgignore **/.hgsub
	**/.hgsubstate **/.hgtags **/.bzr **/.bzr/** **/.bzrignore`)

func anyMatches(patterns []string, name string) bool {
	for _, p := range patterns {
		if matches(p, name) {
			return true
		}
	}
	return false
}

func patterns(list string) (all []string) {
	for _, p := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' }) {
		all = append(all, strings.TrimPrefix(p, "./"))
	}
	return all
}
