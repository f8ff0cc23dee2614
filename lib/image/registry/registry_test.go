package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/image"
	"toaster.do/lib/image/imagetest"
)

// client is one whose site names these hosts in registry.insecure, which are on loopback.
func client(insecure ...string) *Client {
	cfg := config.Default().Registry
	cfg.Insecure = insecure
	return New(cfg, "test")
}

var full = v1.Config{
	User: "1000:1000", Env: []string{"PATH=/bin", "A=b c"}, Entrypoint: []string{"/init"}, Cmd: []string{"x", "y"},
	WorkingDir:   "/srv",
	ExposedPorts: map[string]struct{}{"80/tcp": {}}, Volumes: map[string]struct{}{"/data": {}},
	Labels:     map[string]string{"l": "1"},
	StopSignal: "SIGINT", OnBuild: []string{"RUN true"}, Shell: []string{"/bin/bash", "-c"},
	Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "true"}, Interval: time.Second, Timeout: 2 * time.Second,
		StartPeriod: 3, Retries: 4},
}

func resolve(t *testing.T, c *Client, reference, platform string) image.Image {
	t.Helper()
	img, err := c.Resolve(t.Context(), reference, platform)
	if err != nil {
		t.Fatalf("%s for %s: %v", reference, platform, err)
	}
	return img
}

// refused looks an image up that can't be had.
func refused(t *testing.T, c *Client, reference, platform string) *apperr.Error {
	t.Helper()
	img, err := c.Resolve(t.Context(), reference, platform)
	if err == nil {
		t.Fatalf("%s for %s is %+v", reference, platform, img)
	}
	return apperr.Of(err)
}

func TestAnImageIsLookedUpWithItsConfiguration(t *testing.T) {
	host := imagetest.Serve(t)
	made := imagetest.Image(t, "linux/amd64", full, "one", "twenty")
	digest := imagetest.Push(t, host+"/dyne/app:1.2", made)
	img := resolve(t, client(host), host+"/dyne/app:1.2", "linux/amd64")
	if img.Digest != digest || len(img.Layers) != 2 || img.Size != 30+60 ||
		img.MediaType != string(types.OCIManifestSchema1) {
		t.Errorf("%+v, not %s", img, digest)
	}
	if img.Layers[0].Size != 30 || img.Layers[0].MediaType != string(types.OCILayer) {
		t.Errorf("%+v", img.Layers)
	}
	want := image.Config{
		OS: "linux", Architecture: "amd64", User: full.User, Env: full.Env, Entrypoint: full.Entrypoint, Cmd: full.Cmd,
		WorkingDir:   full.WorkingDir,
		ExposedPorts: full.ExposedPorts, Volumes: full.Volumes, Labels: full.Labels, StopSignal: full.StopSignal,
		OnBuild: full.OnBuild, Shell: full.Shell,
		Healthcheck: &image.Healthcheck{Test: []string{"CMD", "true"}, Interval: time.Second, Timeout: 2 * time.Second,
			StartPeriod: 3, Retries: 4},
	}
	if !reflect.DeepEqual(img.Config, want) {
		t.Errorf("%+v\nnot %+v", img.Config, want)
	}
	for _, reference := range []string{host + "/dyne/app@" + digest, host + "/dyne/app:other@" + digest} {
		if img := resolve(t, client(host), reference, "linux/amd64"); img.Digest != digest || img.Reference != reference {
			t.Errorf("%s is %+v", reference, img)
		}
	}
	if e := refused(t, client(host), host+"/dyne/app:1.3", "linux/amd64"); e.Kind != apperr.NotFound {
		t.Errorf("%s: %v", e.Kind, e)
	}
}

func TestDockersManifestsAreRead(t *testing.T) {
	host := imagetest.Serve(t)
	made, err := random.Image(1000, 3) // media types of Docker
	if err != nil {
		t.Fatal(err)
	}
	made, err = mutate.ConfigFile(made, &v1.ConfigFile{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	list := mutate.IndexMediaType(mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: made,
		Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}}), types.DockerManifestList)
	digest := imagetest.Push(t, host+"/a:one", made)
	imagetest.Push(t, host+"/a:list", list)
	for _, reference := range []string{host + "/a:one", host + "/a:list", host + "/a@" + imagetest.Digest(t, list)} {
		if img := resolve(t, client(host), reference, "linux/amd64"); img.Digest != digest ||
			img.MediaType != dockerManifest || len(img.Layers) != 3 {
			t.Errorf("%s: %+v, not %s", reference, img, digest)
		}
	}
}

