package child

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// all means what can be set up; a runtime that is named must be.
func TestAddRuntimes(t *testing.T) {
	missing := &unavailableError{Chromium, "certutil is missing"}
	broken := errors.New("disk full")
	for _, tt := range []struct {
		names   string
		fails   map[string]error
		added   string
		skipped string
		want    error
	}{
		{"", nil, "", "", nil},
		{"php", nil, "php", "", nil},
		{"python,java,python", nil, "java python", "", nil},
		{"all", nil, "java php python chromium", "", nil},
		{"all", map[string]error{Chromium: missing}, "java php python", missing.Error(), nil},
		{"all,chromium", map[string]error{Chromium: missing}, "java php python", "", missing},
		{"chromium", map[string]error{Chromium: missing}, "", "", missing},
		{"all", map[string]error{PHP: broken}, "java", "", broken},
	} {
		var added, skipped []string
		err := AddRuntimes(strings.Split(tt.names, ","), func(r string) error {
			if tt.fails[r] == nil {
				added = append(added, r)
			}
			return tt.fails[r]
		}, func(err error) { skipped = append(skipped, err.Error()) })
		if !errors.Is(err, tt.want) || strings.Join(added, " ") != tt.added || strings.Join(skipped, " ") != tt.skipped {
			t.Errorf("%s: added %v, skipped %v, %v", tt.names, added, skipped, err)
		}
	}
	for name, want := range map[string]string{"ruby": "ruby", "all": "", "python": "", "Python": "Python"} {
		if got := UnknownRuntime([]string{PHP, name}); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := RuntimeNames(); got != "java, php, python, chromium or all" || slices.Contains(Runtimes, AllRuntimes) {
		t.Error(got)
	}
}
