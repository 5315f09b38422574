package providers

import (
	"strings"
	"testing"
)

func TestCheckKey(t *testing.T) {
	d, err := bundledSet(t).Lookup("openai")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.CheckValue("api_key", "sk-proj-"+strings.Repeat("a", 40)); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "pk-" + strings.Repeat("a", 40), "sk-short", "sk-" + strings.Repeat("a", 40) + "\n", "x sk-" + strings.Repeat("a", 40)} {
		err := d.CheckValue("api_key", bad)
		if err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
