package dockerfile

import "toaster.do/lib/i18n"

// Kept says how instructions of a Dockerfile are kept in an image, for the help pages.
type Kept struct {
	Name string
	Text i18n.Key
}

// Instructions lists every instruction of the Dockerfile language; those that are kept in the same way stand together.
func Instructions() []Kept { return append([]Kept{}, kept...) }

var kept = []Kept{
	{"FROM", "Of a plain release, such as devuan/devuan:daedalus or debian:bookworm: the Dockerfile makes the whole " +
		"system, and the target decides its base. Of any other image, such as python:3.12 or alpine:3.20: it becomes the " +
		"system, or a small system runs it; see Base images. Other stages are built for COPY --from; the last one becomes " +
		"the image."},
	{"RUN", "Runs in the file system of the image, each in its own shell, in both forms and with heredocs. If a command " +
		"fails, the build fails and names the line."},
	{"COPY, ADD", "Copy files of the build context, of an earlier stage or of another image, with the same owner, mode " +
		"and .dockerignore " +
		"rules as Docker. ADD also unpacks archives, and downloads files over HTTP."},
	{"ENV, ARG", "Apply to the following instructions; ENV also applies to the service. Build arguments override ARG."},
	{"WORKDIR, USER, SHELL", "Apply to the following instructions; WORKDIR and USER also apply to the service."},
	{"CMD, ENTRYPOINT", "Start the service toaster-app of the image's init system at boot."},
	{"STOPSIGNAL, HEALTHCHECK", "Set how this service is stopped, and how its health is checked."},
	{"VOLUME", "Becomes a plain folder, created when the application starts."},
	{"EXPOSE", "No effect: all open ports are reachable."},
	{"LABEL, MAINTAINER, ONBUILD", "No effect in an image that boots, except for the labels toaster.services and " +
		"toaster.stop-timeout."},
}
