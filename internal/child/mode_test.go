package child

import (
	"os"
	"path/filepath"
	"testing"
)

// The variables of a run say which homes its proxies serve, those of outer runs too.
// What is not known counts as served.
func TestServes(t *testing.T) {
	dir := t.TempDir()
	home, other, link := filepath.Join(dir, "home"), filepath.Join(dir, "other"), filepath.Join(dir, "link")
	for _, d := range []string{home, other, filepath.Join(dir, "a"+string(filepath.ListSeparator)+"b")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(home, link); err != nil {
		t.Fatal(err)
	}
	in := func(home string, parent ...string) map[string]string {
		env, _ := environment(t, Environment{Parent: parent, Home: home})
		return env
	}
	outer := in(home)
	nested := in(other, ModeVariable+"="+outer[ModeVariable], HomesVariable+"="+outer[HomesVariable])
	for _, tt := range []struct {
		name string
		env  map[string]string
		dir  string
		want bool
	}{
		{"no variables", nil, home, false},
		{"the home", outer, home, true},
		{"a link to the home", outer, link, true},
		{"another home", outer, other, false},
		{"a home that does not exist", outer, filepath.Join(dir, "none"), false},
		{"no home", outer, "", false},
		{"the mode set by hand", map[string]string{ModeVariable: "true"}, other, true},
		{"the homes without the mode", map[string]string{HomesVariable: home}, home, false},
		{"a served home that cannot be found", map[string]string{ModeVariable: "true", HomesVariable: filepath.Join(dir, "none")}, other, true},
		{"the outer home of two runs", nested, home, true},
		{"the inner home of two runs", nested, other, true},
		{"a third home in two runs", nested, dir, false},
		{"a home whose name cannot be in a list", in(filepath.Join(dir, "a"+string(filepath.ListSeparator)+"b")), other, true},
	} {
		if got := Serves(func(name string) string { return tt.env[name] }, tt.dir); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// A command of authsome's inside a run is about the profile that is served, whatever the
// variable said outside.
func TestProfileOfTheRun(t *testing.T) {
	for parent, want := range map[string]string{"AUTHSOME_PROFILE=other": "work", "AUTHSOME_PROFILE=": "work", "A=b": ""} {
		env, _ := environment(t, Environment{Parent: []string{parent}, Profile: "work"})
		if got := env[profileVariable]; got != want {
			t.Errorf("%s: %q, want %q", parent, got, want)
		}
	}
}
