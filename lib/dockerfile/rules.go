package dockerfile

import "github.com/moby/buildkit/frontend/dockerfile/linter"

// Rule describes a rule that findings name, for the help pages.
type Rule struct {
	Name   string
	Level  Level
	Title  string // what it finds, one sentence
	Advice string // what to do
	URL    string // BuildKit's page about it; "" for a rule of ours
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
	{"Syntax", Error, "The line is not valid, or a real builder would refuse it.", "Correct it as the Dockerfile reference says.", reference},
	{"NotUTF8", Error, "The file is not UTF-8 text.", "Save it as UTF-8.", ""},
	{"NotADockerfile", Error, "The file is another one: a Compose file, an archive, a picture.", "Choose the Dockerfile.", ""},
	{"Empty", Error, "The Dockerfile has no instruction.", "Begin with a FROM line.", ""},
	{"ContextFolder", Note, "The archive has a single folder at its top, and that is the build context.",
		"COPY and ADD name what is in it without the folder's name.", ""},
	{"Dockerignore", Error, "A pattern in .dockerignore cannot be read.", "Correct the pattern.", ""},
	{"MissingSource", Error, "A source of COPY, ADD or a mount is not in the build context.", "Add it to the context, or correct the path.", ""},
	{"OddSource", Error, "A source of COPY or ADD is a device, or a link to nowhere.", "List it in .dockerignore.", ""},
	{"FromScratch", Error, "The last stage has no system in it.", "Base it on a plain Devuan or Debian image, and copy your files from the other stage.", ""},
	{"FromPlatform", Error, "A stage is for another architecture than the target.", "Pick the target of that architecture, or remove --platform.", ""},
	{"BaseDistribution", Error, "The base image is not a plain Devuan or Debian system. (Debian on a Devuan target is a warning.)", "Start from the plain image of the target's release, and install what you need.", ""},
	{"BaseRelease", Warning, "The base image is of another release than the target, or its tag names none that is known.", "Pick the target of the release that you test with.", ""},
	{"BaseTagMoves", Warning, "The tag means another release one day, such as latest.", "Name the release.", ""},
	{"BaseUnknown", Warning, "The base image is known on your machine only.", "Name the release that it is made of.", ""},
	{"CopyFromImage", Error, "COPY --from or a mount names an image of a registry.", "Fetch the files in a stage of your own.", ""},
	{"CopyFromStage", Error, "COPY --from names a stage that comes later, or none.", "Move that stage before this one.", ""},
	{"CopyFromVariable", Error, "COPY --from has a variable in it.", "Define a stage with FROM and the variable.", ""},
	{"AddGit", Error, "ADD of a Git repository.", "RUN git clone, or ADD the forge's archive.", ""},
	{"EmptyRun", Error, "RUN without a command.", "Remove it.", ""},
	{"RunNetwork", Error, "RUN --network=host is not allowed.", "Remove the flag.", ""},
	{"RunSecurity", Error, "RUN --security=insecure is not allowed.", "Do that when the image runs.", ""},
	{"RunDevice", Error, "RUN --device is not possible.", "Do that when the image runs.", ""},
	{"RunSecretMount", Error,
		"RUN --mount=type=secret or ssh that is required: there are no secrets on the build machine.",
		"Fetch it before, into the build context.", ""},
	{"SecretMissing", Warning,
		"RUN --mount=type=secret or ssh: RUN goes on without it, as docker build does where none is given.",
		"Fetch it before, into the build context.", ""},
	{"RunMountTarget", Error, "A mount on /proc, /sys or /dev.", "Choose another target.", ""},
	{"AptWithoutUpdate", Warning, "apt-get install without apt-get update before it.", "Write RUN apt-get update && apt-get install -y … in one line.", ""},
	{"AptAsks", Warning, "apt-get install without -y: nobody is there to say yes.", "Add -y, and set DEBIAN_FRONTEND=noninteractive for the command.", ""},
	{"NeedsSystemd", Warning, "A package or command that needs systemd, which Devuan does not have.", "Use its sysvinit counterpart.", ""},
	{"LostFile", Warning, "RUN writes to /etc/hosts or /etc/resolv.conf, which is gone after the step.",
		"COPY the file instead.", ""},
	{"HeredocLineEnds", Warning, "A heredoc whose lines end with CR LF.",
		"Save the Dockerfile with the line ends of Unix.", ""},
	{"HeredocGoesOn", Note, "The shell goes on after a line of a heredoc that fails.",
		"Begin the heredoc with set -e.", ""},
	{"EmptyWildcard", Warning, "A wildcard matches nothing, and nothing is copied.",
		"Correct the pattern, or remove it.", ""},
	{"LinkMode", Warning, "COPY --link changes the mode of /tmp, /var/tmp or /root.", "Remove --link.", ""},
	{"ChmodFolder", Warning, "--chmod makes folders that nobody but root can enter.", "Write --chmod=u=rwX,go=rX.", ""},
	{"ExposeFirewall", Note, "EXPOSE opens and closes nothing in an image: what listens can be reached.", "Let the application listen on 127.0.0.1, or install a firewall.", ""},
	{"CmdDaemonises", Warning, "The command goes to the background: it ends with its first process, as in a container.",
		"Start it in the foreground.", ""},
	{"ServicesLeftOut", Note, "A package brings a service, which is not started at boot: the command runs alone, as in a container.",
		`Name those that shall start: LABEL toaster.services="…".`, ""},
	{"ServiceLabel", Warning, "A label for toaster has a wrong value.", "Correct it.", ""},
	{"EntrypointVariables", Note, "The entry point's script reads variables that nothing sets.",
		"Give them as the job's runtime environment.", ""},
	{"CmdIsShell", Note, "The command is an interactive shell, which is no service.", "Nothing, if you log in; else give the application as CMD.", ""},
	{"CmdIsInit", Note, "The command is an init system, such as /sbin/init; the image boots its own.", "Nothing; or give the application as CMD.", ""},
	{"NoCommand", Note, "No CMD or ENTRYPOINT, so nothing of the Dockerfile is started at boot.", "Give the application as CMD.", ""},
	{"EnvironmentUnused", Warning, "A runtime environment without CMD or ENTRYPOINT: nothing sees it.",
		"Give the application as CMD.", ""},
	{"NoEffect", Note, "An instruction that changes nothing in an image that boots.", "It can stay.", ""},
	{"ForeignArchitecture", Warning, "A download for another architecture than the target.", "Use $TARGETARCH in the address.", ""},
	{"NotTranslated", Error, "An instruction that is not translated.", "Remove the line, if the image can do without it.", ""},
	{"TooManyStages", Error, "More than 100 stages.", "Write fewer.", ""},
	{"TooComplex", Error, "The translation takes too long.",
		"Use fewer or shorter variables and patterns, or a smaller context.", ""},
	{"TooManyFindings", Note, "There are more findings than are shown.", "Correct the first ones.", ""},
	{"Internal", Error, "A fault of the translator.", "Report it.", ""},
}

