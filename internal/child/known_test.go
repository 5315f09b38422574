package child

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestClientOf(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("scripts have no interpreter line")
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	for name, text := range map[string]string{
		"java": "", "python3.12": "", "tool": "#!/usr/bin/env -S X=1 python3 -u\n", "script": "#!" + dir + "/python3.12", "binary": "\x7fELF", "empty": "", "plain": "text\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("java", filepath.Join(dir, "linked")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		command []string
		want    string
	}{
		{nil, ""},
		{[]string{"java", "-jar", "x"}, "Java"},
		{[]string{"/usr/lib/jvm/bin/JAVA.exe"}, "Java"},
		{[]string{"linked"}, "Java"},
		{[]string{"python3.12", "x.py"}, "Python"},
		{[]string{"python3"}, "Python"}, // also if it is not installed
		{[]string{"tool"}, "Python"},
		{[]string{"script"}, "Python"},
		{[]string{"chromium"}, "Chromium"},
		{[]string{"sh", "-c", "cd x; FOO=1 java -jar x"}, "Java"},
		{[]string{"bash", "-c", "javac"}, ""},
		{[]string{"sh", "java"}, ""},
		{[]string{"sh", "-c"}, ""},
		{[]string{"binary"}, ""}, {[]string{"empty"}, ""}, {[]string{"plain"}, ""}, {[]string{"missing"}, ""}, {[]string{"node"}, ""},
	} {
		if c, found := ClientOf(tt.command); c.Name != tt.want || found != (tt.want != "") {
			t.Errorf("%q: %q, want %q", tt.command, c.Name, tt.want)
		}
	}
	installed := Installed([]string{Python})
	if len(installed) != 1 || installed[0].Name != "Java" {
		t.Errorf("installed: %v", installed)
	}
	if found := Installed([]string{AllRuntimes}); found != nil {
		t.Errorf("with all: %v", found)
	}
}