func TestAnIndexIsReadByPlatform(t *testing.T) {
	host := imagetest.Serve(t)
	platforms := []string{"linux/amd64", "linux/arm/v5", "linux/arm/v7", "linux/arm64/v8", "windows/amd64",
		"unknown/unknown"}
	var images []v1.Image
	for _, p := range platforms {
		images = append(images, imagetest.Image(t, p, v1.Config{User: p}, p))
	}
	imagetest.Push(t, host+"/a", imagetest.Index(t, platforms, images...))
	imagetest.Push(t, host+"/v6", imagetest.Index(t, []string{"linux/arm/v6"}, images[1]))
	imagetest.Push(t, host+"/armv7", images[2])
	c := client(host)
	for _, p := range []string{"linux/amd64", "linux/arm/v5", "linux/arm/v7"} { // amd64, armel, armhf
		if img := resolve(t, c, host+"/a", p); img.Config.User != p || img.Platform != p {
			t.Errorf("%s: %+v", p, img)
		}
	}
	if img := resolve(t, c, host+"/a", "linux/arm64"); img.Config.User != "linux/arm64/v8" {
		t.Errorf("%+v", img)
	}
	resolve(t, c, host+"/v6", "linux/arm/v7")
	resolve(t, c, host+"/armv7", "linux/arm/v7")
	for _, r := range [][3]string{
		{"/a", "linux/riscv64", "linux/amd64, linux/arm/v5, linux/arm/v7, linux/arm64/v8, windows/amd64."},
		{"/v6", "linux/arm/v5", "linux/arm/v6."}, {"/armv7", "linux/amd64", "linux/arm/v7."},
		{"/armv7", "linux/arm/v5", "linux/arm/v7."},
	} {
		e := refused(t, c, host+r[0], r[1])
		if e.Kind != apperr.InvalidArgument || e.Code != "image_platform" || !strings.HasSuffix(e.Message.String(), r[2]) {
			t.Errorf("%v: %+v", r, e)
		}
	}
}

func TestIndexesInAnIndexAreRead(t *testing.T) {
	host := imagetest.Serve(t)
	digests := map[string]string{}
	var inner []v1.ImageIndex
	for _, platforms := range [][]string{{"linux/arm/v6", "linux/amd64"}, {"linux/arm/v7", "linux/s390x"}} {
		var images []v1.Image
		for _, p := range platforms {
			images = append(images, imagetest.Image(t, p, v1.Config{User: p}))
			digests[p] = imagetest.Digest(t, images[len(images)-1])
		}
		inner = append(inner, imagetest.Index(t, platforms, images...))
	}
	outer := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, i := range inner {
		outer = mutate.AppendManifests(outer, mutate.IndexAddendum{Add: i})
	}
	imagetest.Push(t, host+"/a", outer)
	for platform, is := range map[string]string{"linux/amd64": "linux/amd64", "linux/arm/v7": "linux/arm/v7",
		"linux/arm/v6": "linux/arm/v6", "linux/s390x": "linux/s390x"} {
		img := resolve(t, client(host), host+"/a", platform)
		if img.Digest != digests[is] || img.Config.User != is {
			t.Errorf("%s: %+v", platform, img)
		}
	}
	if e := refused(t, client(host), host+"/a", "linux/riscv64"); e.Code != "image_platform" ||
		!strings.Contains(fmt.Sprint(e.Err), "s390x") && !strings.Contains(fmt.Sprint(e.Message, e.Advice), "s390x") {
		t.Errorf("%+v", e)
	}
}

