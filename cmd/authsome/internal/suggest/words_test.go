package suggest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A shell reads back exactly the words, whatever they contain, and runs nothing.
func TestWords(t *testing.T) {
	for _, tt := range []struct{ word, want string }{
		{".env", ".env"}, {"/a/b c/.env", "'/a/b c/.env'"}, {"it's", `'it'\''s'`}, {"", "''"}, {"~", "'~'"}, {"a~1", "a~1"}, {"ümlaut", "ümlaut"},
	} {
		if got := Words(tt.word); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.word, got, tt.want)
		}
	}
	if runtime.GOOS == "windows" {
		t.Skip("no POSIX shell")
	}
	words := []string{"plain", "with space", "it's", `"double"`, "$(touch injected)", "`touch injected`", "a;touch injected", "*", `back\slash`, "~", "~root", "ümlaut", "new\nline", ""}
	cmd := exec.Command("sh", "-c", "printf '%s|' "+Words(words...))
	cmd.Dir = t.TempDir()
	out, err := cmd.Output()
	if want := strings.Join(words, "|") + "|"; err != nil || string(out) != want {
		t.Errorf("the shell read %q, %v; want %q", out, err, want)
	}
	if _, err := os.Stat(filepath.Join(cmd.Dir, "injected")); err == nil {
		t.Error("the shell ran a part of a word")
	}
}
