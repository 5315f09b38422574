package rejection

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// What was put is read again for the same credential, whatever its names, and nothing
// else is.
func TestStore(t *testing.T) {
	s := Store{Dir: filepath.Join(t.TempDir(), "rejected")}
	obtained := time.Date(2026, 1, 2, 3, 4, 5, 678, time.FixedZone("", 3600))
	since := obtained.Add(time.Hour)
	all := []Credential{
		{"github", "default", obtained}, {"github", "work", obtained}, {"a=b", "c", obtained}, {"a", "b=c", obtained},
		{"..", "../x", obtained}, {"*", "a b", obtained}, {"ü", "\x01", obtained},
	}
	if got := s.Since(all[0]); !got.IsZero() || !s.Changed().IsZero() {
		t.Errorf("an empty store: %v, %v", got, s.Changed())
	}
	for i, c := range all {
		if got := s.Since(c); !got.IsZero() {
			t.Errorf("%v before Put: %v", c, got)
		}
		at := since.Add(time.Duration(i))
		if err := s.Put(c, at); err != nil {
			t.Fatal(err)
		}
		if got := s.Since(c); !got.Equal(at) {
			t.Errorf("%v: %v, want %v", c, got, at)
		}
	}
	next := all[0]
	next.Obtained = obtained.Add(1)
	if got := s.Since(next); !got.IsZero() {
		t.Errorf("the next credential: %v", got)
	}
	for range 2 {
		if err := s.Remove(all[0]); err != nil || !s.Since(all[0]).IsZero() {
			t.Errorf("after Remove: %v", err)
		}
	}
	files, err := os.ReadDir(s.Dir)
	if err != nil || len(files) != len(all)-1 {
		t.Errorf("%v, %v", files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
		}
	}
}

// Files that are damaged say nothing.
func TestDamagedFiles(t *testing.T) {
	s, c := Store{Dir: t.TempDir()}, Credential{"github", "default", time.Now()}
	for _, text := range []string{"", "{", `{"since":1}`, `{"since":"2026-01-01T00:00:00Z"}`, "\x00", string(make([]byte, maxRecord+1))} {
		if err := os.WriteFile(s.path(c), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := s.Since(c); !got.IsZero() {
			t.Errorf("%.20q: %v", text, got)
		}
	}
}