func TestShortNamesAreDockers(t *testing.T) {
	for text, want := range map[string]string{
		"alpine": "docker.io/library/alpine latest", "alpine:3.20": "docker.io/library/alpine 3.20",
		"dyne/devuan":                    "docker.io/dyne/devuan latest",
		"docker.io/alpine":               "docker.io/library/alpine latest",
		"index.docker.io/library/alpine": "docker.io/library/alpine latest",
		"ghcr.io/dyne/app:x":             "ghcr.io/dyne/app x", "localhost/a": "localhost/a latest",
		"localhost:5000/a":         "localhost:5000/a latest",
		"a.example.org:80/b/c/d:e": "a.example.org:80/b/c/d e",
	} {
		ref, err := parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := hostOf(ref.Context()) + "/" + ref.Context().RepositoryStr() + " " + ref.Identifier(); got != want {
			t.Errorf("%s: %s, not %s", text, got, want)
		}
	}
	for _, text := range []string{"", "A", "a:", "a b", "a@sha256:00", strings.Repeat("a/", 400) + "a", "https://a/b",
		"../a:b c", "a\n"} {
		if e := refused(t, client(), text, "linux/amd64"); e.Code != "image_name" {
			t.Errorf("%.50q: %+v", text, e)
		}
	}
}

