package dockerfile

import "testing"

func TestADockerfileHasAName(t *testing.T) {
	for text, want := range map[string]string{
		`CMD ["nginx", "-g", "daemon off;"]`:                    "nginx",
		`CMD ["python3", "-u", "/srv/shop.py", "--port", "80"]`: "shop",
		`CMD python3 -m http.server`:                            "http.server",
		`CMD exec /usr/sbin/mini_httpd -D`:                      "mini_httpd",
		`CMD ["sh", "-c", "PORT=80 node server.js"]`:            "server",
		`CMD ["bash"]`: "bash",
		"ENTRYPOINT [\"/usr/bin/caddy\"]\nCMD [\"--help\"]": "caddy",
		"ENTRYPOINT [\"/entrypoint.sh\"]\nCMD [\"redis\"]":  "redis",
		"CMD [\"old\"]\nCMD [\"new\"]":                      "new",
		"CMD [\"forgotten\"]\nENTRYPOINT [\"kept\"]":        "kept",
		"CMD $APP":                       "devuan",
		"CMD [\"sh\", \"-c\", \"$APP\"]": "sh",
		"RUN true":                       "devuan",
	} {
		if got := Name([]byte("FROM devuan/devuan:daedalus\n" + text + "\n")); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if got := Name([]byte("nonsense")); got != "" {
		t.Errorf("no Dockerfile: %q", got)
	}
	if got := Name([]byte("FROM debian AS a\nCMD [\"first\"]\nFROM docker.io/library/debian:bookworm\nRUN true\n")); got != "debian" {
		t.Errorf("another stage's CMD: %q", got)
	}
}
