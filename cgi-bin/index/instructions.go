package main

// instruction is how a Dockerfile's instruction is kept.
type instruction struct{ Name, Text string }

var instructions = []instruction{
	{"FROM", "Names the release, such as devuan/devuan:daedalus. The target says what the image is built from."},
	{"RUN", "Runs in the image's file system, each in a shell of its own, in both forms, with heredocs. When one fails, the build fails, and says at which line."},
	{"COPY, ADD", "Files of the build context, with owner, mode and .dockerignore as Docker has them."},
	{"ENV, ARG", "Set for the instructions that follow; ENV also for the service. Build arguments override ARG."},
	{"WORKDIR, USER", "Hold for the instructions that follow, and for the service."},
	{"CMD, ENTRYPOINT", "Become a service of the image's init system, called toaster-app."},
	{"EXPOSE, LABEL", "Are written into the image's /etc/toaster."},
}
