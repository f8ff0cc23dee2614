package registry

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
)

func copyTo(w io.Writer, r io.Reader) (int64, error) { return io.Copy(w, r) }

func sum(text string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) }

// fake is a registry that answers by path; “/v2/” is open unless it says otherwise.
type fake map[string]http.HandlerFunc

func (f fake) serve(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := f[r.URL.Path]; ok {
			h(w, r)
			return
		}
		if r.URL.Path != "/v2/" {
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// say answers with a text.
func say(mediaType, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		fmt.Fprint(w, text)
	}
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

const goodConfig = `{"os":"linux","architecture":"amd64","config":{"User":"me"}}`

// manifestOf is a manifest with a configuration and layers of other media types and sizes.
func manifestOf(config string, size int, rest string) string {
	return fmt.Sprintf(`{"schemaVersion":2,"config":{"mediaType":"%s","digest":"%s","size":%d},"layers":[%s]}`, ociConfig,
		sum(config), size, rest)
}

func layer(mediaType string, size int64) string {
	return fmt.Sprintf(`{"mediaType":"%s","digest":"%s","size":%d}`, mediaType, sum(""), size)
}

func TestAHostileRegistryIsRefused(t *testing.T) {
	good := manifestOf(goodConfig, len(goodConfig), layer(ociLayer, 5))
	blob := "/v2/a/blobs/" + sum(goodConfig)
	index := func(entries ...string) string {
		return `{"schemaVersion":2,"mediaType":"` + ociIndex + `","manifests":[` + strings.Join(entries, ",") + `]}`
	}
	entry := func(mediaType, digest string, size int, platform string) string {
		os, arch, _ := strings.Cut(platform, "/")
		return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d,"platform":{"os":%q,"architecture":%q}}`, mediaType, digest,
			size, os, arch)
	}
	inner := index(entry(ociIndex, sum("x"), 1, "linux/amd64"))
	const at = "/v2/a/manifests/latest"
	half := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(good)))
		fmt.Fprint(w, good[:len(good)/2])
	}
	endless := func(w http.ResponseWriter, r *http.Request) {
		line := bytes.Repeat([]byte(" "), 1<<16)
		for range 800 { // 50 MiB, and no length that says so
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	}
	for name, c := range map[string]struct {
		answers fake
		code    string // empty: it is taken
	}{
		"a good one":            {fake{at: say(ociManifest, good), blob: say("", goodConfig)}, ""},
		"a good one of no type": {fake{at: say("application/json", good), blob: say("", goodConfig)}, ""},
		"a configuration of another digest": {fake{at: say(ociManifest, good),
			blob: say("", strings.Replace(goodConfig, "me", "it", 1))}, "image_corrupt"},
		"a configuration of another size": {fake{at: say(ociManifest, manifestOf(goodConfig, 3, "")),
			blob: say("", goodConfig)}, "image_corrupt"},
		"a configuration that is away": {fake{at: say(ociManifest, good)}, "image_not_found"},
		"a configuration that is none": {fake{at: say(ociManifest, manifestOf("[]", 2, "")),
			"/v2/a/blobs/" + sum("[]"): say("", "[]")}, "image_corrupt"},
		"a configuration with NUL": {fake{at: say(ociManifest, manifestOf(nul, len(nul), "")),
			"/v2/a/blobs/" + sum(nul): say("", nul)}, "image_corrupt"},
		"a configuration that is huge": {fake{at: say(ociManifest, good), blob: endless}, "image_too_large"},
		"a digest that is a path": {fake{at: say(ociManifest,
			strings.Replace(good, sum(goodConfig), "../../x", 1))}, "image_not_found"},
		"a manifest of 50 MB": {fake{at: endless}, "image_too_large"},
		"a manifest that says 50 MB": {fake{at: func(w http.ResponseWriter,
			_ *http.Request) {
			w.Header().Set("Content-Length", "52428800")
		}}, "image_too_large"},
		"half a manifest":            {fake{at: half}, "image_corrupt"},
		"a manifest that is a page":  {fake{at: say("text/html", "<html>")}, "image_corrupt"},
		"a manifest that is nothing": {fake{at: say(ociManifest, "")}, "image_corrupt"},
		"a manifest with a negative layer": {fake{at: say(ociManifest,
			manifestOf(goodConfig, len(goodConfig), layer(ociLayer, -5)))}, "image_corrupt"},
		"layers without end": {fake{at: say(ociManifest,
			manifestOf(goodConfig, len(goodConfig), layer(ociLayer, 1<<40)))}, "image_too_large"},
		"too many layers": {fake{at: say(ociManifest,
			manifestOf(goodConfig, len(goodConfig), strings.Repeat(layer(ociLayer, 1)+",", 600)+layer(ociLayer, 1)))},
			"image_corrupt"},
		"a layer with another digest": {fake{at: say(ociManifest, manifestOf(goodConfig, len(goodConfig),
			strings.Replace(layer(ociLayer, 5), sum(""), "sha256:x", 1))), blob: say("", goodConfig)}, "image_corrupt"},
		"a layer of an unknown type": {fake{at: say(ociManifest,
			manifestOf(goodConfig, len(goodConfig), layer("application/x-encrypted", 1)))}, "image_type"},
		"a chart": {fake{at: say(ociManifest,
			strings.Replace(good, ociConfig, "application/vnd.cncf.helm.config.v1+json", 1))}, "image_type"},
		"schema 1": {fake{at: say(schema1Signed,
			`{"schemaVersion":1,"name":"a","tag":"latest","fsLayers":[{"blobSum":"sha256:0"}]}`)}, "image_schema1"},
		"schema 1 that says nothing": {fake{at: say("application/json", `{"schemaVersion":1}`)}, "image_schema1"},
		"a manifest of version 3":    {fake{at: say(ociManifest, `{"schemaVersion":3}`)}, "image_corrupt"},
		"an unknown media type":      {fake{at: say("x/y", `{"schemaVersion":2,"mediaType":"x/y"}`)}, "image_type"},
		"two types": {fake{at: say(dockerManifest,
			strings.Replace(good, "{", `{"mediaType":"`+ociManifest+`",`, 1))}, "image_corrupt"},
		"image and index at once": {fake{at: say(ociManifest,
			strings.Replace(good, "{", `{"manifests":[{"digest":"x"}],`, 1))}, "image_corrupt"},
		"an index without the platform": {fake{at: say(ociIndex,
			index(entry(ociManifest, sum(good), len(good), "linux/s390x")))}, "image_platform"},
		"an empty index": {fake{at: say(ociIndex, index())}, "image_platform"},
		"an index in an index that is away": {fake{at: say(ociIndex, index(entry(ociIndex, sum("x"), 1, "linux/amd64")))},
			"image_not_found"},
		"an index in an index in an index": {fake{at: say(ociIndex, index(entry(ociIndex, sum(inner), len(inner),
			"linux/amd64"))), "/v2/a/manifests/" + sum(inner): say(ociIndex, inner)}, "image_platform"},
		"an index in an index of another digest": {fake{at: say(ociIndex, index(entry(ociIndex, sum("x"), len(inner),
			"linux/amd64"))), "/v2/a/manifests/" + sum("x"): say(ociIndex, inner)}, "image_corrupt"},
		"an image that the index says is an index": {fake{at: say(ociIndex, index(entry(ociIndex, sum(good), len(good),
			"linux/amd64"))), "/v2/a/manifests/" + sum(good): say(ociManifest, good)}, "image_corrupt"},
		"too many indexes in an index": {fake{at: say(ociIndex, index(slices.Repeat([]string{entry(ociIndex, sum(inner),
			len(inner), "linux/amd64")}, 9)...)), "/v2/a/manifests/" + sum(inner): say(ociIndex, inner)}, "image_corrupt"},
		"an index that says it is an image": {fake{at: say(ociIndex,
			index(entry(ociManifest, sum(index()), len(index()), "linux/amd64"))),
			"/v2/a/manifests/" + sum(index()): say(ociIndex, index())}, "image_corrupt"},
		"another manifest than the index says": {fake{at: say(ociIndex,
			index(entry(ociManifest, sum("x"), len(good), "linux/amd64"))),
			"/v2/a/manifests/" + sum("x"): say(ociManifest, good)}, "image_corrupt"},
		"another size than the index says": {fake{at: say(ociIndex,
			index(entry(ociManifest, sum(good), 7, "linux/amd64"))), "/v2/a/manifests/" + sum(good): say(ociManifest, good)},
			"image_corrupt"},
		"401 without a challenge": {fake{"/v2/": status(401), at: status(401)}, "image_denied"},
		"401 with a challenge that is none": {fake{"/v2/": status(401, "WWW-Authenticate", `Bearer =,"`), at: status(401)},
			"image_corrupt"},
		"401 with a realm that is a file": {fake{"/v2/": status(401, "WWW-Authenticate",
			`Bearer realm="file:///etc/passwd"`)}, "image_corrupt"},
		"401 with a realm of the cloud": {fake{"/v2/": status(401, "WWW-Authenticate",
			`Bearer realm="http://169.254.169.254/latest"`)}, "image_corrupt"},
		"401 for ever": {fake{"/v2/": status(401, "WWW-Authenticate", `Basic realm="x"`),
			at: status(401, "WWW-Authenticate", `Basic realm="x"`)}, "image_denied"},
		"403":         {fake{at: status(403)}, "image_denied"},
		"429":         {fake{at: status(429, "Retry-After", "120")}, "registry_rate_limited"},
		"429 at once": {fake{"/v2/": status(429, "Retry-After", "120")}, "registry_rate_limited"},
		"500":         {fake{at: status(500)}, "registry_unavailable"},
		"503 at once": {fake{"/v2/": status(503)}, "registry_unavailable"},
		"a redirect to a file": {fake{at: status(302, "Location", "file:///etc/passwd")},
			"registry_insecure"},
		"a redirect to itself": {fake{at: status(302, "Location", at)}, "registry_insecure"},
		"a redirect without encryption": {fake{at: status(302, "Location", "http://example.org/")},
			"registry_insecure"},
		"a redirect to loopback": {fake{at: status(302, "Location", "https://127.0.0.1:1/")},
			"registry_private"},
		"a redirect to localhost": {fake{at: status(302, "Location", "https://localhost:1/")},
			"registry_private"},
		"a redirect to the cloud's secrets": {fake{blob: status(302, "Location", "https://169.254.169.254/"),
			at: say(ociManifest, good)}, "registry_private"},
		"a redirect to the mapped loopback": {fake{at: status(302, "Location", "https://[::ffff:127.0.0.1]:1/")},
			"registry_private"},
		"a redirect of the first request": {fake{"/v2/": status(302, "Location", "https://127.0.0.1:1/v2/")},
			"registry_private"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := c.answers.serve(t)
			_, err := client(host).Resolve(t.Context(), host+"/a", "linux/amd64")
			if c.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e := apperr.Of(err); err == nil || e.Code != c.code || e.Err == nil || e.Advice.IsZero() {
				t.Errorf("%+v, not %s: %v", e, c.code, err)
			} else if c.code == "registry_rate_limited" && (e.After != 2*time.Minute || e.Kind != apperr.RateLimited) {
				t.Errorf("%+v", e)
			}
		})
	}
}

const nul = `{"os":"linux","architecture":"amd64","config":{"Env":["A=\u0000"]}}`

// TestNobodyIsAskedInPrivateNetworks: what a stranger writes behind FROM reaches no address of this host and its
// network.
func TestNobodyIsAskedInPrivateNetworks(t *testing.T) {
	var reached atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer s.Close()
	tls := httptest.NewTLSServer(s.Config.Handler)
	defer tls.Close()
	cfg := config.Default().Registry
	cfg.LookupTimeout.Duration = 5 * time.Second
	for _, server := range []string{s.URL, tls.URL} {
		_, port, _ := strings.Cut(strings.SplitN(server, "://", 2)[1], ":")
		for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1.2.3", "0.0.0.0",
			"[::]"} {
			reference := host + ":" + port + "/a"
			for name, c := range map[string]*Client{"by default": New(cfg, "test"),
				"where others are named": client("127.0.0.1:1", "registry.example.org:"+port)} {
				_, err := c.Resolve(t.Context(), reference, "linux/amd64")
				if e := apperr.Of(err); err == nil || e.Code != "registry_private" && e.Code != "image_name" {
					t.Errorf("%s, %s: %v", reference, name, err)
				}
			}
		}
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("%d requests arrived", n)
	}
	for _, reference := range []string{"10.0.0.1/a", "192.168.1.1:5000/a", "169.254.169.254/a", "100.64.0.1/a",
		"[fd00::1]:443/a", "[64:ff9b::7f00:1]:443/a"} {
		_, err := New(cfg, "test").Resolve(t.Context(), reference, "linux/amd64")
		if e := apperr.Of(err); err == nil || e.Code != "registry_private" && e.Code != "image_name" {
			t.Errorf("%s: %v", reference, err)
		}
	}
}

