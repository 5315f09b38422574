package home_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/authsome/authsome/internal/home"
)

func TestProfiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	h := mustOpen(t, dir)
	if _, err := h.Profile("work"); !errors.Is(err, home.ErrNoProfile) {
		t.Errorf("a profile that does not exist: %v", err)
	}
	created, err := h.EnsureProfile("work")
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.EnsureProfile("work")
	if err != nil || again != created {
		t.Errorf("the second time: %+v, %v; want %+v", again, err, created)
	}
	want := home.Profile{Name: "work", Dir: filepath.Join(dir, "profiles", "work")}
	if created != want || created.AuthorityPath() != filepath.Join(want.Dir, "ca.pem") {
		t.Errorf("profile = %+v", created)
	}
	write(t, filepath.Join(dir, "profiles", "file"), "", 0o600)
	write(t, filepath.Join(dir, "profiles", ".cache", "x"), "", 0o600)
	names, err := h.Profiles()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"default", "work"}, names); diff != "" {
		t.Errorf("profiles (-want +got):\n%s", diff)
	}
	if _, err := h.Profile("file"); err == nil || errors.Is(err, home.ErrNoProfile) {
		t.Errorf("a file instead of a directory: %v", err)
	}
	for _, name := range []string{"..", "a/b", ""} {
		if _, err := h.EnsureProfile(name); err == nil {
			t.Errorf("created the profile %q", name)
		}
		if _, err := h.Profile(name); err == nil {
			t.Errorf("opened the profile %q", name)
		}
	}
}

func TestDeleteProfile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	h := mustOpen(t, dir)
	if _, err := h.CreateProfile("work"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.CreateProfile("work"); !errors.Is(err, home.ErrProfileExists) {
		t.Errorf("created twice: %v", err)
	}
	write(t, filepath.Join(dir, "profiles", "work", "vault", "x"), "encrypted", 0o600)
	write(t, filepath.Join(dir, "profiles", ".deleted-1", "killed", "x"), "rest", 0o600)
	if err := h.DeleteProfile("default"); !errors.Is(err, home.ErrDefaultProfile) {
		t.Errorf("the default profile: %v", err)
	}
	if err := h.DeleteProfile("work"); err != nil {
		t.Fatal(err)
	}
	if err := h.DeleteProfile("work"); !errors.Is(err, home.ErrNoProfile) {
		t.Errorf("deleted twice: %v", err)
	}
	left, err := os.ReadDir(filepath.Join(dir, "profiles"))
	if err != nil || len(left) != 1 || left[0].Name() != "default" {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestValidateName(t *testing.T) {
	for _, name := range []string{"a", "default", "Work-2", "a.b_c-d", "0", strings.Repeat("x", 64)} {
		if err := home.ValidateName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", ".", "..", ".a", "-a", "_a", "a:b", "a/b", `a\b`, "a b", "a\n", "a\x00", "é", "аdmin", strings.Repeat("x", 65), "a*",
	} {
		if err := home.ValidateName(name); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
}
