package jenkinstest

import (
	"cmp"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// archiver is the step that keeps artifacts. Booleans that are left out have Jenkins's defaults.
type archiver struct {
	Artifacts         string `xml:"artifacts"`
	Excludes          string `xml:"excludes"`
	AllowEmptyArchive bool   `xml:"allowEmptyArchive"`
	OnlyIfSuccessful  bool   `xml:"onlyIfSuccessful"`
	DefaultExcludes   *bool  `xml:"defaultExcludes"`
	CaseSensitive     *bool  `xml:"caseSensitive"`
	FollowSymlinks    *bool  `xml:"followSymlinks"`
	Fingerprint       bool   `xml:"fingerprint"`
}

// archive copies what matches out of the workspace, and returns the paths and the result after it.
func (b *run) archive(workspace, result string) ([]string, string) {
	a := b.project.Publishers.Archiver
	if a == nil {
		return nil, result
	}
	good := result == "SUCCESS" || result == "UNSTABLE"
	if a.OnlyIfSuccessful && !good {
		b.log.say("Skipped archiving because build is not successful")
		return nil, result
	}
	b.log.say("Archiving artifacts")
	names := a.find(workspace)
	for _, name := range names {
		if err := keepFile(filepath.Join(workspace, name), filepath.Join(b.dir, "archive", name)); err != nil {
			b.log.say("ERROR: Failed to archive artifacts: " + a.Artifacts)
			return nil, "FAILURE"
		}
	}
	if len(names) == 0 && good {
		words := `No artifacts found that match the file pattern "` + a.Artifacts + `". Configuration error?`
		if !a.AllowEmptyArchive {
			b.log.say("ERROR: "+words, "Build step 'Archive the artifacts' changed build result to FAILURE")
			return nil, "FAILURE"
		}
		b.log.say(words)
	}
	if a.Fingerprint {
		b.log.say("Recording fingerprints")
		if err := a.fingerprint(workspace); err != nil {
			b.log.say("ERROR: Failed to record fingerprints", "java.io.IOException: Failed to compute digest for "+err.Error())
			return names, "FAILURE"
		}
	}
	return names, result
}

// fingerprint reads each file that matches. Links are followed, whatever followSymlinks says: hudson.tasks.Fingerprinter
// doesn't know of it.
func (a *archiver) fingerprint(workspace string) (err error) {
	depth := 0
	var walk func(rel string)
	walk = func(rel string) {
		entries, _ := os.ReadDir(filepath.Join(workspace, rel))
		for _, e := range entries {
			name := filepath.Join(rel, e.Name())
			info, failed := os.Stat(filepath.Join(workspace, name))
			switch {
			case failed == nil && info.IsDir() && depth < 5:
				depth++
				walk(name)
				depth--
			case !anyMatches(patterns(a.Artifacts), name):
			case failed != nil:
				err = failed
			case info.Mode().IsRegular():
				_, failed = os.ReadFile(filepath.Join(workspace, name))
				err = cmp.Or(err, failed)
			}
		}
	}
	walk("")
	return err
}

// find lists the files that match, in the order of the API. Links to folders are followed, as Ant does.
func (a *archiver) find(workspace string) (names []string) {
	include, exclude := patterns(a.Artifacts), patterns(a.Excludes)
	if a.DefaultExcludes == nil || *a.DefaultExcludes {
		exclude = append(exclude, defaultExcludes...)
	}
	fold := func(s string) string { return s }
	if a.CaseSensitive != nil && !*a.CaseSensitive {
		fold = strings.ToLower
		for i := range include {
			include[i] = fold(include[i])
		}
	}
	follow := a.FollowSymlinks == nil || *a.FollowSymlinks
	var walk func(rel string, depth int)
	walk = func(rel string, depth int) {
		entries, _ := os.ReadDir(filepath.Join(workspace, rel))
		for _, e := range entries {
			name := filepath.Join(rel, e.Name())
			link := e.Type()&os.ModeSymlink != 0
			info, err := os.Stat(filepath.Join(workspace, name))
			switch {
			case link && !follow:
			case err == nil && info.IsDir():
				// A link that leads up would never end; Ant gives up after some levels too.
				if !link || depth < 5 {
					walk(name, depth+1)
				}
			case err == nil && anyMatches(include, fold(name)) && !anyMatches(exclude, name):
				names = append(names, name)
			}
		}
	}
	walk("", 0)
	slices.SortFunc(names, func(x, y string) int {
		return slices.Compare(strings.Split(x, "/"), strings.Split(y, "/"))
	})
	return names
}

// keepFile copies a file, or a link as a link.
func keepFile(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if target, err := os.Readlink(from); err == nil {
		return os.Symlink(target, to)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if err := copyData(out, in, info.Size()); err != nil {
		out.Close()
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}

// copyData copies a file and leaves its holes out, so that a test of gigabytes needs no disk. See lseek(2).
func copyData(out, in *os.File, size int64) error {
	const seekData, seekHole = 3, 4
	for at := int64(0); at < size; {
		begin, err := in.Seek(at, seekData)
		if errors.Is(err, syscall.ENXIO) {
			break // only a hole is left
		}
		if err != nil {
			return err
		}
		end, err := in.Seek(begin, seekHole)
		if err != nil {
			return err
		}
		if _, err := in.Seek(begin, io.SeekStart); err != nil {
			return err
		}
		if _, err := out.Seek(begin, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.CopyN(out, in, end-begin); err != nil {
			return err
		}
		at = end
	}
	return out.Truncate(size)
}

// artifactBeans are the files as the API lists them. Files of the same name show more of their paths.
func artifactBeans(names []string) []*bean {
	count := map[string]int{}
	for _, n := range names {
		count[filepath.Base(n)]++
	}
	beans := make([]*bean, len(names))
	for i, n := range names {
		base := filepath.Base(n)
		display := base
		if count[base] > 1 {
			display = n
		}
		beans[i] = beanOf("", deep("displayPath", display), deep("fileName", base), deep("relativePath", n))
	}
	return beans
}
