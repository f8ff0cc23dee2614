package dockerfile

// Sample is a small Dockerfile to begin with, on a release of a distribution: it builds, and serves a page on port
// 8080.
func Sample(distribution, codename string) string {
	return `# A web server on port 8080. Test it: docker build -t hello . && docker run --rm -p 8080:8080 hello
FROM ` + baseOf(distribution, codename) + `
RUN apt-get update && apt-get install -y --no-install-recommends busybox
RUN mkdir -p /srv/www && echo "<h1>It works</h1>" > /srv/www/index.html
CMD ["busybox", "httpd", "-f", "-p", "8080", "-h", "/srv/www"]
`
}

// baseOf is the plain image of a release.
func baseOf(distribution, codename string) string {
	if distribution == "debian" {
		return "debian:" + codename
	}
	return "devuan/devuan:" + codename
}