// TestANamedRegistryOpensNoOther: an entry of the allow-list is for that registry, not for redirects of another to it.
func TestANamedRegistryOpensNoOther(t *testing.T) {
	var reached atomic.Int32
	inner := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer inner.Close()
	named := strings.TrimPrefix(inner.URL, "https://")
	evil := fake{"/v2/a/manifests/latest": status(307, "Location", inner.URL+"/secret")}.serve(t)
	cfg := config.Default().Registry
	cfg.Insecure, cfg.Allow = []string{evil}, []string{named, evil}
	if e := refused(t, New(cfg, "test"), evil+"/a", "linux/amd64"); e.Code != "registry_private" || reached.Load() > 0 {
		t.Errorf("%d, %+v", reached.Load(), e)
	}
	// The certificate is unknown, but the call was made: it is the named one's own.
	if e := refused(t, New(cfg, "test"), named+"/a", "linux/amd64"); e.Code != "registry_certificate" {
		t.Errorf("%+v", e)
	}
}

// TestPlainHTTPIsForNamedHosts: also where the client would take it for a private address by itself.
func TestPlainHTTPIsForNamedHosts(t *testing.T) {
	var reached atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer s.Close()
	host := strings.TrimPrefix(s.URL, "http://")
	cfg := config.Default().Registry
	cfg.Allow = []string{host} // it may be private, but not plain
	refused(t, New(cfg, "test"), host+"/a", "linux/amd64")
	if n := reached.Load(); n > 0 {
		t.Errorf("%d requests arrived", n)
	}
}

func TestHowLongARegistryWantsToBeLeftAlone(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "x": 0, "-5": 0, "30": 30 * time.Second, "99999999999": 0,
		"9999999":                       longestWait,
		"Thu, 01 Jan 1970 00:00:00 GMT": 0, "Fri, 01 Jan 2100 00:00:00 GMT": longestWait} {
		if got := retryAfter(text); got != want && !(text == "99999999999" && got == longestWait) {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add(ociManifest, manifestOf(goodConfig, 5, layer(ociLayer, 5)))
	f.Add("",
		`{"schemaVersion":2,"manifests":[{"platform":{"os":"linux","architecture":"amd64"},"mediaType":"`+ociManifest+`"}]}`)
	f.Add(schema1, `{"schemaVersion":1}`)
	f.Fuzz(func(t *testing.T, mediaType, text string) {
		m, err := parseManifest([]byte(text), mediaType, "")
		if err != nil {
			return
		}
		if _, rank, _ := m.choose("linux/arm/v7"); !m.index && rank >= 0 {
			t.Errorf("%q is an index", text)
		}
		if m.index == (len(m.Layers) > 0 || m.Config.Digest != "") {
			t.Errorf("%q: %+v", text, m)
		}
	})
}