// adviceFor says what to do about BuildKit's rules, which have no advice of their own.
var adviceFor = map[string]string{
	"StageNameCasing":                 "Write the stage's name in lower case.",
	"FromAsCasing":                    "Write FROM and AS both in upper case, or both in lower case.",
	"NoEmptyContinuation":             "Remove the empty line, or the backslash before it.",
	"ConsistentInstructionCasing":     "Write all instructions in the same case.",
	"DuplicateStageName":              "Give each stage a name of its own.",
	"ReservedStageName":               "Choose another name than scratch or context.",
	"JSONArgsRecommended":             `Write it as a JSON list, such as CMD ["program", "argument"].`,
	"MaintainerDeprecated":            "Write LABEL org.opencontainers.image.authors=… instead.",
	"UndefinedArgInFrom":              "Declare it with ARG before the first FROM.",
	"WorkdirRelativePath":             "Begin with an absolute WORKDIR.",
	"UndefinedVar":                    "Correct the name, or define it with ARG or ENV before.",
	"MultipleInstructionsDisallowed":  "Keep only the last one.",
	"LegacyKeyValueFormat":            "Write KEY=value.",
	"RedundantTargetPlatform":         "Remove --platform.",
	"SecretsUsedInArgOrEnv":           "Anyone with the image can read it: let the running system fetch the secret.",
	"InvalidDefaultArgInFrom":         "Give the ARG before FROM a default that makes a valid image name.",
	"FromPlatformFlagConstDisallowed": "Remove --platform; the target says the architecture.",
	"CopyIgnoredFile":                 "Correct .dockerignore or the instruction.",
	"InvalidDefinitionDescription":    "Begin the comment with the name, or leave an empty line after it.",
	"ExposeProtoCasing":               "Write tcp or udp in lower case.",
	"ExposeInvalidFormat":             "Write the port alone.",
}

func buildkitRules() []Rule {
	return []Rule{
		ruleOf(linter.RuleStageNameCasing), ruleOf(linter.RuleFromAsCasing), ruleOf(linter.RuleNoEmptyContinuation), ruleOf(linter.RuleConsistentInstructionCasing),
		ruleOf(linter.RuleDuplicateStageName), ruleOf(linter.RuleReservedStageName), ruleOf(linter.RuleJSONArgsRecommended), ruleOf(linter.RuleMaintainerDeprecated),
		ruleOf(linter.RuleUndefinedArgInFrom), ruleOf(linter.RuleWorkdirRelativePath), ruleOf(linter.RuleUndefinedVar), ruleOf(linter.RuleMultipleInstructionsDisallowed),
		ruleOf(linter.RuleLegacyKeyValueFormat), ruleOf(linter.RuleRedundantTargetPlatform), ruleOf(linter.RuleSecretsUsedInArgOrEnv), ruleOf(linter.RuleInvalidDefaultArgInFrom),
		ruleOf(linter.RuleFromPlatformFlagConstDisallowed), ruleOf(linter.RuleCopyIgnoredFile), ruleOf(linter.RuleInvalidDefinitionDescription),
		ruleOf(linter.RuleExposeProtoCasing), ruleOf(linter.RuleExposeInvalidFormat),
	}
}

func ruleOf[F any](r linter.LinterRule[F]) Rule {
	return Rule{Name: r.Name, Title: r.Description + ".", URL: r.URL}
}