func TestTheAllowListHoldsAtWholeNames(t *testing.T) {
	cfg := config.Default().Registry
	cfg.Allow = []string{"docker.io/library", "ghcr.io/dyne/app", "quay.io"}
	c := New(cfg, "test")
	for text, want := range map[string]bool{
		"alpine": true, "docker.io/library/alpine:3": true, "dyne/devuan": false, "ghcr.io/dyne/app:1": true,
		"ghcr.io/dyne/app/sub":     true,
		"ghcr.io/dyne/application": false, "ghcr.io/dyne": false, "quay.io/a/b": true, "quay.io:443/a": false,
		"quay.io.example.org/a": false,
	} {
		ref, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if c.allowed(ref) != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
	if e := refused(t, c, "dyne/devuan", "linux/amd64"); e.Kind != apperr.PermissionDenied ||
		e.Code != "image_not_allowed" || !strings.Contains(e.Advice.String(), "quay.io") {
		t.Errorf("%+v", e)
	}
}

func TestMirrorsAreAskedFirst(t *testing.T) {
	mirror, itself := imagetest.Serve(t), imagetest.Serve(t)
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	gone := strings.TrimPrefix(down.URL, "http://")
	cfg := config.Default().Registry
	cfg.Insecure = []string{mirror, itself, gone}
	cfg.Mirrors = map[string][]string{itself: {gone, mirror + "/hub"}, "docker.io": {mirror + "/hub"}}
	c := New(cfg, "test")
	there := imagetest.Push(t, mirror+"/hub/library/a", imagetest.Image(t, "linux/amd64", v1.Config{User: "mirror"}))
	imagetest.Push(t, itself+"/library/a", imagetest.Image(t, "linux/amd64", v1.Config{User: "itself"}))
	imagetest.Push(t, itself+"/library/b", imagetest.Image(t, "linux/amd64", v1.Config{User: "itself"}))
	for reference, want := range map[string]string{
		itself + "/library/a": "mirror", "a": "mirror", "docker.io/library/a@" + there: "mirror",
		itself + "/library/b": "itself",
	} {
		if img := resolve(t, c, reference, "linux/amd64"); img.Config.User != want || img.Reference != reference {
			t.Errorf("%s: %+v", reference, img)
		}
	}
	if e := refused(t, c, itself+"/library/c", "linux/amd64"); e.Kind != apperr.NotFound ||
		!strings.HasPrefix(e.Message.String(), itself) {
		t.Errorf("%+v", e)
	}
}

func TestManyImagesAreLookedUpTogether(t *testing.T) {
	host := imagetest.Serve(t)
	var wants []image.Want
	for i := range 20 {
		reference := fmt.Sprintf("%s/a:%d", host, i)
		if i != 7 {
			imagetest.Push(t, reference, imagetest.Image(t, "linux/amd64", v1.Config{}, fmt.Sprint(i)))
		}
		wants = append(wants, image.Want{Reference: reference, Platform: "linux/amd64"})
	}
	lock, problems := client(host).LookUp(t.Context(), wants, image.Want{})
	if len(lock) != 19 || len(problems) != 1 || problems[0].Want != wants[7] || problems[0].Passes() {
		t.Errorf("%d, %+v", len(lock), problems)
	}
	for _, w := range slices.Delete(slices.Clone(wants), 7, 8) {
		if lock.Find(w) == nil {
			t.Errorf("%v is missing", w)
		}
	}
	if text, err := image.Parse(lock.Encode()); err != nil || len(text) != 19 {
		t.Error(err)
	}
}

// login is config.json with a login at hosts.
func login(t *testing.T, logins map[string]string) config.Registry {
	t.Helper()
	cfg := config.Default().Registry
	var all []string
	for host, fields := range logins {
		all = append(all, fmt.Sprintf("%q: {%s}", host, fields))
	}
	cfg.AuthFile = filepath.Join(t.TempDir(), "config.json")
	text := `{"auths": {` + strings.Join(all, ",") + `}, "credsStore": "pass", "HttpHeaders": {"a": "b"}}`
	if err := os.WriteFile(cfg.AuthFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func basic(user, password string) string {
	return `"auth": "` + base64.StdEncoding.EncodeToString([]byte(user+":"+password)) + `"`
}

func TestALoginIsSentToItsRegistryOnly(t *testing.T) {
	const secret = "swordfish"
	host := strings.TrimPrefix(guarded(t, func(r *http.Request) bool {
		user, password, _ := r.BasicAuth()
		return user == "me" && password == secret
	}, `Basic realm="x"`), "http://")
	var leaked atomic.Bool
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			leaked.Store(true)
		}
		http.NotFound(w, r)
	}))
	defer stranger.Close()
	other := strings.TrimPrefix(stranger.URL, "http://")
	for name, logins := range map[string]map[string]string{
		"auth": {host: basic("me", secret)}, "an address": {"http://" + host + "/v2/": basic("me", secret)},
		"fields": {host: `"username": "me", "password": "` + secret + `"`, other + "0": basic("me", "x")},
	} {
		cfg := login(t, logins)
		cfg.Insecure = []string{host, other}
		c := New(cfg, "test")
		if img := resolve(t, c, host+"/a", "linux/amd64"); img.Digest == "" {
			t.Errorf("%s: %+v", name, img)
		}
		refused(t, c, other+"/a", "linux/amd64")
	}
	if leaked.Load() {
		t.Error("another registry got the login")
	}
	for name, logins := range map[string]map[string]string{"nobody": {}, "another password": {host: basic("me", "x")},
		"a helper's": {host: ""}} {
		cfg := login(t, logins)
		cfg.Insecure = []string{host}
		e := refused(t, New(cfg, "test"), host+"/a", "linux/amd64")
		if e.Kind != apperr.PermissionDenied || e.Code != "image_denied" ||
			!strings.Contains(e.Advice.String(), "docker login "+host) {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// guarded is a registry with an image “a” for those who may.
func guarded(t *testing.T, may func(*http.Request) bool, challenge string) string {
	t.Helper()
	inner := imagetest.Serve(t)
	imagetest.Push(t, inner+"/a", imagetest.Image(t, "linux/amd64", v1.Config{}, "x"))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !may(r) {
			w.Header().Set("WWW-Authenticate", challenge)
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED"}]}`, http.StatusUnauthorized)
			return
		}
		pass(w, r, inner)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// pass answers as another registry does.
func pass(w http.ResponseWriter, r *http.Request, host string) {
	ask, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+host+r.URL.Path, nil)
	if err != nil {
		panic(err)
	}
	ask.Header = r.Header.Clone()
	resp, err := http.DefaultTransport.RoundTrip(ask)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(resp.StatusCode)
	if _, err := copyTo(w, resp.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func TestTokensAreFetchedAsTheRegistrySays(t *testing.T) {
	var asked atomic.Pointer[http.Request]
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		asked.Store(r)
		user, password, _ := r.BasicAuth()
		private := r.Form.Get("service") == "private"
		switch {
		case private && r.Method == http.MethodGet && user == "me" && password == "pw":
		case private && r.Method == http.MethodPost && r.Form.Get("grant_type") == "refresh_token" &&
			r.Form.Get("refresh_token") == "idt":
		case !private && user == "":
		default:
			http.Error(w, "{}", http.StatusUnauthorized)
			return
		}
		if err := json.NewEncoder(w).Encode(map[string]string{"token": "good"}); err != nil {
			t.Error(err)
		}
	}))
	defer tokens.Close()
	at := strings.Replace(strings.TrimPrefix(tokens.URL, "http://"), "127.0.0.1", "localhost", 1)
	bearer := func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer good" }
	realm := `Bearer realm="http://` + at + `/token",service="%s",scope="repository:a:pull"`
	open := strings.TrimPrefix(guarded(t, bearer, fmt.Sprintf(realm, "open")), "http://")
	private := strings.TrimPrefix(guarded(t, bearer, fmt.Sprintf(realm, "private")), "http://")
	for _, c := range []struct {
		host, login string
		ok          bool
	}{
		{open, "", true}, {private, "", false}, {private, basic("me", "pw"), true}, {private, basic("me", "no"), false},
		{private, `"identitytoken": "idt"`, true}, {private,
			`"auth": "` + base64.StdEncoding.EncodeToString([]byte("<token>:")) + `", "identitytoken": "idt"`, true},
		{private, `"identitytoken": "old"`, false}, {private, `"registrytoken": "good"`, true},
	} {
		cfg := login(t, map[string]string{c.host: c.login})
		cfg.Insecure = []string{open, private, at}
		_, err := New(cfg, "test").Resolve(t.Context(), c.host+"/a", "linux/amd64")
		if (err == nil) != c.ok || err != nil && apperr.KindOf(err) != apperr.PermissionDenied {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if scope := asked.Load().Form["scope"]; !slices.Equal(scope, []string{"repository:a:pull"}) {
		t.Errorf("%q", scope)
	}
}

func TestAFileOfLoginsThatCantBeUsedStopsLookUps(t *testing.T) {
	cfg := login(t, nil)
	for text, mode := range map[string]os.FileMode{"{": 0o600, `{"auths": {"a.b": {"auth": "!"}}}`: 0o600,
		`{"auths":{}}`: 0o644} {
		if err := os.WriteFile(cfg.AuthFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(cfg.AuthFile, mode); err != nil {
			t.Fatal(err)
		}
		if e := refused(t, New(cfg, "test"), "alpine", "linux/amd64"); e.Kind != apperr.Unavailable ||
			e.Code != "registry_auth" || e.Err == nil {
			t.Errorf("%s: %+v", text, e)
		}
		if _, err := New(cfg, "test").CheckAccounts(); err == nil {
			t.Error("no error")
		}
	}
	cfg = login(t, map[string]string{"https://index.docker.io/v1/": basic("a", "b:c"), "ghcr.io": basic("a", "b"),
		"helper.example.org": ""})
	if n, err := New(cfg, "test").CheckAccounts(); n != 2 || err != nil {
		t.Error(n, err)
	}
	if known, _ := New(cfg, "test").accounts(); known["docker.io"].Password != "b:c" {
		t.Errorf("%+v", known)
	}
}

func TestNobodyWaitsForASlowRegistry(t *testing.T) {
	end := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-end:
		}
	}))
	defer s.Close()
	defer close(end)
	host := strings.TrimPrefix(s.URL, "http://")
	cfg := config.Default().Registry
	cfg.Insecure, cfg.LookupTimeout.Duration = []string{host}, 300*time.Millisecond
	var wants []image.Want
	for i := range 30 {
		wants = append(wants, image.Want{Reference: fmt.Sprintf("%s/a:%d", host, i), Platform: "linux/amd64"})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // that it ends at all is the test
	defer cancel()
	_, problems := New(cfg, "test").LookUp(ctx, wants, image.Want{})
	if ctx.Err() != nil || len(problems) != 30 || problems[29].Err.Kind != apperr.Unavailable || !problems[0].Passes() {
		t.Errorf("%v, %+v", ctx.Err(), problems)
	}
}
