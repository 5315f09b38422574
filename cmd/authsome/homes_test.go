package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// lastLanded is the newest landed commit. The home that it wrote must be below
// goldenHomes; the README.md there says how to add one.
const lastLanded = "d17dbf9"

const goldenHomes = "testdata/homes"

// writtenHome is a home, with what its written.json says about it.
type writtenHome struct {
	t           *testing.T
	dir         string
	Profiles    []string
	Connections []writtenConnection
	Custom      []string
}

type writtenConnection struct {
	Profile, Provider, Name string
	Default                 bool
	Values                  map[string]string
}

// TestGoldenHomes opens the home of each landed commit, and one that the current
// binary wrote.
func TestGoldenHomes(t *testing.T) {
	entries, err := os.ReadDir(goldenHomes)
	if err != nil {
		t.Fatal(err)
	}
	dirs := []string{writeCurrentHome(t)}
	for _, e := range entries {
		if e.IsDir() && e.Name() != "write" {
			dirs = append(dirs, filepath.Join(goldenHomes, e.Name()))
		}
	}
	if !slices.Contains(dirs, filepath.Join(goldenHomes, lastLanded)) {
		t.Errorf("%s has no home that %s wrote; its README.md says how to add one", goldenHomes, lastLanded)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			h := copyHome(t, dir)
			h.checkConnections(h.Connections)
			h.checkState()
			another := writtenConnection{Profile: "work", Provider: "resend", Name: "another", Default: true, Values: map[string]string{"api_key": "re_another_0123456789"}}
			h.authsome(another.Values["api_key"], "--profile", another.Profile, "login", another.Provider, "--connection", another.Name, "--key-stdin", "--no-verify")
			h.checkConnections(append(h.Connections, another))
			h.checkState()
			h.checkPins()
		})
	}
}

// checkPins checks that the connections were pinned when they were first listed: a
// definition with more hosts waits until the user accepts it.
func (h *writtenHome) checkPins() {
	h.t.Helper()
	for name, host := range map[string]string{"golden": "api.golden.test", "openai": "api.openai.com"} {
		writeText(h.t, filepath.Join(h.dir, "providers", name+".json"),
			fmt.Sprintf(`{"schema_version":2,"name":%q,"flows":["api_key"],"hosts":[%q,"added.example.com"]}`, name, host))
		var why struct{ Decision, Fix string }
		h.answer(&why, "why", "https://added.example.com/")
		if why.Decision != "tunnel" || why.Fix != "authsome connection accept "+name {
			h.t.Errorf("%s with another host: %+v", name, why)
		}
		h.answer(&why, "why", "https://"+host+"/")
		if why.Decision != "matched" {
			h.t.Errorf("%s at its host: %+v", name, why)
		}
		if err := os.Remove(filepath.Join(h.dir, "providers", name+".json")); err != nil {
			h.t.Fatal(err)
		}
	}
}

// writeCurrentHome has the current binary write a home.
func writeCurrentHome(t *testing.T) string {
	t.Helper()
	binary, err := exec.LookPath("authsome") // put there by testscript
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "current")
	if out, err := exec.Command("go", "run", "./"+goldenHomes+"/write", binary, dir).CombinedOutput(); err != nil {
		t.Fatalf("write a home: %v\n%s", err, out)
	}
	return dir
}

