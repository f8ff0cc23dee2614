package dockerfile

import (
	"github.com/moby/buildkit/frontend/dockerfile/linter"

	"toaster.do/lib/i18n"
)

// Rule describes a rule that findings name, for the help pages.
type Rule struct {
	Name   string
	Level  Level
	Title  i18n.Key // what it finds, one sentence
	Advice i18n.Key // what to do
	URL    string   // BuildKit's page about it; "" for a rule of ours
}

const reference = "https://docs.docker.com/reference/dockerfile/"

// Rules lists every rule: ours first, then BuildKit's by their own names.
func Rules() []Rule {
	list := append([]Rule{}, ourRules...)
	for _, r := range buildkitRules() {
		r.Level, r.Advice = Warning, adviceFor[r.Name]
		list = append(list, r)
	}
	return list
}

func ruleURL(rule string) string {
	if rule == "Syntax" {
		return reference
	}
	return ""
}

var ourRules = []Rule{
	{"Syntax", Error, "The line is invalid, or Docker would refuse it.", "Correct it as the Dockerfile reference says.",
		reference},
	{"NotUTF8", Error, "The file is not UTF-8 text.", "Save it as UTF-8.", ""},
	{"NotADockerfile", Error, "The file is not a Dockerfile, but for example a Compose file, an archive or a picture.",
		"Choose the Dockerfile.", ""},
	{"Empty", Error, "The Dockerfile has no instruction.", "Start with a FROM line.", ""},
	{"ContextFolder", Note, "The archive contains a single folder, which is used as the build context.",
		"Omit the name of this folder in COPY and ADD.", ""},
	{"Dockerignore", Error, "A pattern in .dockerignore cannot be read.", "Correct the pattern.", ""},
	{"MissingSource", Error, "A source of COPY, ADD or a mount is not in the build context.",
		"Add the file to the build context, or correct the path.", ""},
	{"OddSource", Error, "A source of COPY or ADD is a device or a broken link.", "List it in .dockerignore.", ""},
	{"FromPlatform", Error, "A stage is for another architecture than the target.",
		"Choose the target of that architecture, or remove --platform.", ""},
	{"BaseDistribution", Warning, "The base image is Debian, and the target is Devuan.",
		"Test with the image of the target's release.", ""},
	{"Appliance", Note,
		"The last stage stands on something else than plain Devuan or Debian. A small system of the target boots, and runs it.",
		"To make the whole system with the Dockerfile, start the last stage with the plain image of the target's release.",
		""},
	{"Grown", Note,
		"The last stage stands on an image that is made of the target's release. Its files become the target's system.",
		"You can keep it. The job's setting “Base image” chooses another form.", ""},
	{"Form", Note, "What the image of the last stage is made of is not known yet. It decides whether it becomes the " +
		"target's system.", "You can keep it. The job's setting “Base image” can decide instead.", ""},
	{"FormImpossible", Error, "The target's system can't be made of the image that the last stage stands on.",
		"Run it beside the system, or choose a target of the image's release.", ""},
	{"ImageNotLocked", Warning, "An image has not been looked up in its registry.", "Look it up again.", ""},
	{"BaseRelease", Warning, "The base image has another release than the target, or its tag names no known release.",
		"Choose the target of the release that you test with.", ""},
	{"BaseTagMoves", Warning, "The tag is a moving tag, such as latest.", "Name the release.", ""},
	{"BaseUnknown", Warning, "The base image exists only on your computer.",
		"Name the release that the image is based on.", ""},
	{"CopyFromImage", Error, "COPY --from or a mount refers to no stage, and to no valid name of an image.",
		"Correct the name.", ""},
	{"CopyFromStage", Error, "COPY --from refers to a later stage, or to none.", "Move the other stage before this one.",
		""},
	{"CopyFromVariable", Error, "COPY --from contains a variable.", "Define a stage with FROM and the variable.", ""},
	{"AddGit", Error, "ADD of a Git repository that can't be fetched.", "Use the https:// address of the repository.", ""},
	{"EmptyRun", Error, "RUN without a command.", "Remove it.", ""},
	{"RunNetwork", Error, "RUN --network=host is not allowed.", "Remove the flag.", ""},
	{"RunSecurity", Error, "RUN --security=insecure is not allowed.", "Do this when the image is running.", ""},
	{"RunDevice", Error, "RUN --device is not supported.", "Do this when the image is running.", ""},
	{"SecretNeeded", Note, "RUN --mount=type=secret or ssh that is required.",
		"Give the secret to each build when you start it.", ""},
	{"SecretOptional", Note,
		"RUN --mount=type=secret or ssh that is not required: RUN continues without it, as docker build does.",
		"Give the secret to a build when you start it, if it needs it.", ""},
	{"SecretName", Error, "A secret's id has other characters than letters, digits, “.”, “_” and “-”, or begins with “ssh.”.",
		"Choose another id.", ""},
	{"RunMountTarget", Error, "A mount on /proc, /sys or /dev.", "Choose another target.", ""},
	{"AptWithoutUpdate", Warning, "apt-get install without apt-get update before it.",
		"Write RUN apt-get update && apt-get install -y … in one line.", ""},
	{"AptAsks", Warning, "apt-get install without -y: a build can't confirm the installation.",
		"Add -y, and set DEBIAN_FRONTEND=noninteractive for the command.", ""},
	{"NeedsSystemd", Warning, "A package or command needs systemd, which Devuan does not have.",
		"Use the equivalent for sysvinit.", ""},
	{"LostFile", Warning, "RUN writes to /etc/hosts or /etc/resolv.conf, and the changes are lost after the step.",
		"COPY the file instead.", ""},
	{"HeredocLineEnds", Warning, "A heredoc whose lines end with CR LF.",
		"Save the Dockerfile with Unix line endings.", ""},
	{"HeredocGoesOn", Note, "The shell continues after a line of a heredoc fails.",
		"Start the heredoc with set -e.", ""},
	{"EmptyWildcard", Warning, "A wildcard matches no file, so nothing is copied.",
		"Correct the pattern, or remove it.", ""},
	{"LinkMode", Warning, "COPY --link changes the mode of /tmp, /var/tmp or /root.", "Remove --link.", ""},
	{"ChmodFolder", Warning, "--chmod creates folders that only root can enter.", "Write --chmod=u=rwX,go=rX.", ""},
	{"ExposeFirewall", Note, "EXPOSE has no effect in an image: all open ports are reachable.",
		"Let the application listen on 127.0.0.1, or install a firewall.", ""},
	{"CmdDaemonises", Warning, "The command runs in the background: it ends with its first process, as in a container.",
		"Run it in the foreground.", ""},
	{"ServicesLeftOut", Note, "A package contains a service that does not start at boot: the command runs alone, as in " +
		"a container.",
		"List the services to start: LABEL toaster.services=\"…\".", ""},
	{"ServiceLabel", Warning, "A toaster label has an invalid value.", "Correct it.", ""},
	{"EntrypointVariables", Note, "The script of the entry point uses variables that are not set.",
		"Set them in the runtime environment of the job.", ""},
	{"CmdIsShell", Note, "The command is an interactive shell, which can't run as a service.",
		"Nothing, if you log in to the image. Otherwise set the application as CMD.", ""},
	{"CmdIsInit", Note, "The command is an init system, such as /sbin/init; the image boots its own.",
		"Nothing. Or set the application as CMD.", ""},
	{"NoCommand", Note, "No CMD or ENTRYPOINT: nothing of the Dockerfile starts at boot.", "Set the application as CMD.",
		""},
	{"EnvironmentUnused", Warning, "A runtime environment without CMD or ENTRYPOINT: nothing uses it.",
		"Set the application as CMD.", ""},
	{"NoEffect", Note, "An instruction that has no effect in an image that boots.", "You can keep it.", ""},
	{"ForeignArchitecture", Warning, "A download is for another architecture than the target.",
		"Use $TARGETARCH in the address.", ""},
	{"NotTranslated", Error, "An instruction that is not supported.", "Remove the line, if the image does not need it.",
		""},
	{"TooManyStages", Error, "More than 100 stages.", "Use fewer.", ""},
	{"TooComplex", Error, "The translation takes too long.",
		"Use fewer or shorter variables and patterns, or a smaller context.", ""},
	{"TooManyFindings", Note, "Not all findings are shown.", "Correct the first ones.", ""},
	{"Internal", Error, "Internal error of the translator.", "Report it.", ""},
}

