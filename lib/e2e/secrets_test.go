package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const secretDockerfile = `FROM debian:bookworm
RUN apt-get update && apt-get install -y --no-install-recommends openssh-client && rm -rf /var/lib/apt/lists/*
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc,required=true sha256sum < /root/.npmrc > /file.sum; cat /root/.npmrc
RUN --mount=type=secret,id=token,env=TOKEN,required printf %s "$TOKEN" | sha256sum > /variable.sum; echo "is $TOKEN?"
RUN --mount=type=ssh,required=true ssh-add -l > /key && cat /key
RUN --mount=type=ssh ! ssh-add -s /usr/lib/x86_64-linux-gnu/libz.so.1 < /dev/null
RUN useradd someone
USER someone
RUN --mount=type=ssh,uid=1000 ssh-add -l
RUN --mount=type=ssh ! ssh-add -l
USER root
RUN test ! -e /run/secrets -a ! -e /root/.npmrc -a ! -e /run/buildkit -a -z "$TOKEN$SSH_AUTH_SOCK"
RUN ! grep -rqs "$(printf 'vlue-of-%s' npmrc | sed s/v/va/)" /run /tmp /dev/shm /proc/1/environ /root /var
CMD ["sleep", "9"]
`

// TestABuildHasItsSecretsAndNobodyElse: what a build was given is nowhere afterwards.
func TestABuildHasItsSecretsAndNobodyElse(t *testing.T) {
	s := start(t)
	s.logIn()
	key := filepath.Join(t.TempDir(), "key")
	sh(t, nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "of the test", "-f", key)
	private, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	file, variable := "//registry.example/:_authToken=value-of-npmrc-8341\n", "value-of-token-5527"

	var created struct {
		ID         string
		StartError struct{ Code string } `json:"start_error"`
		Secrets    []struct {
			Name     string
			Required bool
		}
	}
	resp := s.form("/jobs", nil, "text", secretDockerfile, "target", target, "start", "1")
	if err := json.NewDecoder(resp.Body).Decode(&created); err != nil {
		t.Fatal(err)
	}
	s.status(resp, http.StatusCreated)
	if created.StartError.Code != "secret_missing" || len(created.Secrets) != 3 || created.Secrets[0].Name != "npmrc" {
		t.Errorf("without secrets: %+v", created)
	}
	job := "/jobs/" + created.ID
	s.status(s.form(job+"/start", map[string][]byte{"secret.npmrc": []byte(file), "secret.ssh.default": private},
		"secret.token", variable), http.StatusAccepted)
	log := s.follow(job + "/builds/1/log")
	var j struct{ State string }
	s.wait("the build's end", func() bool {
		s.json(job, &j)
		return j.State != "queued" && j.State != "running"
	})
	if j.State != "succeeded" {
		t.Fatalf("the build has %s; its log:\n%s", j.State, log)
	}
	for _, want := range []string{"\n***\n", "\nis ***?\n"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	s.download(job + "/builds/1/artifacts/" + target + ".tar.gz")
	image, err := os.Open(filepath.Join(s.bin, target+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	z, err := gzip.NewReader(image)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := os.Create(filepath.Join(s.dir, "image.tar"))
	if err == nil {
		_, err = io.Copy(unpacked, z)
	}
	if err != nil {
		t.Fatal(err)
	}
	fingerprint := strings.Fields(sh(t, nil, "ssh-keygen", "-lf", key))[1]
	for name, want := range map[string]string{
		"./file.sum":     strings.Fields(sh(t, strings.NewReader(file), "sha256sum"))[0],
		"./variable.sum": strings.Fields(sh(t, strings.NewReader(variable), "sha256sum"))[0],
		"./key":          fingerprint,
	} {
		if got := sh(t, nil, "tar", "-xOf", unpacked.Name(), name); !strings.Contains(got, want) {
			t.Errorf("the image's %s has %q, want %q", name, got, want)
		}
	}
	sh(t, nil, s.bin+"/toasterctl", "backup", "--config", s.dir+"/toaster.toml", "--artifacts", s.dir+"/backup.tar")
	s.lacks(s.dir, file[len(file)-20:len(file)-1], variable, strings.Split(string(private), "\n")[2])
	left, _ := filepath.Glob("/dev/shm/toaster-*")
	for _, folder := range left {
		s.lacks(folder, variable)
	}
}

// form sends files and fields as a browser does, for an answer in JSON.
func (s *toaster) form(path string, files map[string][]byte, fields ...string) *http.Response {
	s.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i+1 < len(fields); i += 2 {
		form.WriteField(fields[i], fields[i+1])
	}
	for field, content := range files {
		part, err := form.CreateFormFile(field, "chosen")
		if err != nil {
			s.Fatal(err)
		}
		part.Write(content)
	}
	form.Close()
	req, _ := http.NewRequest("POST", s.url+path, &body)
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	return resp
}

// lacks sees that no file below a folder has any of the texts.
func (s *toaster) lacks(folder string, texts ...string) {
	s.Helper()
	files := 0
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		for _, text := range texts {
			if bytes.Contains(data, []byte(text)) {
				s.Errorf("%s has %q", path, text)
			}
		}
		return err
	})
	if err != nil || files == 0 {
		s.Errorf("%d files in %s, %v", files, folder, err)
	}
}