// copyHome copies a home and gives its files the modes that authsome gives them.
func copyHome(t *testing.T, from string) *writtenHome {
	t.Helper()
	h := &writtenHome{t: t, dir: filepath.Join(t.TempDir(), "home")}
	text, err := os.ReadFile(filepath.Join(from, "written.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, h); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(h.dir, os.DirFS(filepath.Join(from, "home"))); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// authsome runs the current binary with the home and returns what it prints.
func (h *writtenHome) authsome(stdin string, args ...string) []byte {
	h.t.Helper()
	cmd := exec.Command("authsome", args...)
	cmd.Env = []string{"AUTHSOME_HOME=" + h.dir, "HOME=" + h.dir, "PATH=" + os.Getenv("PATH"), "GORACE=" + raceOptions}
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		var failed *exec.ExitError
		errors.As(err, &failed)
		h.t.Fatalf("authsome %v: %v\n%s%s", args, err, out, failed.Stderr)
	}
	return out
}

// answer decodes what a command prints with --json.
func (h *writtenHome) answer(v any, args ...string) {
	h.t.Helper()
	if out := h.authsome("", append(args, "--json")...); json.Unmarshal(out, v) != nil {
		h.t.Fatalf("authsome %v printed %s", args, out)
	}
}

// checkConnections checks that the home has exactly these connections, with their
// secrets, and the chosen defaults.
func (h *writtenHome) checkConnections(want []writtenConnection) {
	h.t.Helper()
	count := 0
	for _, profile := range h.Profiles {
		count += h.countConnections(profile)
	}
	if count != len(want) {
		h.t.Errorf("%d connections are listed, want %d", count, len(want))
	}
	for _, c := range want {
		var got map[string]any
		h.answer(&got, "--profile", c.Profile, "get", c.Provider, "--connection", c.Name, "--show-secret")
		if got["status"] != "connected" || got["default"] != c.Default {
			h.t.Errorf("%s: %s/%s: got %v", c.Profile, c.Provider, c.Name, got)
		}
		for name, value := range c.Values {
			if got[name] != value {
				h.t.Errorf("%s: %s/%s: %s is %v, want %s", c.Profile, c.Provider, c.Name, name, got[name], value)
			}
		}
	}
}

// countConnections counts the connections of a profile, and checks the names of
// the registered providers.
func (h *writtenHome) countConnections(profile string) (n int) {
	h.t.Helper()
	type provider struct {
		Name        string
		Connections []struct{ Status string }
	}
	var list struct{ Bundled, Custom []provider }
	h.answer(&list, "--profile", profile, "list")
	var custom []string
	for _, p := range list.Custom {
		custom = append(custom, p.Name)
	}
	if !slices.Equal(custom, h.Custom) {
		h.t.Errorf("%s: the registered providers are %v, want %v", profile, custom, h.Custom)
	}
	for _, p := range append(list.Bundled, list.Custom...) {
		n += len(p.Connections)
	}
	return n
}

// checkState checks the profiles, the vaults, the audit log and the authority.
func (h *writtenHome) checkState() {
	h.t.Helper()
	var profiles struct{ Profiles []struct{ Name string } }
	h.answer(&profiles, "profile", "list")
	var names []string
	for _, p := range profiles.Profiles {
		names = append(names, p.Name)
	}
	if !slices.Equal(names, h.Profiles) {
		h.t.Errorf("the profiles are %v, want %v", names, h.Profiles)
	}
	for _, profile := range h.Profiles {
		var check struct{ Sound bool }
		if h.answer(&check, "--profile", profile, "vault", "check"); !check.Sound {
			h.t.Errorf("%s: vault check reports damage", profile)
		}
	}
	var log struct {
		OK    bool
		Lines int
	}
	if h.answer(&log, "log", "--verify"); !log.OK || log.Lines < len(h.Connections) {
		h.t.Errorf("log --verify: %+v", log)
	}
	var authority struct{ SHA256 string }
	h.answer(&authority, "ca", "show")
	text, err := os.ReadFile(filepath.Join(h.dir, "profiles", "default", "ca.pem"))
	if err != nil {
		h.t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		h.t.Fatalf("ca.pem is %q", text)
	}
	if sum := sha256.Sum256(block.Bytes); authority.SHA256 != hex.EncodeToString(sum[:]) {
		h.t.Errorf("the stored authority is %s, its certificate is %x", authority.SHA256, sum)
	}
}

// The first command in an older home pins the connections of all its profiles, because
// the definitions belong to all of them.
func TestFirstStartPinsAllProfiles(t *testing.T) {
	wide := `{"schema_version":2,"name":"openai","flows":["api_key"],"hosts":["api.openai.com","added.example.com"]}`
	for name, first := range map[string]func(h *writtenHome){
		"a list of the default profile": func(h *writtenHome) {
			h.authsome("", "list")
			writeText(t, filepath.Join(h.dir, "providers", "openai.json"), wide)
		},
		"a registration": func(h *writtenHome) { h.authsome(wide, "register", "-", "--yes") },
	} {
		t.Run(name, func(t *testing.T) {
			h := copyHome(t, filepath.Join(goldenHomes, lastLanded))
			first(h)
			var why struct{ Decision, Fix string }
			h.answer(&why, "--profile", "work", "why", "https://added.example.com/")
			if why.Decision != "tunnel" || why.Fix != "authsome --profile work connection accept openai" {
				t.Errorf("profile work: %+v", why)
			}
		})
	}
}
