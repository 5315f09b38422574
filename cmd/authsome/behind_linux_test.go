package main

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// attempts is a home, a script that tries every command that is refused behind the
// proxy, and one that tries some of them.
type attempts struct {
	*bench
	files, all, some string
	lines            int // in all
}

// someLines is how many commands the shorter script tries.
const someLines = 3

func newAttempts(t *testing.T) *attempts {
	t.Helper()
	a := &attempts{bench: newBench(t), files: t.TempDir()}
	var scripts []string
	for _, line := range append(slices.Sorted(maps.Values(refusedLines)), slices.Sorted(maps.Values(refusedFlags))...) {
		scripts = append(scripts, fmt.Sprintf("echo '== %s'\n\"$A\" %s </dev/null 2>&1\necho \"code $?\"\n", line, strings.ReplaceAll(line, "FILES", a.files)))
	}
	a.lines = len(scripts)
	a.all, a.some = filepath.Join(a.files, "all.sh"), filepath.Join(a.files, "some.sh")
	for path, text := range map[string]string{
		a.all: strings.Join(scripts, ""), a.some: strings.Join(scripts[:someLines], ""), filepath.Join(a.files, "passphrase"): "correct horse battery\n",
		filepath.Join(a.files, "acme.json"): `{"schema_version": 2, "name": "acme", "display_name": "Acme", "category": "other", "flows": ["api_key"], "hosts": ["api.acme.com"],
			"params": [{"name": "api_key", "label": "API key", "secret": true}], "inject": [{"in": "header", "name": "Authorization", "value": "Bearer {api_key}"}]}`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// in runs a shell script with authsome run. $A is the program, $S the script with all
// attempts, $SOME that with some, $H the home, and $F a directory for files.
func (a *attempts) in(script string) string {
	a.t.Helper()
	cmd := a.command("run", "--", "sh", "-c", script)
	cmd.Env = append(cmd.Env, "A="+a.binary, "S="+a.all, "SOME="+a.some, "H="+a.home, "F="+a.files)
	out, err := cmd.Output()
	if err != nil {
		a.t.Fatalf("%v\n%s", err, a.out.String())
	}
	return string(out)
}

// check checks that each of n attempts was refused with a message and exit code 1.
func (a *attempts) check(name, out string, n int) {
	a.t.Helper()
	tried := strings.Split(out, "== ")[1:]
	if len(tried) != n {
		a.t.Errorf("%s: %d attempts, not %d:\n%s", name, len(tried), n, out)
	}
	refused := regexp.MustCompile(`^.*\nauthsome: error: (.* is refused behind the authsome proxy(; the home is hidden from this isolated run: open another terminal)?\nauthsome: hint: (ask the person to run, in another terminal: )?authsome .*|already inside authsome run\nauthsome: hint: run true directly)\ncode 1\n$`)
	for _, one := range tried {
		if !refused.MatchString(strings.ReplaceAll(one, "so it is refused", "is refused")) {
			a.t.Errorf("%s: not refused: %s", name, one)
		}
	}
}

// snapshot returns a digest of every file of the home, except those to which runs and
// harmless commands write.
func (a *attempts) snapshot() map[string]string {
	a.t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(a.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == "audit.log" || strings.HasSuffix(d.Name(), ".lock") || strings.Contains(path, "/logs/") {
			return err
		}
		text, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, a.home)] = fmt.Sprintf("%x", sha256.Sum256(text))
		return err
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return all
}

// orphan runs the script that follows in a session of its leader, without variables, and
// after its parent has ended.
const orphan = `mkfifo "$F/go" "$F/done"
	pid=$(sh -c 'env -i "PATH=$PATH" "AUTHSOME_HOME=$H" "A=$A" "S=$S" "F=$F" setsid nohup sh -c "read x <\"$F/go\"; sh \"\$S\" >\"\$F/out\"; echo >\"\$F/done\"" >/dev/null 2>&1 & echo $!')
	echo >"$F/go"; read x <"$F/done"; cat "$F/out"`

// No command moves, widens, reveals or destroys a credential behind the proxy, with the
// variables of the run and without them.
func TestCommandsAreRefusedBehindTheProxy(t *testing.T) {
	t.Parallel()
	a := newAttempts(t)
	key := "re_" + rand.Text()
	a.run(key, "login", "resend", "--key-stdin", "--no-verify")
	a.run(key, "login", "resend", "--connection", "work", "--key-stdin", "--no-verify")
	a.run("", "profile", "create", "other")
	a.run("", "--profile", "other", "list")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(a.home, link); err != nil {
		t.Fatal(err)
	}
	before := a.snapshot()
	for name, script := range map[string]string{
		"with the variables":            `sh "$S"`,
		"without variables":             `env -i "PATH=$PATH" "A=$A" "AUTHSOME_HOME=$H" sh "$S"`,
		"by the user's home directory":  `mkdir "$F/user"; ln -s "$H" "$F/user/.authsome"; env -i "PATH=$PATH" "A=$A" "HOME=$F/user" sh "$SOME"`,
		"by a link":                     `AUTHSOME_HOME=` + link + ` sh "$SOME"`,
		"by a link, without variables":  `env -i "PATH=$PATH" "A=$A" AUTHSOME_HOME=` + link + ` sh "$SOME"`,
		"with another list of homes":    `AUTHSOME_RUN_HOMES=/tmp sh "$SOME"`,
		"in another profile":            `env -i "PATH=$PATH" "A=$A" "AUTHSOME_HOME=$H" AUTHSOME_PROFILE=other sh "$SOME"`,
		"in a session of its leader":    `env -i "PATH=$PATH" "A=$A" "AUTHSOME_HOME=$H" setsid --wait sh "$SOME"`,
		"in a run of another home":      `AUTHSOME_HOME="$F/nested" "$A" run -- env -i "PATH=$PATH" "A=$A" "AUTHSOME_HOME=$H" sh "$SOME"`,
		"in a home that was copied":     `cp -r "$H" "$F/copy"; env -i "PATH=$PATH" "A=$A" "AUTHSOME_HOME=$F/copy" sh "$SOME"`,
		"in an orphan with nothing set": orphan,
		"in a home that is hidden":      `mkdir "$F/hidden"; echo '{}' >"$F/hidden/isolated.json"; env -i "PATH=$PATH" "A=$A" "AUTHSOME_HOME=$F/hidden" sh "$S"`,
	} {
		out := a.in(script)
		n := a.lines
		if strings.Contains(script, "$SOME") {
			n = someLines
		}
		a.check(name, out, n)
		a.noLeaks(map[string]string{name: out}, key)
		if diff := cmp.Diff(before, a.snapshot()); diff != "" {
			t.Errorf("%s: the home was changed:\n%s", name, diff)
		}
	}
	if _, err := os.Stat(filepath.Join(a.files, "log")); err == nil {
		t.Error("--log-file wrote a file")
	}
}

// A home that the run does not serve can be used inside it, also by another run.
func TestAnotherHomeIsNotRefused(t *testing.T) {
	skipCommands(t)
	t.Parallel()
	a := newAttempts(t)
	for name, script := range map[string]string{
		"with the variables": `export AUTHSOME_HOME="$F/one"; "$A" profile create other >&2; sh "$S"`,
		"without variables":  `env -i "PATH=$PATH" "A=$A" "AUTHSOME_HOME=$F/two" sh "$S"`,
	} {
		out := a.in(script)
		if n := strings.Count(out, "== "); n != a.lines || strings.Contains(out, "behind the authsome proxy") || strings.Contains(out, "already inside") {
			t.Errorf("%s: %d attempts:\n%s", name, n, out)
		}
	}
	// The nested run's command is behind both.
	out := a.in(`export AUTHSOME_HOME="$F/nested"; "$A" run -- sh -c '"$A" init 2>&1; AUTHSOME_HOME="$H" "$A" init 2>&1; AUTHSOME_HOME="$F/third" "$A" init 2>&1'`)
	if n := strings.Count(out, "init creates a home and its keys, so it is refused behind the authsome proxy"); n != 2 || !strings.Contains(out, "third is ready") {
		t.Errorf("in a run inside a run:\n%s", out)
	}
}

// A command in another home does not read or write the files of the home that the run
// serves.
func TestFilesOfTheServedHomeAreRefused(t *testing.T) {
	skipCommands(t)
	t.Parallel()
	a := newAttempts(t)
	lines := []string{
		`import --authsome "$H" --yes`, `import --authsome "$H/../home" --dry-run`, `import --dotenv "$H/config.json" --placeholders`,
		`vault backup "$H/master.key" --force --passphrase-file "$F/passphrase"`, `vault backup "$F/link" --force --passphrase-file "$F/passphrase"`,
		`key mode file --file "$H/master.key"`, `key mode file --file="$H/new"`, `proxy --ca-out "$H/profiles/default/vault.json" --listen nowhere`, `--log-file "$H/config.json" list`,
	}
	script := `ln -s "$H/master.key" "$F/link"; export AUTHSOME_HOME="$F/one"
		cd "$F"; ` + "\n"
	for _, line := range lines {
		script += `"$A" ` + line + " 2>&1; env -i \"PATH=$PATH\" \"AUTHSOME_HOME=$F/one\" \"$A\" " + line + " 2>&1\n"
	}
	out := a.in(script + `"$A" vault backup own.age --passphrase-file passphrase 2>&1`)
	if n := strings.Count(out, ", so it is refused behind the authsome proxy"); n != 2*len(lines) || !strings.Contains(out, "to own.age") {
		t.Errorf("%d of %d were refused:\n%s", n, 2*len(lines), out)
	}
}

// A list of runs that cannot be read does not open the way.
func TestUnreadableListOfRunsRefuses(t *testing.T) {
	a := newAttempts(t)
	out := a.in(`rm -r "$H/runs"; : >"$H/runs"; env -i "PATH=$PATH" "AUTHSOME_HOME=$H" "$A" logout resend 2>&1; "$A" list --connected 2>&1; rm "$H/runs"`)
	if !strings.Contains(out, "error: cannot find out whether this command is behind the authsome proxy: read the list of runs: ") || !strings.Contains(out, "no connections yet") {
		t.Error(out)
	}
}
