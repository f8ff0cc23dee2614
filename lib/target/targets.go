package target

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
	"toaster.do/lib/tomlerr"
)

// Targets is what targets.toml says, in the file's order.
type Targets struct {
	list []Target
}

// On returns the targets that are offered, in the file's order.
func (t *Targets) On() []Target {
	return t.where(func(x Target) bool { return x.On })
}

// For returns the offered targets of a release, in the file's order.
func (t *Targets) For(distribution, codename string) []Target {
	return t.where(func(x Target) bool { return x.On && x.Distribution == distribution && x.Codename == codename })
}

func (t *Targets) where(ok func(Target) bool) (found []Target) {
	for _, x := range t.list {
		if ok(x) {
			found = append(found, x)
		}
	}
	return found
}

// Find returns the target of that name. It fails with InvalidArgument for an unknown one, and for one that is switched
// off, whose remark it passes on.
func (t *Targets) Find(name string) (Target, error) {
	i := slices.IndexFunc(t.list, func(x Target) bool { return x.Name == name })
	if i < 0 {
		return Target{}, apperr.New(apperr.InvalidArgument, "There is no target %q.", "Choose one from the list.",
			name).At("target")
	}
	if x := t.list[i]; !x.On {
		message := i18n.T("The target %s is disabled.", name)
		if x.Remark != "" {
			message = i18n.T("The target %s is disabled: %s.", name, x.Remark)
		}
		return Target{}, apperr.New(apperr.InvalidArgument, "%s", "Choose another one from the list.",
			message).At("target")
	}
	return t.list[i], nil
}

// usualSilence is a target's limit of silence where neither its own entry nor the site has another.
const usualSilence = 30 * time.Minute

// WithSilence returns the targets with the site's limit of silence for those that have none of their own.
func (t *Targets) WithSilence(limit time.Duration) *Targets {
	list := slices.Clone(t.list)
	for i := range list {
		if list[i].SilenceLimit < 0 {
			list[i].SilenceLimit = limit
		}
	}
	return &Targets{list}
}

// LoadTargets reads targets.toml. A file that is missing or wrong is a fault of kind Unavailable, whose cause names
// the file, and where something in it is wrong the line and the key.
func LoadTargets(path string) (*Targets, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, unusable(err)
	}
	var f file
	if err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&f); err != nil {
		return nil, unusable(tomlerr.Explain(err, path))
	}
	list, bad := f.expand()
	if bad != nil {
		return nil, unusable(fmt.Errorf("%s:%d: %s: %s", path, lineOf(data, bad.key), bad.key, bad.why))
	}
	return &Targets{list}, nil
}

func unusable(err error) error {
	return apperr.Wrap(apperr.Unavailable, err, "The list of targets of this site is invalid.",
		"Administrator: see the log.")
}

// file is targets.toml as it is written.
type file struct {
	Devuan distribution      `toml:"devuan"`
	Debian distribution      `toml:"debian"`
	SDK    map[string]source `toml:"sdk"`
	Family []family          `toml:"target"`
}

// source is where an SDK is fetched from.
type source struct {
	Address string `toml:"address"`
	Commit  string `toml:"commit"`
}

type distribution struct {
	Mirror         string            `toml:"mirror"`
	Security       string            `toml:"security"`
	Keyring        string            `toml:"keyring"`
	KeyringPackage string            `toml:"keyring_package"`
	KeyringSource  string            `toml:"keyring_source"`
	Components     []string          `toml:"components"`
	Rolling        []string          `toml:"rolling"`
	Releases       map[string]string `toml:"releases"`
}

// family is one entry, which gives a target for each release × architecture × board.
type family struct {
	SDK        string            `toml:"sdk"`
	Release    []string          `toml:"release"`
	Arch       []string          `toml:"arch"`
	Board      []string          `toml:"board"`
	Mirror     string            `toml:"mirror"`
	Components []string          `toml:"components"`
	Packages   []string          `toml:"packages"`
	Replace    map[string]string `toml:"replace"`
	Size       int               `toml:"size"`
	BootCheck  bool              `toml:"boot_check"`
	TimeLimit  string            `toml:"time_limit"`
	Silence    string            `toml:"silence_limit"`
	Label      string            `toml:"label"`
	On         bool              `toml:"on"`
	Remark     string            `toml:"remark"`
}

