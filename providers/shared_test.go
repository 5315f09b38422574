package providers

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/publicsuffix"
)

// publicSuffixRules returns the rules of the public suffix list that the module has
// for its tests.
func publicSuffixRules(t *testing.T) []string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/net").Output()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("the module's source is not here: ", err)
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "publicsuffix", "table_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(source), "var rules = [...]string{")
	list, _, _ = strings.Cut(list, "\n}")
	var rules []string
	for _, m := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(list, -1) {
		rules = append(rules, m[1])
	}
	if len(rules) < 9000 {
		t.Fatalf("found only %d rules", len(rules))
	}
	return rules
}

// isPublicSuffix reports whether anyone can register names directly under name.
func isPublicSuffix(name string) bool {
	_, err := publicsuffix.EffectiveTLDPlusOne(name)
	return err != nil
}

// shared_parents.txt has every name above a rule of the public suffix list that is not
// a public suffix itself. -update writes it.
func TestSharedParents(t *testing.T) {
	var parents []string
	for _, rule := range publicSuffixRules(t) {
		for _, above, ok := strings.Cut(rule, "."); ok; _, above, ok = strings.Cut(above, ".") {
			if strings.Contains(above, ".") && !isPublicSuffix(above) {
				parents = append(parents, above)
			}
		}
	}
	slices.Sort(parents)
	text := "\n" + strings.Join(slices.Compact(parents), "\n") + "\n"
	if *update {
		if err := os.WriteFile("shared_parents.txt", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if text != sharedParents && !*update {
		t.Error("shared_parents.txt differs from the public suffix list: run the test with -update")
	}
}

// A wildcard that a rule of the public suffix list is at or below is refused.
func TestWildcardsOverEveryPublicSuffixAreRefused(t *testing.T) {
	for _, rule := range publicSuffixRules(t) {
		if exception, ok := strings.CutPrefix(rule, "!"); ok {
			_, rule, _ = strings.Cut(exception, ".")
		}
		rule = strings.TrimPrefix(rule, "*.")
		for name, ok := rule, true; ok; _, name, ok = strings.Cut(name, ".") {
			if oneOperator[name] {
				continue
			}
			if err := checkRegistrable(name); err == nil && checkTenants(name) == nil {
				t.Errorf("*.%s is allowed, and %s is a public suffix", name, rule)
			}
		}
	}
}

// The table has only what the public suffix list does not have.
func TestTenantSuffixesAreNotPublicSuffixes(t *testing.T) {
	for _, name := range tenantSuffixes {
		if isPublicSuffix(name) || strings.Contains(sharedParents, "\n"+name+"\n") {
			t.Errorf("%s is on the public suffix list now: remove it", name)
		}
	}
}
