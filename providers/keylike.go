package providers

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// keyPrefixes returns how keys begin: as the placeholders of the bundled definitions
// do, which have the shape of the service's keys, and in some other well-known ways. It
// decodes no definition, because every command that prints something may ask.
var keyPrefixes = sync.OnceValue(func() []string {
	all := map[string]bool{}
	for _, prefix := range []string{
		"github_pat_", "ghr_", "ghs_", "ghu_", "rk_live_", "rk_test_", "sk_live_", "xoxa-", "xoxe-", "xoxe.", "xoxs-", "whsec_", "eyJ", "AKIA", "ASIA",
	} {
		all[prefix] = true
	}
	entries, err := bundled.ReadDir("bundled")
	if err != nil {
		return slices.Sorted(maps.Keys(all))
	}
	for _, e := range entries {
		text, err := bundled.ReadFile("bundled/" + e.Name())
		if err != nil {
			continue
		}
		for _, m := range placeholderStart.FindAllSubmatch(text, -1) {
			all[string(m[1])] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
})

// placeholderStart matches the placeholder of a variable up to its mark, if it begins
// with letters that say what kind of key it is.
var placeholderStart = regexp.MustCompile(`"placeholder": "([A-Za-z][A-Za-z0-9_.-]+)\{mark`)

// certainPrefixes are of keys only: no other word begins with one of them.
var certainPrefixes = []string{"sk-", "sk_", "ghp_", "gho_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "ATATT3x", "ATCTT3x", "1//0", "ya29."}

var botToken = regexp.MustCompile(`^[0-9]{6,}:[A-Za-z0-9_-]{20,}$`) // of Telegram

// HasKeyPrefix reports whether a word begins as the keys of a service do, and is long
// enough to be one.
func HasKeyPrefix(word string) bool {
	for _, prefix := range certainPrefixes {
		if rest, ok := strings.CutPrefix(word, prefix); ok && len(rest) >= 4 {
			return true
		}
	}
	if len(word) < 10 {
		return false
	}
	for _, prefix := range keyPrefixes() {
		rest, ok := strings.CutPrefix(word, prefix)
		if ok && (len(rest) >= 16 || len(rest) >= 8 && strings.ContainsFunc(rest, unicode.IsDigit)) {
			return true
		}
	}
	return botToken.MatchString(word)
}

// LooksLikeKey reports whether a word that should be a name may be a key instead: it
// begins as a key does, or is a long mixture of letters and digits. It must not be
// repeated in a message then.
func LooksLikeKey(word string) bool {
	if HasKeyPrefix(word) {
		return true
	}
	if strings.Contains(word, "/") && strings.ContainsAny(word, ".:") {
		return false // a path or an address
	}
	for part := range strings.FieldsFuncSeq(word, func(r rune) bool { return strings.ContainsRune("-_.", r) }) {
		if len(part) >= 24 && mixture.MatchString(part) && strings.ContainsFunc(part, unicode.IsDigit) && strings.ContainsFunc(part, unicode.IsLetter) {
			return true
		}
	}
	return false
}

// MayBeKey reports whether a word in the place of the name of a provider, which no provider
// has, may be a key. It has more words than [LooksLikeKey]: identifiers, such as a UUID, are
// keys of some services, and not secret elsewhere.
func MayBeKey(word string) bool {
	switch {
	case LooksLikeKey(word):
		return true
	case len(word) < minKey || strings.Contains(word, "://") || addressStart.MatchString(word):
		return false
	}
	for part := range strings.FieldsFuncSeq(word, isSeparator) {
		if joined := strings.ReplaceAll(part, "-", ""); len(joined) >= minKey && hexadecimal.MatchString(joined) && strings.ContainsFunc(joined, unicode.IsDigit) {
			return true
		}
		for piece := range strings.SplitSeq(part, "-") {
			if len(piece) >= minRandomPart && looksRandom(piece) {
				return true
			}
		}
	}
	return false
}

// isSeparator reports whether r is between the parts of a word. A hyphen is not: a UUID has
// some.
func isSeparator(r rune) bool { return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }

const (
	minKey        = 16 // the length of the shortest keys, in bytes
	minRandomPart = 10 // in bytes; names have shorter ones too, such as k8s or a1b2c3
)

var (
	hexadecimal  = regexp.MustCompile(`^[0-9A-Fa-f]+$`)
	addressStart = regexp.MustCompile(`^(\.{0,2}/|~|[A-Za-z]:\\|([a-z0-9-]+\.)+[a-z]{2,}(:[0-9]+)?(/|$))`) // of a path or a host
)

// looksRandom reports whether a part of a word has a digit and changes between digits,
// small and capital letters much more often than names do. In a name, words of several
// letters follow each other, as in GoogleCloud2Api.
func looksRandom(part string) bool {
	const often = 4 // one change in so many characters
	kind := func(r byte) int {
		switch {
		case unicode.IsDigit(rune(r)):
			return 0
		case unicode.IsLower(rune(r)):
			return 1
		}
		return 2
	}
	changes, digits := 0, 0
	for i := range len(part) {
		if kind(part[i]) == 0 {
			digits++
		}
		if i > 0 && kind(part[i]) != kind(part[i-1]) && !(kind(part[i-1]) == 2 && kind(part[i]) == 1) { // Xy begins a word
			changes++
		}
	}
	return digits > 0 && changes*often >= len(part)
}

var mixture = regexp.MustCompile(`^[A-Za-z0-9+][A-Za-z0-9+/]*=*$`)

// KeyOwner returns the provider whose keys begin as the word does, or "" if that is not
// certain.
func (s *Set) KeyOwner(word string) string {
	var owners []*Definition
	longest := 1
	for _, d := range s.All() {
		if !d.HasFlow(FlowAPIKey) {
			continue
		}
		for i, v := range d.Variables() {
			prefix, _, _ := strings.Cut(d.Env[i].Placeholder, "{mark")
			if !v.Secret || v.Field == "" || len(prefix) < longest || !strings.HasPrefix(word, prefix) {
				continue
			}
			if len(prefix) > longest {
				owners, longest = nil, len(prefix)
			}
			if !slices.Contains(owners, d) {
				owners = append(owners, d)
			}
		}
	}
	if len(owners) > 1 {
		owners = slices.DeleteFunc(owners, func(d *Definition) bool {
			p := d.Param("api_key")
			return p == nil || p.Pattern == "" || d.CheckValue("api_key", word) != nil
		})
	}
	if len(owners) != 1 {
		return ""
	}
	return owners[0].Name
}