// expand returns all targets, or the first thing that is wrong.
func (f *file) expand() ([]Target, *problem) {
	distributions := []named{{"devuan", "Devuan", &f.Devuan}, {"debian", "Debian", &f.Debian}}
	for i, d := range distributions {
		if bad := d.check(distributions[:i]); bad != nil {
			return nil, bad
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.SDK)) {
		if bad := f.SDK[name].check(name); bad != nil {
			return nil, bad
		}
	}
	var list []Target
	seen := map[string]bool{}
	for i, fam := range f.Family {
		key := fmt.Sprintf("target[%d]", i+1)
		if bad := fam.check(key, distributions); bad != nil {
			return nil, bad
		}
		from, ok := f.SDK[fam.SDK]
		if !ok && fam.SDK != "rootfs" {
			return nil, &problem{key + ".sdk", "there is no table [sdk." + fam.SDK + "] that says where it comes from"}
		}
		for _, t := range fam.targets(distributions) {
			t.Source, t.Commit = from.Address, from.Commit
			if seen[t.Name] {
				return nil, &problem{key, "the target " + t.Name + " is defined twice"}
			}
			seen[t.Name] = true
			list = append(list, t)
		}
	}
	return list, nil
}

// named is a distribution with its key and the name that people know it by.
type named struct {
	key, title string
	*distribution
}

func (f *family) targets(distributions []named) (list []Target) {
	boards := f.Board
	if len(boards) == 0 {
		boards = []string{""}
	}
	for _, codename := range f.Release {
		d := home(distributions, codename)
		for _, arch := range f.Arch {
			for _, board := range boards {
				list = append(list, f.target(d, codename, arch, board))
			}
		}
	}
	return list
}

func (f *family) target(d named, codename, arch, board string) Target {
	t := Target{
		Name: f.SDK + "_" + arch + "_" + codename, SDK: f.SDK, Arch: arch, Board: board,
		Distribution: d.key, Codename: codename, Version: d.Releases[codename],
		Group: groups[f.SDK], Label: f.Label, Remark: i18n.Key(f.Remark), On: f.On,
		Mirror: d.Mirror, Security: d.Security, Keyring: d.Keyring, KeyringPackage: d.KeyringPackage,
		KeyringSource: d.KeyringSource,
		Components:    d.Components, Packages: f.Packages, Suites: []string{codename},
		Size: f.Size, BootCheck: f.BootCheck,
	}
	t.TimeLimit, _ = time.ParseDuration(f.TimeLimit) // checked
	t.SilenceLimit, _ = time.ParseDuration(cmp.Or(f.Silence, "-1s"))
	if f.Mirror != "" {
		t.Mirror = f.Mirror
	}
	if len(f.Components) > 0 {
		t.Components = f.Components
	}
	for _, name := range slices.Sorted(maps.Keys(f.Replace)) {
		t.Replace = append(t.Replace, name+"="+f.Replace[name])
	}
	if !slices.Contains(d.Rolling, codename) {
		t.Suites = append(t.Suites, codename+"-updates", codename+"-security")
	}
	of := []any{strings.Join(strings.Fields(d.title+" "+t.Version+" "+codename), " ") + " · " + arch}
	if board != "" {
		t.Name += "_" + board
		t.Group = boards[board].group
		of = []any{boards[board].title, of[0]}
	}
	t.Title = i18n.T(titles[f.SDK], of...)
	return t
}

// home returns the distribution that has the release; its key is empty where none has.
func home(distributions []named, codename string) named {
	for _, d := range distributions {
		if _, ok := d.Releases[codename]; ok {
			return d
		}
	}
	return named{}
}
