package doctor

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/authsome/authsome/internal/regular"
	"github.com/authsome/authsome/providers"
)

// Build says which program this is.
type Build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
}

// report is what a bug report needs to know about an installation. Its text is redacted.
type report struct {
	About       []string         `json:"about"`
	At          time.Time        `json:"at"`
	Build                        // of this program
	Go          string           `json:"go"`
	Platform    string           `json:"platform"`
	Doctor      []finding        `json:"doctor"`
	Config      map[string]any   `json:"config"`
	Environment []variable       `json:"environment"`
	Others      int              `json:"other_variables"` // how many more are set
	Bundled     int              `json:"bundled_definitions"`
	Registered  []string         `json:"registered_definitions"`
	Connections []connectionLine `json:"connections"`
	Files       []file           `json:"files"` // of the home
	Log         []string         `json:"log"`   // its last lines
}

type connectionLine struct {
	Provider  string `json:"provider"`
	Name      string `json:"connection"`
	AuthType  string `json:"auth_type"`
	Flow      string `json:"flow,omitempty"`
	Status    string `json:"status"`
	Default   bool   `json:"default"`
	Renewable bool   `json:"renewable"`
}

type file struct {
	Path string `json:"path"`
	Mode string `json:"mode"`
	Size int64  `json:"size"`
}

// about is what the report says about itself.
var about = []string{
	"This report was written by authsome doctor --report. Read it before you post it.",
	"It contains: versions; what doctor found; config.json; the names of the environment variables that matter, with harmless values; the names of" +
		" the definitions; the connections without their credentials; names, modes and sizes of the files in the home; the last lines of the log.",
	"It does not contain: keys, tokens and other secrets; the audit log; the names of users, machines, accounts, profiles and connections; hosts and" +
		" addresses, except those of bundled definitions. These are replaced, the same one by the same text: <host-1>, <connection-2>, <home>.",
}

// The limits of a report.
const (
	maxFiles    = 500
	maxLogLines = 100
	maxLogBytes = 64 << 10
)

// WriteReport runs the checks and writes a report for a bug report, in Markdown or as
// JSON. That the checks find problems is not an error.
func (d *Doctor) WriteReport(ctx context.Context, w io.Writer, b Build) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	findings := d.find(ctx, d.checks(), func(finding) {})
	v := report{
		About: about, At: time.Now().UTC().Truncate(time.Second), Build: b, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Registered: []string{}, Connections: []connectionLine{}, Files: []file{}, Log: []string{},
	}
	set, err := d.Opener.Providers()
	if err != nil {
		set, err = providers.Load("") // the bundled definitions
	}
	if err != nil {
		return err
	}
	definitions := set.All()
	r := newRedactor(definitions)
	d.learn(ctx, r)
	for _, f := range findings {
		f.Detail, f.Remedy = r.text(cmp.Or(f.public, f.Detail)), r.text(f.Remedy)
		v.Doctor = append(v.Doctor, f)
	}
	for _, p := range definitions {
		if p.Source == providers.Custom {
			v.Registered = append(v.Registered, p.Name)
		} else {
			v.Bundled++
		}
	}
	v.Environment, v.Others = environment(r, definitions)
	d.addHome(ctx, r, &v)
	if d.Console.JSON {
		return writeJSON(w, v)
	}
	_, err = io.WriteString(w, v.markdown())
	return err
}

// addHome adds what is in the home.
func (d *Doctor) addHome(ctx context.Context, r *redactor, v *report) {
	h, err := d.Opener.Home()
	if err != nil {
		return
	}
	c := h.Config
	v.Config = map[string]any{
		"spec_version": c.SpecVersion, "default_profile": r.text(c.DefaultProfile), "encryption.mode": c.Encryption.Mode,
		"encryption.changing": c.Encryption.Next != nil || c.Encryption.Previous != nil, "audit.on_failure": c.Audit.OnFailure, "run.isolate": c.Run.Isolate,
	}
	if unknown := c.UnknownMembers(); len(unknown) > 0 {
		v.Config["unknown"] = r.text(strings.Join(unknown, " "))
	}
	if p, err := d.Opener.Profile(); err == nil {
		connections, _ := p.Connections(ctx) // the findings have the error
		now := time.Now()
		for _, c := range connections {
			line := connectionLine{c.Provider, r.replaceWords(c.Name), c.AuthType, c.Flow, string(c.Status), c.Default, c.Renewable(now)}
			v.Connections = append(v.Connections, line)
		}
	}
	v.Files = files(h.Dir, r)
	v.Log = logTail(h.LogPath(), r)
}

// files lists the home.
func files(dir string, r *redactor) []file {
	all := []file{}
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || len(all) == maxFiles {
			return nil // what cannot be read is not listed
		}
		info, err := e.Info()
		name, errRel := filepath.Rel(dir, path)
		if cmp.Or(err, errRel) == nil {
			all = append(all, file{r.file(filepath.ToSlash(name)), info.Mode().String(), info.Size()})
		}
		return nil
	})
	return all
}

// logTail returns the last lines of a log.
func logTail(path string, r *redactor) []string {
	lines := []string{}
	f, err := regular.Open(path)
	if err != nil {
		return lines
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > maxLogBytes {
		f.Seek(info.Size()-maxLogBytes, io.SeekStart) // if it fails, these are the first lines
	}
	data, err := io.ReadAll(io.LimitReader(f, maxLogBytes))
	if err != nil {
		return lines
	}
	for line := range bytes.Lines(data) {
		at, rest, found := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
		if !found || !strings.HasPrefix(at, "time=") {
			continue // the end of a line that is cut, or not a line of the log
		}
		lines = append(lines, fmt.Sprintf("%.40s %s", at, r.text(rest)))
	}
	return lines[max(0, len(lines)-maxLogLines):]
}
