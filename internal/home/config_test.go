package home_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authsome/authsome/internal/home"
)

func TestConfigKeepsUnknownMembers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	mustOpen(t, dir)
	path := filepath.Join(dir, "config.json")
	write(t, path, `{"later":{"b":2,"a":[true,null,1e3]},"default_profile":"work","encryption":{"mode":"keyring","service":"x"},"audit":{"on_failure":"refuse","sink":"s"},"run":{"isolate":"auto","nice":3}}`, 0o600)
	h := mustOpen(t, dir)
	if h.Config.Audit.OnFailure != home.AuditRefuse || h.Config.Run.Isolate != home.IsolateAuto || h.Config.Encryption.Mode != "keyring" || h.Config.SpecVersion != 1 {
		t.Errorf("config = %+v", h.Config)
	}
	if got := strings.Join(h.Config.UnknownMembers(), " "); got != "later encryption.service audit.sink run.nice" {
		t.Errorf("unknown members %s", got)
	}
	if err := h.UpdateConfig(t.Context(), func(c *home.Config) { c.DefaultProfile = "play" }); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := jsontext.Value(data)
	if err := got.Canonicalize(); err != nil {
		t.Fatal(err)
	}
	want := `{"audit":{"on_failure":"refuse","sink":"s"},"default_profile":"play","encryption":{"mode":"keyring","service":"x"},"later":{"a":[true,null,1000],"b":2},"run":{"isolate":"auto","nice":3},"spec_version":1}`
	if string(got) != want {
		t.Errorf("saved\n%s\nwant\n%s", got, want)
	}
	if h := mustOpen(t, dir); h.Config.DefaultProfile != "play" {
		t.Errorf("default profile %q after saving play", h.Config.DefaultProfile)
	}
	if err := h.UpdateConfig(t.Context(), func(c *home.Config) { c.DefaultProfile = "../play" }); err == nil {
		t.Error("an invalid default profile was saved")
	}
}

// Each update starts from the result of the one before, and none is lost.
func TestConcurrentConfigUpdates(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	mustOpen(t, dir)
	var updates sync.WaitGroup
	for range 20 {
		updates.Go(func() {
			h, err := home.Open(dir)
			if err == nil {
				err = h.UpdateConfig(context.Background(), func(c *home.Config) { c.Encryption.Account += "x" })
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	updates.Wait()
	if c := mustOpen(t, dir).Config; c.Encryption.Account != strings.Repeat("x", 20) || c.Encryption.Mode != "local_key" {
		t.Errorf("after 20 updates: %+v", c.Encryption)
	}
}

func TestConfigErrorsNameTheField(t *testing.T) {
	for text, want := range map[string]string{
		`{"default_profile":7}`:                         "/default_profile",
		`{"encryption":{"mode":[]}}`:                    "/encryption/mode",
		`{"default_profile":"a/b"}`:                     "default_profile",
		`{"audit":{"on_failure":"stop"}}`:               `"stop" is neither continue nor refuse`,
		`{"run":{"isolate":"always"}}`:                  `"always" is not one of off, auto, required`,
		`{"run":{"isolated":"auto"}}`:                   `unknown member "run.isolated"; it should probably be "run.isolate"`,
		`{"defualt_profile":"work"}`:                    `unknown member "defualt_profile"; it should probably be "default_profile"`,
		`{"Default-Profile":"work"}`:                    `unknown member "Default-Profile"; it should probably be "default_profile"`,
		`{"defaultProfile":"work"}`:                     `it should probably be "default_profile"`,
		`{"audit":{"on_fail":"refuse"}}`:                `unknown member "audit.on_fail"; it should probably be "audit.on_failure"`,
		`{"encryption":{"changed":"2026-01-02"}}`:       `unknown member "encryption.changed"; it should probably be "encryption.changed_at"`,
		`{"encryption":{"mod":"keyring"}}`:              `unknown member "encryption.mod"; it should probably be "encryption.mode"`,
		`{"audit":{"onfailure":"refuse"}}`:              `it should probably be "audit.on_failure"`,
		`{"Encryption":{}}`:                             `it should probably be "encryption"`,
		`{"default_profile":"a","default_profile":"b"}`: "duplicate",
		`{`:  "EOF",
		``:   "EOF",
		`[]`: "not a JSON object",
	} {
		dir := filepath.Join(t.TempDir(), "home")
		mustOpen(t, dir)
		path := filepath.Join(dir, "config.json")
		write(t, path, text, 0o600)
		_, err := home.Open(dir)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

// An editor on Windows begins the file with a byte order mark.
func TestConfigWithByteOrderMark(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	mustOpen(t, dir)
	write(t, filepath.Join(dir, "config.json"), "\ufeff"+`{"default_profile":"work"}`, 0o600)
	if c := mustOpen(t, dir).Config; c.DefaultProfile != "work" {
		t.Errorf("default profile %q", c.DefaultProfile)
	}
	if c, err := home.PeekConfig(dir); err != nil || c.DefaultProfile != "work" {
		t.Errorf("PeekConfig: %q, %v", c.DefaultProfile, err)
	}
}
