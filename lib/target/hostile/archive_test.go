package hostile

import (
	"archive/tar"
	"strings"
)

func archive(entries ...tar.Header) string {
	var out strings.Builder
	w := tar.NewWriter(&out)
	for _, e := range entries {
		body := ""
		if e.Typeflag == tar.TypeReg {
			body = "planted\n"
		}
		e.Size = int64(len(body))
		e.Mode = 0o666
		if err := w.WriteHeader(&e); err != nil {
			panic(err)
		}
		_, _ = w.Write([]byte(body))
	}
	_ = w.Close()
	return out.String()
}

// deviceArchive: ADD unpacks it, so that nobody needs mknod.
func deviceArchive(h *host) string {
	return archive(tar.Header{Typeflag: tar.TypeBlock, Name: "archived/loop", Devmajor: 7, Devminor: int64(h.facts.Loop)},
		tar.Header{Typeflag: tar.TypeChar, Name: "archived/mem", Devmajor: 1, Devminor: 1})
}

// linkArchive writes through links that it brings itself.
func linkArchive(canary string) string {
	return archive(tar.Header{Typeflag: tar.TypeSymlink, Name: "one", Linkname: "/proc/1/root" + canary},
		tar.Header{Typeflag: tar.TypeReg, Name: "one/planted"},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "two", Linkname: strings.Repeat("../", 20) + canary[1:]},
		tar.Header{Typeflag: tar.TypeReg, Name: "two/planted"},
		tar.Header{Typeflag: tar.TypeLink, Name: "three", Linkname: "one/secret"})
}

// climbingArchive has names that lead out.
func climbingArchive(canary string) string {
	return archive(tar.Header{Typeflag: tar.TypeReg, Name: strings.Repeat("../", 20) + canary[1:] + "/planted"},
		tar.Header{Typeflag: tar.TypeReg, Name: canary + "/planted"})
}

// placesArchive puts links where the sandbox mounts what a container has.
func placesArchive(canary string) string {
	var links []tar.Header
	for _, name := range []string{"dev", "proc", "sys"} {
		links = append(links, tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: canary})
	}
	return archive(links...)
}
