package runs

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The proxy that is written is the one that is read, with its token.
func TestIsolatedProxy(t *testing.T) {
	dir := t.TempDir()
	if IsIsolated(dir) || IsIsolated(filepath.Join(dir, "none")) {
		t.Error("a directory without the file is isolated")
	}
	want := &url.URL{Scheme: "http", Host: "127.0.0.1:4711", User: url.UserPassword("authsome", "a/b@c")}
	text, err := FormatIsolated(want)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, IsolatedFile), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := IsolatedProxy(dir); err != nil || got.String() != want.String() || !IsIsolated(dir) {
		t.Errorf("%s: %v, %v", text, got, err)
	}
}

// The file means isolated, whatever is in it.
func TestInvalidIsolatedFile(t *testing.T) {
	for _, text := range []string{"", "{}", "null", `{"proxy":""}`, `{"proxy":"127.0.0.1:80"}`, `{"proxy":"socks5://127.0.0.1:80"}`, `{"proxy":"http://"}`, `{"proxy":"http://\u0000"}`, strings.Repeat(" ", maxIsolatedFile+1)} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, IsolatedFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if u, err := IsolatedProxy(dir); err == nil || !IsIsolated(dir) {
			t.Errorf("%.40q: %v, isolated %v", text, u, IsIsolated(dir))
		}
	}
	dir := t.TempDir()
	if err := os.Symlink("nowhere", filepath.Join(dir, IsolatedFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := IsolatedProxy(dir); err == nil || !IsIsolated(dir) {
		t.Error("a link to nowhere is not the file")
	}
}
