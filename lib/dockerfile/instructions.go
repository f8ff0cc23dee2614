package dockerfile

// Kept says how instructions of a Dockerfile are kept in an image, for the help pages.
type Kept struct{ Name, Text string }

// Instructions lists every instruction of the Dockerfile language; those that are kept in the same way stand together.
func Instructions() []Kept { return append([]Kept{}, kept...) }

var kept = []Kept{
	{"FROM", "Names the release, such as devuan/devuan:daedalus or debian:bookworm; the target says what the image is made from. Further stages are built beside it, for COPY --from; the last one becomes the image."},
	{"RUN", "Runs in the image's file system, each in a shell of its own, in both forms and with heredocs. When one fails, the build fails, and says at which line."},
	{"COPY, ADD", "Files of the build context or of an earlier stage, with the owner, mode and .dockerignore that Docker gives them. ADD also unpacks archives, and fetches files by HTTP."},
	{"ENV, ARG", "Hold for the instructions that follow; ENV also for the service. Build arguments override ARG."},
	{"WORKDIR, USER, SHELL", "Hold for the instructions that follow; WORKDIR and USER also for the service."},
	{"CMD, ENTRYPOINT", "Become the service toaster-app of the image's init system, which starts with the system."},
	{"STOPSIGNAL, HEALTHCHECK", "Say how that service is stopped, and how it is found to be ill."},
	{"VOLUME", "Is a plain folder, made when the application starts."},
	{"EXPOSE", "Opens and closes nothing: whatever listens on the network can be reached."},
	{"LABEL, MAINTAINER, ONBUILD", "Change nothing in an image that boots, and may stay; but for the labels toaster.services and toaster.stop-timeout."},
}