// adviceFor says what to do about BuildKit's rules, which have no advice of their own.
var adviceFor = map[string]i18n.Key{
	"StageNameCasing":                 "Write the stage's name in lower case.",
	"FromAsCasing":                    "Write FROM and AS both in upper case, or both in lower case.",
	"NoEmptyContinuation":             "Remove the empty line or the backslash before it.",
	"ConsistentInstructionCasing":     "Write all instructions in the same case.",
	"DuplicateStageName":              "Give each stage a unique name.",
	"ReservedStageName":               "Choose another name than scratch or context.",
	"JSONArgsRecommended":             `Write it as a JSON list, such as CMD ["program", "argument"].`,
	"MaintainerDeprecated":            "Write LABEL org.opencontainers.image.authors=… instead.",
	"UndefinedArgInFrom":              "Declare it with ARG before the first FROM.",
	"WorkdirRelativePath":             "Start with an absolute WORKDIR.",
	"UndefinedVar":                    "Correct the name, or define it with ARG or ENV before.",
	"MultipleInstructionsDisallowed":  "Keep only the last one.",
	"LegacyKeyValueFormat":            "Write KEY=value.",
	"RedundantTargetPlatform":         "Remove --platform.",
	"SecretsUsedInArgOrEnv":           "Anyone with the image can read it. Let the running system fetch the secret.",
	"InvalidDefaultArgInFrom":         "Give the ARG before FROM a default value that is a valid image name.",
	"FromPlatformFlagConstDisallowed": "Remove --platform: the target determines the architecture.",
	"CopyIgnoredFile":                 "Correct .dockerignore or the instruction.",
	"InvalidDefinitionDescription":    "Start the comment with the name, or leave an empty line after it.",
	"ExposeProtoCasing":               "Write tcp or udp in lower case.",
	"ExposeInvalidFormat":             "Write the port alone.",
}

