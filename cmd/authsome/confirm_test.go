//go:build unix

package main

import (
	"os"
	"path/filepath"
	"testing"
)

// A profile is deleted only after a yes.
func TestConfirm(t *testing.T) {
	b := newBench(t)
	b.run("", "profile", "create", "work")
	for _, tt := range []struct {
		answer string
		code   int
		left   bool
	}{{"n\n", 1, true}, {"\n", 1, true}, {"yess\n", 1, true}, {"\x03", 130, true}, {"Y\n", 0, false}} {
		screen, code := b.typed("Delete profile work with all its connections? [y/N] ", tt.answer, "profile", "delete", "work")
		if code != tt.code {
			t.Errorf("%q: exit %d: %s", tt.answer, code, screen)
		}
		if _, err := os.Stat(filepath.Join(b.home, "profiles", "work")); (err == nil) != tt.left {
			t.Errorf("%q: profile directory: %v", tt.answer, err)
		}
	}
}