func buildkitRules() []Rule {
	return []Rule{
		ruleOf(linter.RuleStageNameCasing), ruleOf(linter.RuleFromAsCasing), ruleOf(linter.RuleNoEmptyContinuation),
		ruleOf(linter.RuleConsistentInstructionCasing),
		ruleOf(linter.RuleDuplicateStageName), ruleOf(linter.RuleReservedStageName), ruleOf(linter.RuleJSONArgsRecommended),
		ruleOf(linter.RuleMaintainerDeprecated),
		ruleOf(linter.RuleUndefinedArgInFrom), ruleOf(linter.RuleWorkdirRelativePath), ruleOf(linter.RuleUndefinedVar),
		ruleOf(linter.RuleMultipleInstructionsDisallowed),
		ruleOf(linter.RuleLegacyKeyValueFormat), ruleOf(linter.RuleRedundantTargetPlatform),
		ruleOf(linter.RuleSecretsUsedInArgOrEnv), ruleOf(linter.RuleInvalidDefaultArgInFrom),
		ruleOf(linter.RuleFromPlatformFlagConstDisallowed), ruleOf(linter.RuleCopyIgnoredFile),
		ruleOf(linter.RuleInvalidDefinitionDescription),
		ruleOf(linter.RuleExposeProtoCasing), ruleOf(linter.RuleExposeInvalidFormat),
	}
}

func ruleOf[F any](r linter.LinterRule[F]) Rule {
	return Rule{Name: r.Name, Title: i18n.Key(r.Description + "."), URL: r.URL}
}
